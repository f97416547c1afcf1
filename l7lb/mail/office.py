"""What all mail sessions of one worker share: directory, store, assignments, live sessions.

Owns the connections to both and the chores: it follows assignments, keeps those of live sessions,
moves accounts off servers that drain. A reload changes it in place. Must not know protocols.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass

from l7lb.accounts import Account, Directory
from l7lb.errors import DirectoryAway
from l7lb.mail import roll
from l7lb.mail.assignments import KEEP_S, Assignment, Assignments
from l7lb.mail.attendance import Attendance
from l7lb.mail.closing import Closing
from l7lb.mail.penalty import Penalty
from l7lb.mail.sessions import Sessions
from l7lb.mail.smtp.office import Box
from l7lb.mail.spool.spool import Spool
from l7lb.mail.tally import Tally
from l7lb.mail.usage import Usage
from l7lb.pool.pool import Pool
from l7lb.pool.server import Admin
from l7lb.ports import Clock
from l7lb_protocols.facts import Facts
from l7lb_storage import (
    DeadlinePassed,
    Lock,
    Mode,
    Node,
    NotGranted,
    Session,
    SessionSpec,
    StorageError,
    Store,
)
from l7lb_storage.engine import Engine

CHORES_S = 1.0
DELIVERY_WAIT_S = 30.0
"""For an account that moves; then the sender is asked to come again."""
MOVES_A_CHORE = 50
"""Accounts that a worker moves off a draining server in one go."""
RECORDS_AT_ONCE = 32
PAUSE_S = (0.2, 5.0)
MAILDROP_WAIT_S = 1.0
FIRST_WORD_S = 5.0
"""For what the store says when a worker starts: an account may move just then. Logins of a new
worker wait for it, but from its start on no longer than this."""
LEAVE_S = 8.0
"""To take ourselves off the roll, and say what was counted."""
MAILDROP = "mail/pop3/"
"""Before the account: held EX by the director for as long as a POP3 session lasts."""
HERE = roll.Member("here", "0")
"""Where nobody else serves mail."""
log = logging.getLogger("l7lb.mail")


@dataclass(frozen=True, slots=True)
class OfficeSpec:
    """What a worker gives. `holder` names it in locks; `secret` is the cluster's."""

    holder: str
    secret: bytes
    pools: Mapping[str, Pool]
    clock: Clock
    random: Callable[[], float]
    hold_s: float = 5.0
    """Logins of an account that moves wait so long for the server before to let go."""
    ttl_s: float = 15.0
    """Of the lease that maildrops are locked under."""
    member: roll.Member = HERE
    """This worker on the roll of directors."""
    seat: str = "here#0"
    """The same for the process that takes this worker's place, and for no other at a time."""
    is_alive: Callable[[str], bool] = lambda _: True
    """Does a `Member.process` of this host live?"""


class Office:
    """`set_directory` and `set_store` at the start and whenever they change; `close` at the end."""

    def __init__(self, spec: OfficeSpec) -> None:
        self.spec = spec
        self.sessions = Sessions(spec.clock)
        self.closing = Closing(spec.member, self.sessions, self._leased)
        self.assignments = Assignments(self.sessions.assigned, self.closing.marked)
        self.attendance = Attendance(spec.random)
        self.usage = Usage(spec.seat, self.wall_s)
        self.penalty = Penalty(Tally(lambda: self.store, spec.clock.now))
        self.spool: Spool | None = None
        """Started; None: nothing can be kept."""
        self.directory: Directory | None = None
        self.store: Store | None = None
        """None: there is none, or it is away."""
        self._is_closed = False
        self._word_due_s = spec.clock.now() + FIRST_WORD_S
        self._node: Node | None = None
        self._engine: Engine | None = None
        self._following: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._refreshed_s = self._enrolled_s = spec.clock.now()
        self._chores = [
            asyncio.create_task(self._work(), name="mail chores"),
            asyncio.create_task(self.closing.tell(), name="mail closing"),
        ]

    # ------------------------------------------------------------------ for sessions

    def spawn(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """In the background; what it raises is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a mail session failed", exc_info=error)

    def asked(self) -> Directory:
        """Raises DirectoryAway where the rules file names none."""
        if self.directory is None:
            raise DirectoryAway("there is no directory")
        return self.directory

    async def place(
        self, account: str, pool: Pool, home: str | None, limit_s: float
    ) -> Assignment | None:
        """The account's server in this pool; None: none can be given now. It waits `limit_s` for
        an account that moves.

        A session has to enter before it awaits anything else: then a move that comes later finds
        it.
        """
        if self._engine is not None and (left_s := self._word_due_s - self.spec.clock.now()) > 0:
            await self.assignments.first_word(left_s)
        return await self.assignments.at_rest(account, pool, home, limit_s)

    async def box_of(self, account: Account, pool: Pool, facts: Facts) -> Box | None:
        """For a delivery: as `place`. It waits for a move no longer than a sender would."""
        found = await self.place(account.name, pool, account.server, DELIVERY_WAIT_S)
        turn = self.assignments.turns
        return None if found is None else Box(account.name, found.server, turn)

    def deliver_to(self, boxes: Collection[Box]) -> Callable[[], None] | None:
        """Before a message is sent to a server; call the result when the server has answered, or
        is given up. None: one of the accounts moves, so deliver later."""
        if any(self.assignments.has_left(box.account, box.server, box.turn) for box in boxes):
            return None
        return self.closing.delivering(box.account for box in boxes)

    def delivered(self, box: Box, size_bytes: int) -> None:
        """The server has taken a message for it."""
        self.usage.delivered(box.account, size_bytes)

    @property
    def secret(self) -> bytes:
        return self.spec.secret

    def wall_s(self) -> float:
        return time.time()

    def random(self) -> float:
        return self.spec.random()

    async def lock_maildrop(self, account: str) -> Lock:
        """Raises NotGranted when another session has it, else StorageError.

        It waits a moment: a client that says QUIT and comes again is quicker than the news that
        its session has ended.
        """
        if self._node is None:
            raise StorageError("the store is away")
        session = await self._node.ready(MAILDROP_WAIT_S)
        try:
            return await session.acquire(MAILDROP + account, Mode.EX, timeout_s=MAILDROP_WAIT_S)
        except DeadlinePassed as error:
            raise NotGranted(f"the maildrop of {account} is in use") from error

    # ------------------------------------------------------------------ what it works with

    def set_directory(self, directory: Directory | None) -> None:
        """The one before is closed; look-ups under way there end with DirectoryAway."""
        old, self.directory = self.directory, directory
        if old is not None:
            self.spawn(old.close())

    def set_store(self, engine: Engine | None) -> None:
        """Not opened yet. Locks that are held under the one before go with it."""
        old, self._following = self._following, None
        self._engine = engine
        if old is not None:
            old.cancel()
        if engine is not None:
            self._following = asyncio.create_task(self._follow(engine, old), name="mail store")

    async def _follow(self, engine: Engine, old: asyncio.Task[None] | None) -> None:
        if old is not None:
            await asyncio.wait([old])
        pause_s = PAUSE_S[0]
        while True:
            try:
                await self._connected(engine)
            except (StorageError, OSError) as error:
                if pause_s == PAUSE_S[0]:
                    log.warning("the store is away", extra={"reason": str(error)})
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S[1])

    async def _connected(self, engine: Engine) -> None:
        store = Store(engine)
        try:
            await engine.open()
            async with Node(engine, SessionSpec(self.spec.holder, self.spec.ttl_s)) as node:
                node.on_session(self._has_lease)
                await node.ready()  # a store without a lease could lock nothing
                node.on_session(self.attendance.renewed)
                await self._enrol(store)
                self._node, self.store = node, store
                await _together(self.assignments.follow(store), self.attendance.follow(store))
        except asyncio.CancelledError:
            if not self._is_closed:
                await self._retire(store)
            raise
        finally:
            self._node = self.store = None
            await store.close()
            await engine.close()

    async def _retire(self, store: Store) -> None:
        """Nothing is open here any more."""
        with suppress(StorageError, TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                await roll.leave(store, self.spec.member)
                await self.usage.report(store, self.sessions, now=True)

    async def _enrol(self, store: Store) -> None:
        self._enrolled_s = self.spec.clock.now()
        await roll.enrol(store, self.spec.member, self.spec.is_alive)

    def _has_lease(self, session: Session) -> None:
        session.on_lost(lambda _: self._lost())
        self.closing.again()

    def _leased(self) -> tuple[Store, int] | None:
        """For what goes with this worker."""
        if self._node is None or self.store is None:
            return None
        return self.store, self._node.session.lease

    def _lost(self) -> None:
        """The lease is over, and with it every maildrop that was locked."""
        for key in [*self.sessions.keys]:
            holders = [each for each in self.sessions.of(key) if each.is_locked]
            self.sessions.end_all("the maildrop's lock is lost", holders)

    # ------------------------------------------------------------------ chores

    async def _work(self) -> None:
        while True:
            await asyncio.sleep(CHORES_S)
            try:
                await self._record()
                await self._refresh()
                await self._hand_over()
                if self.store is not None:
                    await self.usage.report(self.store, self.sessions)
            except StorageError as error:
                log.info("the store is away", extra={"reason": str(error)})

    async def _record(self) -> None:
        """Sessions that last are worth a record; most of those that poll for mail do not last."""
        lasting = self.sessions.lasting()
        each = [*lasting.items()]
        try:
            while each:
                some, each = each[:RECORDS_AT_ONCE], each[RECORDS_AT_ONCE:]
                await asyncio.gather(*(self.assignments.record(*pair) for pair in some))
        except StorageError:
            self.sessions.not_recorded(lasting)
            raise

    async def _refresh(self) -> None:
        now_s = self.spec.clock.now()
        if now_s - self._refreshed_s < KEEP_S / 3:
            return
        self._refreshed_s = now_s
        if self.store is not None and now_s - self._enrolled_s >= roll.KEEP_S / 4:
            await self._enrol(self.store)
        for key in [*self.sessions.keys]:
            await self.assignments.refresh(key)

    async def _hand_over(self) -> None:
        """Accounts on servers that drain get another one, some at a time."""
        for pool in [*self.spec.pools.values()]:
            for server in pool.servers:
                if server.admin is not Admin.DRAIN:
                    continue
                for key in self.sessions.movable(pool.name, server.name)[:MOVES_A_CHORE]:
                    target = pool.propose(key[1].encode())
                    if target is not None and target != server.name:
                        await self.assignments.move(key, target, self.spec.hold_s)

    # ------------------------------------------------------------------ the end

    def state(self) -> dict[str, object]:
        """For status: JSON values."""
        return {
            "sessions": len(self.sessions),
            "assignments": len(self.assignments),
            "store": "away" if self.store is None else "answers",
            "directory": None if self.directory is None else dict(self.directory.state()),
        }

    async def close(self) -> None:
        """Once more, should it have been cancelled."""
        if self.store is not None:
            await self._retire(self.store)
        self._is_closed = True
        following, directory = self._following, self.directory
        tasks = [*self._chores, *self._tasks, *([following] if following else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if directory is not None:
            await directory.close()


async def _together(*works: Coroutine[object, object, None]) -> None:
    """Until the first of them fails; the others end then."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
