"""How many sessions an account has from one address, over all workers of all directors.

Each worker tells the store of its own, under its lease, and hears of the others' by a watch. So a
login asks nobody as long as the account has less than half of what it may have; beyond that the
place is taken in the store first and then all are counted. Owns the counts and the telling. Must
not know sessions, nor what is done with those who find no place.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from itertools import islice

from l7lb.mail.assignments import Key
from l7lb_storage import (
    Changed,
    Delete,
    LeaseLost,
    LimitExceeded,
    Put,
    Reset,
    Session,
    StorageError,
    Store,
)
from l7lb_storage.limits import PAGE_ITEMS, TRANSACTION_STEPS

PRESENT = "present/"
"""Before pool, account, address and the lease of the worker; the value is a count."""
TELL_EVERY_S = 0.25
"""What comes and goes in between costs the store nothing."""
PAUSE_S = 1.0
"""After a failure of the store, or when it has more to tell than can be heard."""
ANSWER_S = 5.0
"""A login waits no longer for the count."""
SECOND_LOOK_S = (0.5, 0.5)
"""At least, and by chance as much again: the client that leaves and comes back is quicker than the
news of it, and of two that take the last place in one moment each sees the other."""
UNCOUNTED = ""
_UNKNOWN = -1
log = logging.getLogger("l7lb.mail")


class Attendance:
    """`enter` and `leave` for each session; `renewed` with each lease, `follow` with the store.

    Without the store a limit is this worker's own.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._here: dict[str, int] = {}
        self._elsewhere: dict[str, dict[str, int]] = {}
        """By name, then by lease."""
        self._told: dict[str, int] = {}
        self._untold: dict[str, None] = {}
        self._lease = 0
        self._store: Store | None = None
        self._is_blind = False
        """The last telling failed; nobody waits for the next."""
        self._some = asyncio.Event()
        self._urgent = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []

    def count(self, name: str) -> int:
        """As far as it is known here."""
        return self._here.get(name, 0) + sum(self._elsewhere.get(name, {}).values())

    # ------------------------------------------------------------------ for sessions

    async def enter(self, key: Key, source: str, limit: int) -> str | None:
        """One more session of this account from this address: what `leave` takes, or None: it has
        `limit` already. 0: it is not counted. A store that is away refuses nobody."""
        if not limit:
            return UNCOUNTED
        name = _name(key, source)
        if await self._enter(name, limit):
            return name
        if self._here.get(name, 0) >= limit:
            return None
        least_s, more_s = SECOND_LOOK_S
        await asyncio.sleep(least_s + self._chance() * more_s)
        return name if await self._enter(name, limit) else None

    def entered(self, key: Key, source: str, limit: int) -> str | None:
        """As `enter`, for an account that has less than half of its limit. None: it has more, and
        nothing is counted."""
        if not limit:
            return UNCOUNTED
        name = _name(key, source)
        if 2 * (self.count(name) + 1) > limit:
            return None
        self._add(name, 1)
        return name

    def leave(self, name: str) -> None:
        """Once for each `enter`."""
        if name != UNCOUNTED:
            self._add(name, -1)

    async def _enter(self, name: str, limit: int) -> bool:
        if self._here.get(name, 0) >= limit:
            return False
        self._add(name, 1)
        if 2 * self.count(name) <= limit:
            return True
        try:
            is_in = await self._total(name) <= limit
        except asyncio.CancelledError:
            self.leave(name)
            raise
        if not is_in:
            self._add(name, -1)
            self._urgent.set()
        return is_in

    async def _total(self, name: str) -> int:
        """As the store has it, or as far as it is known here."""
        store = self._store
        if store is not None and not self._is_blind:
            try:
                async with asyncio.timeout(ANSWER_S):
                    return await self._all(store, name)
            except (StorageError, TimeoutError) as problem:
                log.info("sessions are counted by what is known", extra={"reason": str(problem)})
        return self.count(name)

    async def _all(self, store: Store, name: str) -> int:
        """Counted in the store, once everybody can see there what we have. Of two who do this at
        the same time at least one sees the other."""
        told = asyncio.get_running_loop().create_future()
        self._waiting.append(told)
        self._some.set()
        self._urgent.set()
        await told
        total, after, more = self._here.get(name, 0), "", True
        while more:
            page = await store.range(name + "/", after=after, limit=PAGE_ITEMS)
            for item in page.items:
                found, lease = _place(item.key)
                if found == name and lease != str(self._lease):
                    total += _number(item.value)
                after = item.key
            more = page.more
        return total

    def _add(self, name: str, n: int) -> None:
        count = self._here.get(name, 0) + n
        if count > 0:
            self._here[name] = count
        else:
            self._here.pop(name, None)
        if self._lease:
            self._untold[name] = None
            self._some.set()

    # ------------------------------------------------------------------ telling

    def renewed(self, session: Session) -> None:
        """What was told under the lease before goes with it."""
        self._lease = session.lease
        self._told.clear()
        self._untold = dict.fromkeys(self._here)
        self._some.set()

    async def follow(self, store: Store) -> None:
        """For ever. Raises StorageError."""
        telling = asyncio.create_task(self._tell(store), name="mail sessions told")
        try:
            while True:
                try:
                    await self._hear(store)
                except LimitExceeded as problem:
                    log.warning("sessions of others are too many", extra={"reason": str(problem)})
                    await asyncio.sleep(PAUSE_S)
        finally:
            telling.cancel()
            self._lease, self._store = 0, None
            self._elsewhere.clear()
            self._told.clear()
            self._untold.clear()
            self._answer(StorageError("the store is away"))
            await asyncio.gather(telling, return_exceptions=True)

    async def _tell(self, store: Store) -> None:
        while True:
            await self._some.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout(TELL_EVERY_S):
                    await self._urgent.wait()
            self._some.clear()
            self._urgent.clear()
            waiting, self._waiting = self._waiting, []
            try:
                await self._told_all(store)
            except StorageError as problem:
                self._some.set()
                self._is_blind = True
                _answer(waiting, problem)
                await asyncio.sleep(PAUSE_S)
            else:
                self._is_blind = False
                _answer(waiting, None)
            finally:
                _answer(waiting, StorageError("the store is away"))

    async def _told_all(self, store: Store) -> None:
        """What was untold at the beginning; what comes meanwhile is for the next time."""
        names, self._untold = self._untold, {}
        lease = self._lease
        try:
            while names:
                if not lease or lease != self._lease:
                    raise LeaseLost("no lease now")
                batch = [*islice(names, TRANSACTION_STEPS)]
                await self._told_some(store, lease, batch)
                for name in batch:
                    del names[name]
        finally:
            if lease == self._lease:
                self._untold |= names

    async def _told_some(self, store: Store, lease: int, batch: list[str]) -> None:
        counts = {name: self._here.get(name, 0) for name in batch}
        news = {name: n for name, n in counts.items() if n != self._told.get(name, 0)}
        if not news:
            return
        self._told.update(dict.fromkeys(news, _UNKNOWN))  # until the answer is there
        edits: list[Put | Delete] = []
        for name, count in news.items():
            place = f"{name}/{lease}"
            edits.append(Put(place, b"%d" % count, lease) if count else Delete(place))
        await store.transact(edits=tuple(edits))
        if lease != self._lease:
            return
        for name, count in news.items():
            if count:
                self._told[name] = count
            else:
                self._told.pop(name, None)

    def _answer(self, problem: StorageError) -> None:
        waiting, self._waiting = self._waiting, []
        _answer(waiting, problem)

    # ------------------------------------------------------------------ hearing

    async def _hear(self, store: Store) -> None:
        async with store.watch(PRESENT) as events:
            async for event in events:
                self._store = store
                if isinstance(event, Reset):
                    self._elsewhere.clear()
                    for item in event.items:
                        self._heard(item.key, item.value)
                else:
                    self._changed(event)

    def _changed(self, event: Changed) -> None:
        self._heard(event.key, b"0" if event.item is None else event.item.value)

    def _heard(self, key: str, value: bytes) -> None:
        name, lease = _place(key)
        if lease == str(self._lease):
            return
        count = _number(value)
        if count:
            self._elsewhere.setdefault(name, {})[lease] = count
        elif name in self._elsewhere:
            self._elsewhere[name].pop(lease, None)
            if not self._elsewhere[name]:
                del self._elsewhere[name]


def _name(key: Key, source: str) -> str:
    return f"{PRESENT}{key[0]}/{key[1]}/{source}"


def _place(key: str) -> tuple[str, str]:
    """Name and lease of a key; names may have slashes, leases have none."""
    name, _, lease = key.rpartition("/")
    return name, lease


def _number(value: bytes) -> int:
    """0 for what another version may have written."""
    return int(value) if value.isdigit() and len(value) < 10 else 0


def _answer(waiting: list[asyncio.Future[None]], problem: StorageError | None) -> None:
    for future in waiting:
        if future.done():
            continue
        if problem is None:
            future.set_result(None)
        else:
            future.set_exception(problem)
