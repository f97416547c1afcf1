"""The engine in this process: for one node, for tests, and to see how the others behave.

Engines on the same `World` are nodes of one cluster. Nothing outlives the process.
"""

from __future__ import annotations

import asyncio
from weakref import WeakValueDictionary

from l7lb_storage.clock import BootClock, Clock
from l7lb_storage.errors import Unavailable
from l7lb_storage.limits import WATCH_EVENTS
from l7lb_storage.machine import Answer, Machine
from l7lb_storage.operating import OperationEngine
from l7lb_storage.operations import LeaseGone, OpenLease, Operation, Told, Watched


class World:
    """One machine and the engines that share it; with a ManualClock it is deterministic."""

    def __init__(self, clock: Clock | None = None, history_limit: int = WATCH_EVENTS) -> None:
        self.machine = Machine(history_limit)
        self._clock = clock or BootClock()
        self._engines: WeakValueDictionary[int, MemoryEngine] = WeakValueDictionary()
        self._owner_of: dict[int, int] = {}
        self._next_origin = 1
        self._timer: asyncio.TimerHandle | None = None

    def join(self, engine: MemoryEngine) -> int:
        origin = self._next_origin
        self._next_origin += 1
        self._engines[origin] = engine
        return origin

    def leave(self, origin: int) -> None:
        self.machine.forget_origin(origin)
        self._engines.pop(origin, None)
        if not self._engines and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def apply(self, operation: Operation, origin: int) -> Answer:
        if isinstance(operation, OpenLease):
            self._owner_of[operation.lease] = origin
        try:
            return self.machine.apply(operation, self._clock.now(), origin)
        finally:
            self._deliver()

    def run_due(self) -> None:
        """What the passing of time brings; by itself with the system's clock, else call it."""
        self.machine.expire(self._clock.now())
        self._deliver()

    def _deliver(self) -> None:
        told, self.machine.told = self.machine.told, []
        self.machine.records.clear()
        for news in told:
            engine = self._engines.get(self._addressee(news))
            if engine is not None:
                engine.hear(news)
        self._set_timer()

    def _addressee(self, news: Told) -> int:
        if isinstance(news, Watched):
            return news.origin
        if isinstance(news, LeaseGone):
            return self._owner_of.pop(news.lease, 0)
        return self._owner_of.get(news.lease, 0)

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        due_s = self.machine.next_expiry_s()
        self._timer = None
        if due_s is not None and self._engines:
            delay_s = max(due_s - self._clock.now(), 0.001)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self.run_due)


class MemoryEngine(OperationEngine):
    """A node's view of a world; without one it has a world of its own."""

    name = "memory"

    def __init__(self, world: World | None = None) -> None:
        super().__init__()
        self.world = world or World()
        self._origin = 0

    async def open(self) -> None:
        self._origin = self.world.join(self)

    async def close(self) -> None:
        await super().close()
        if self._origin:
            self.world.leave(self._origin)
            self._origin = 0

    def hear(self, told: Told) -> None:
        """For the world only."""
        self._hear(told)

    async def _ask(self, operation: Operation) -> Answer:
        if not self._origin:
            raise Unavailable("the engine is not open")
        return self.world.apply(operation, self._origin)
