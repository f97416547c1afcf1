"""How often something happened lately, counted over all nodes.

A counter is one key: the running window and the one before. The estimate takes from the window
before the share that still reaches into the last `window_s`, as if it had been spread evenly. So
it is never below what the running window has, and above the truth by at most the count of the
window before. Windows begin by the wall clock of the node that counts: clocks that differ shift
the estimate by what happened in the difference; one that is off by more than a window loses counts
rather than to hold them for ever. An add whose answer is missing may count twice.
"""

from __future__ import annotations

import asyncio
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from l7lb_storage.chores import Chores
from l7lb_storage.engine import Engine
from l7lb_storage.errors import InDoubt, LeaseLost, LimitExceeded, StorageError, Unavailable
from l7lb_storage.keeping import Keeping
from l7lb_storage.model import ABSENT, Check, Item, Put, Transaction

PREFIX = "count/"
ATTEMPTS = 20
"""Tries against other nodes that count the same at the same moment."""
PAUSE_S = 0.005
KEYS = 10_000
"""Counters whose last state a node remembers, to save reading it again."""
FORM = struct.Struct(">qqq")


@dataclass(frozen=True, slots=True)
class Count:
    """`window` is the number of the running window since 1970."""

    window: int
    running: int
    before: int

    @classmethod
    def parse(cls, value: bytes) -> Count:
        """What is not ours counts as nothing."""
        return cls(*FORM.unpack(value)) if len(value) == FORM.size else cls(0, 0, 0)

    def encode(self) -> bytes:
        return FORM.pack(self.window, self.running, self.before)

    def plus(self, n: int, window: int) -> Count:
        """`n` more, in this window. One window ahead is a clock's difference, more is a fault."""
        if window <= self.window <= window + 1:
            return Count(self.window, self.running + n, self.before)
        if window == self.window + 1:
            return Count(window, n, self.running)
        return Count(window, n, 0)

    def estimate(self, position: float) -> int:
        """`position` is how much of the running window is over, 0 to 1."""
        return self.running + math.ceil(self.before * (1 - position))


@dataclass(slots=True)
class Pending:
    """What a node still has to add to one counter, and who waits to hear the sum."""

    window_s: float
    n: int = 0
    waiting: list[asyncio.Future[int]] = field(default_factory=list)


class Counters:
    """Adds of one process to one key that come together are one transaction."""

    def __init__(self, engine: Engine, keeping: Keeping, wall: Callable[[], float]) -> None:
        self._engine = engine
        self._keeping = keeping
        self._wall = wall
        self._pending: dict[str, Pending] = {}
        self._known: dict[str, Item | None] = {}
        self._chores = Chores()

    async def add(self, key: str, n: int, window_s: float) -> int:
        """Raises Unavailable, LimitExceeded."""
        if window_s < 1 or n < 0:
            raise LimitExceeded("a window has at least 1 s, and a count does not fall")
        name = f"{PREFIX}{window_s:g}/{key}"
        pending = self._pending.get(name)
        if pending is None:
            pending = self._pending[name] = Pending(window_s)
            self._chores.start(lambda: self._drain(name), 0.001)
        waiting: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        pending.n += n
        pending.waiting.append(waiting)
        return await waiting

    async def close(self) -> None:
        """Whoever still waits is told Unavailable."""
        await self._chores.close()
        for pending in self._pending.values():
            _answer(pending.waiting, Unavailable("the store was closed"))

    async def _drain(self, name: str) -> None:
        """Until nobody has added while the last transaction ran."""
        while (pending := self._pending[name]).waiting:
            batch = Pending(pending.window_s)
            self._pending[name] = batch
            try:
                found: int | StorageError = await self._write(name, pending.n, pending.window_s)
            except StorageError as error:
                found = error
            except asyncio.CancelledError:
                _answer(pending.waiting + batch.waiting, Unavailable("the store was closed"))
                raise
            _answer(pending.waiting, found)
        del self._pending[name]

    async def _write(self, name: str, n: int, window_s: float) -> int:
        for attempt in range(ATTEMPTS):
            now_s = self._wall()
            item = self._known[name] if name in self._known else await self._engine.get(name)
            old = Count(0, 0, 0) if item is None else Count.parse(item.value)
            new = old.plus(n, int(now_s // window_s))
            if await self._replace(name, item, new, window_s):
                return new.estimate(now_s % window_s / window_s)
            await asyncio.sleep(PAUSE_S * attempt)
        raise Unavailable(f"counter {name!r} is too busy")

    async def _replace(self, name: str, item: Item | None, new: Count, window_s: float) -> bool:
        lease = await self._keeping.lease(2 * window_s)
        value = new.encode()
        check = Check(name, ABSENT if item is None else item.revision)
        self._known.pop(name, None)
        try:
            transaction = Transaction((check,), (Put(name, value, lease),))
            outcome = await self._engine.transact(transaction)
        except LeaseLost:
            self._keeping.forget(lease)
            return False
        except InDoubt:
            return False
        if outcome.done:
            self._remember(name, Item(name, value, 0, outcome.revision, lease))
        return outcome.done

    def _remember(self, name: str, item: Item) -> None:
        if len(self._known) >= KEYS:
            del self._known[next(iter(self._known))]
        self._known[name] = item


def _answer(waiting: list[asyncio.Future[int]], found: int | StorageError) -> None:
    for future in waiting:
        if future.done():
            continue
        if isinstance(found, StorageError):
            future.set_exception(found)
        else:
            future.set_result(found)
