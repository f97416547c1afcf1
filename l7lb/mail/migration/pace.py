"""How fast files are read, and how a thread that reads them is told to stop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from l7lb.errors import MigrationError

LONGEST_WAIT_S = 1.0
"""At once: a thread that waits sees a stop as soon as it is said."""
T = TypeVar("T")
Seen = Callable[[int], None]


class Pace:
    """Used by one thread at a time; `stop` from any. `bytes_s` 0: as fast as it goes."""

    def __init__(self, bytes_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._bytes_s = bytes_s
        self._clock = clock
        self._free_s = clock()
        """When all that was spent is paid for."""
        self._stopped = threading.Event()

    def spend(self, count: int) -> None:
        """Wait until this many bytes were allowed. Raises MigrationError after `stop`."""
        if self._bytes_s:
            self._free_s = max(self._free_s, self._clock()) + count / self._bytes_s
        while (rest_s := self._free_s - self._clock()) > 0 and not self._stopped.is_set():
            self._stopped.wait(min(rest_s, LONGEST_WAIT_S))
        self.check()

    def check(self) -> None:
        if self._stopped.is_set():
            raise MigrationError("stopped; the same command goes on from here")

    def stop(self) -> None:
        self._stopped.set()

    async def run(self, work: Callable[[], T]) -> T:
        """In a thread. When cancelled it stops the thread and waits for it: no thread goes on
        behind the back of whoever releases the locks."""
        task = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            self.stop()
            await asyncio.wait([task])
            if not task.cancelled():
                task.exception()
            raise
