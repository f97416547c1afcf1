"""Leases that nobody renews: how a key is kept for a time and goes by itself.

One lease serves all keys of a process that are kept for the same time and written in the same
quarter of it, so a million of them cost a handful of leases.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from l7lb_storage.clock import BootClock, Clock
from l7lb_storage.engine import Engine
from l7lb_storage.limits import TTL_MAX_S, TTL_MIN_S

SHARE = 4
"""A key lives at most this part of its time too long."""
HOLDER = "kept keys"
TIMES = 1000
"""Different times in use at once; the oldest lease is forgotten, which costs only another one."""


@dataclass(frozen=True, slots=True)
class Slot:
    lease: int
    until_s: float
    """Keys written until then live their whole time."""


class Keeping:
    def __init__(self, engine: Engine, clock: Clock | None = None) -> None:
        self._engine = engine
        self._clock = clock or BootClock()
        self._slots: dict[float, Slot] = {}
        self._opening = asyncio.Lock()

    async def lease(self, keep_s: float) -> int:
        """One that lives between `keep_s` and a quarter more from now."""
        slot = self._slots.get(keep_s)
        if slot is None or self._clock.now() >= slot.until_s:
            async with self._opening:
                slot = await self._fresh(keep_s)
        return slot.lease

    def forget(self, lease: int) -> None:
        """It is gone."""
        self._slots = {key: slot for key, slot in self._slots.items() if slot.lease != lease}

    async def _fresh(self, keep_s: float) -> Slot:
        now_s = self._clock.now()
        slot = self._slots.get(keep_s)
        if slot is not None and now_s < slot.until_s:
            return slot
        ttl_s = min(max(keep_s * (1 + 1 / SHARE), TTL_MIN_S), TTL_MAX_S)
        lease = await self._engine.open_lease(ttl_s, HOLDER, renewed=False)
        slot = Slot(lease.id, now_s + lease.ttl_s - keep_s)
        if len(self._slots) >= TIMES:
            del self._slots[next(iter(self._slots))]
        self._slots[keep_s] = slot
        return slot
