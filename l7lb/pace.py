"""How fast a thread reads or copies files, and how it is told to stop.

Owns the wait. What a stop means to its work, a subclass says by its error.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable

LONGEST_WAIT_S = 1.0
"""At once: a thread that waits sees a stop as soon as it is said."""


class Pace(ABC):
    """Used by one thread at a time; `stop` from any. `bytes_s` 0: as fast as it goes."""

    def __init__(self, bytes_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._bytes_s = bytes_s
        self._clock = clock
        self._free_s = clock()
        """When all that was spent is paid for."""
        self._stopped = threading.Event()

    @abstractmethod
    def stopped(self) -> Exception:
        """What ends the work after `stop`."""

    def spend(self, count: int) -> None:
        """Wait until this many bytes were allowed. Raises `stopped()` after `stop`."""
        if self._bytes_s:
            self._free_s = max(self._free_s, self._clock()) + count / self._bytes_s
        while (rest_s := self._free_s - self._clock()) > 0 and not self._stopped.is_set():
            self._stopped.wait(min(rest_s, LONGEST_WAIT_S))
        self.check()

    def check(self) -> None:
        """Raises `stopped()` after `stop`."""
        if self._stopped.is_set():
            raise self.stopped()

    def stop(self) -> None:
        self._stopped.set()
