"""The store as applications use it: keys and values, transactions, watches, counters.

It owns deadlines, and keys that go by themselves after a time. It must not know which engine it
works with.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from l7lb_storage.counters import Counters
from l7lb_storage.engine import Engine, Watch
from l7lb_storage.errors import DeadlinePassed, LeaseLost
from l7lb_storage.keeping import Keeping
from l7lb_storage.limits import check_key, check_page, check_transaction
from l7lb_storage.model import ABSENT, Check, Delete, Item, Outcome, Page, Put, Transaction

TIMEOUT_S = 8.0
"""More than an engine's own, so that its better errors come first."""
T = TypeVar("T")


class Store:
    """Small values that all nodes agree on. Every call ends within `timeout_s` (DeadlinePassed).

    A read sees every write that ended before it began. Unavailable: nothing happened; after
    InDoubt and DeadlinePassed a write may have.
    """

    def __init__(
        self, engine: Engine, timeout_s: float = TIMEOUT_S, wall: Callable[[], float] = time.time
    ) -> None:
        self.engine = engine
        self._timeout_s = timeout_s
        self._keeping = Keeping(engine)
        self._counters = Counters(engine, self._keeping, wall)

    async def get(self, key: str) -> Item | None:
        check_key(key)
        return await self._within(self.engine.get(key))

    async def range(self, prefix: str, *, after: str = "", limit: int = 100) -> Page:
        """At most `limit` items, in the order of keys, behind the key `after`."""
        check_key(prefix, empty=True)
        check_page(limit)
        return await self._within(self.engine.range(prefix, after=after, limit=limit))

    async def put(
        self, key: str, value: bytes, *, lease: int = 0, keep_s: float | None = None
    ) -> int:
        """Write, whatever was there; returns the revision.

        `lease` is a session's: the key goes when the session does. With `keep_s` it goes by
        itself after that time, at most a quarter later; a restart of lockd begins the time anew.
        """
        if keep_s is None:
            outcome = await self.transact(edits=(Put(key, value, lease),))
        else:
            outcome = await self._within(self._keep(key, value, keep_s))
        return outcome.revision

    async def delete(self, key: str) -> bool:
        """False: it was not there."""
        check_key(key)
        return await self._within(self._delete(key))

    async def create(self, key: str, value: bytes, *, lease: int = 0) -> bool:
        """Write if it is absent; False: somebody else was first."""
        return (await self.transact((Check(key, ABSENT),), (Put(key, value, lease),))).done

    async def swap(self, key: str, value: bytes, revision: int, *, keep_s: float) -> bool:
        """Write if the key's revision is this one (ABSENT: it is not there); False: it is another.

        It goes by itself after `keep_s`, as with `put`.
        """
        checks = (Check(key, revision),)
        return (await self._within(self._keep(key, value, keep_s, checks))).done

    async def transact(
        self, checks: tuple[Check, ...] = (), edits: tuple[Put | Delete, ...] = ()
    ) -> Outcome:
        """All edits if all checks hold, else nothing. Raises LeaseLost for a dead lease."""
        transaction = Transaction(checks, edits)
        check_transaction(transaction)
        return await self._within(self.engine.transact(transaction))

    @asynccontextmanager
    async def watch(self, prefix: str, after: int | None = None) -> AsyncIterator[Watch]:
        """`async with store.watch("pins/") as events: async for event in events: ...`

        Each event is `Changed`, or `Reset` with everything there is: at the beginning without
        `after`, and whenever changes were missed. The iterator outlives connections.
        """
        check_key(prefix, empty=True)
        watch = await self._within(self.engine.watch(prefix, after))
        try:
            yield watch
        finally:
            await watch.close()

    async def add(self, key: str, n: int, window_s: float) -> int:
        """Count `n` and return how many there were in the last `window_s`, over all nodes.

        An estimate, see `counters`: never below the count of the running window, above the true
        count by at most that of the window before.
        """
        check_key(key)
        return await self._within(self._counters.add(key, n, window_s))

    async def close(self) -> None:
        """Ends what goes on in the background. Keys with `keep_s` stay as promised."""
        await self._counters.close()

    async def _delete(self, key: str) -> bool:
        """Until nobody writes between the look and the deletion."""
        while (item := await self.engine.get(key)) is not None:
            transaction = Transaction((Check(key, item.revision),), (Delete(key),))
            if (await self.engine.transact(transaction)).done:
                return True
        return False

    async def _keep(
        self, key: str, value: bytes, keep_s: float, checks: tuple[Check, ...] = ()
    ) -> Outcome:
        """The lease that keeps it may have been lost with the engine's data: then once more."""
        for last in (False, True):
            lease = await self._keeping.lease(keep_s)
            transaction = Transaction(checks, (Put(key, value, lease),))
            check_transaction(transaction)
            try:
                return await self.engine.transact(transaction)
            except LeaseLost:
                self._keeping.forget(lease)
                if last:
                    raise
        raise AssertionError

    async def _within(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await work
        except TimeoutError as error:
            raise DeadlinePassed(f"no answer within {self._timeout_s} s") from error
