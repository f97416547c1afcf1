"""The clock that leases are measured with, and its twin for tests.

It runs on while the machine sleeps and never steps, unlike those of asyncio and of the wall.
"""

import time
from typing import Protocol


class Clock(Protocol):
    """Seconds that only grow, also while the machine is suspended."""

    def now(self) -> float: ...


class BootClock:
    def now(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)


class ManualClock:
    """A clock that moves when told to."""

    def __init__(self, start_s: float = 1000.0) -> None:
        self._now_s = start_s

    def now(self) -> float:
        return self._now_s

    def advance(self, seconds: float) -> None:
        self._now_s += seconds
