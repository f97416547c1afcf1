"""What a pool is given by the process that it lives in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from l7lb.model import PersistenceSpec
from l7lb.persistence.learned import LocalPinTable, PinTable
from l7lb.ports import Clock, Counters


@dataclass(frozen=True, slots=True)
class PoolEnvironment:
    """Shared by all pools of a worker."""

    clock: Clock
    counters: Counters
    random: Callable[[], float]
    """Uniform in [0, 1)."""
    secret: bytes
    """Signs persistence cookies: the same on every director."""
    workers: int = 1
    """Workers of this director: each has its part of queues and retry minimums."""
    pins: Callable[[PersistenceSpec], PinTable] | None = None
    """Makes the table of learned cookies; None: one in this process."""

    def pin_table(self, spec: PersistenceSpec) -> PinTable:
        """A table for learned cookies."""
        if self.pins is not None:
            return self.pins(spec)
        return LocalPinTable(spec.limit, spec.timeout_s, self.clock.now)
