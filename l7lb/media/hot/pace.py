"""How fast files are copied, and how the thread that copies is told to stop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from l7lb.media.hot.errors import CopyStopped


class Pace:
    """Used by one thread at a time; `stop` from any. `bytes_s` 0: as fast as it goes."""

    def __init__(self, bytes_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._bytes_s = bytes_s
        self._clock = clock
        self._free_s = clock()
        """When all that was spent is paid for."""
        self._stopped = threading.Event()

    def spend(self, count: int) -> None:
        """Wait until this many bytes were allowed. Raises CopyStopped after `stop`."""
        if self._bytes_s:
            self._free_s = max(self._free_s, self._clock()) + count / self._bytes_s
            self._stopped.wait(max(0.0, self._free_s - self._clock()))
        if self._stopped.is_set():
            raise CopyStopped("the agent ends")

    def stop(self) -> None:
        self._stopped.set()
