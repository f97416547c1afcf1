"""One thread for each thing that may hang: the shared directory, the local disk, the copying.

Work of one room is done one after the other. A deadline ends the waiting, not the thread: nothing
ends a thread that waits for a file server. So the room stays closed until it comes back.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")


class Room:
    """Its thread is a daemon: a process must be able to end while it hangs."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()
        self._pending = 0

    @property
    def is_free(self) -> bool:
        return self._pending == 0

    async def run(self, work: Callable[[], T], deadline_s: float | None = None) -> T:
        """Raises what the work raises, or TimeoutError; the work may then still go on."""
        done: Future[T] = Future()

        def job() -> None:
            try:
                done.set_result(work())
            except BaseException as error:  # noqa: BLE001  # it is for whoever waits
                done.set_exception(error)

        self._pending += 1
        self._jobs.put(job)
        waiting = asyncio.wrap_future(done)
        waiting.add_done_callback(self._one_less)
        async with asyncio.timeout(deadline_s):  # wait_for may lose a cancellation (3.11)
            return await asyncio.shield(waiting)

    def close(self) -> None:
        """After what it has to do."""
        self._jobs.put(None)

    def _one_less(self, done: asyncio.Future[T]) -> None:
        self._pending -= 1
        if not done.cancelled():
            done.exception()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()
