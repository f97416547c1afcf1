"""What the pure parts ask of the world, each with an in-memory twin in the tests or here."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Monotonic seconds."""

    def now(self) -> float: ...


class SystemClock:
    def now(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that moves when told to."""

    def __init__(self, start_s: float = 1000.0) -> None:
        self._now_s = start_s

    def now(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds


class Counters:
    """Sessions per server as seen by all workers (shared memory in the director)."""

    def active(self, index: int) -> int:
        """Sessions now open on the server with this index, over all workers."""
        raise NotImplementedError

    def add(self, index: int, delta: int) -> None:
        """Count sessions of this worker."""
        raise NotImplementedError


class LocalCounters(Counters):
    """Counters of one process, for tests and single-worker use."""

    def __init__(self) -> None:
        self._active: dict[int, int] = {}

    def active(self, index: int) -> int:
        return self._active.get(index, 0)

    def add(self, index: int, delta: int) -> None:
        self._active[index] = self._active.get(index, 0) + delta
