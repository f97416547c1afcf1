"""Threads for the calls that block and cannot be asked to stop: name look-ups and slow hashes.

Owns their number, their deadlines, and the count of those that were given up. A thread that hangs
keeps its place until it comes back, so what hangs can never be more than the limit; when all
places hang, calls fail at once. Threads are daemons: none holds up the end of the process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from l7lb.directory.turns import Turns
from l7lb.errors import DirectoryAway

T = TypeVar("T")


class Threads:
    """At most `limit` calls at once, and `queue` that wait."""

    def __init__(self, name: str, limit: int, queue: int) -> None:
        self._name = name
        self._limit = limit
        self._queue = queue
        self._busy = 0
        self._waiting = Turns()
        self.abandoned = 0
        """Calls whose deadline passed and that have not come back."""
        self.abandoned_total = 0

    @property
    def busy(self) -> int:
        return self._busy

    async def run(self, call: Callable[[], T], deadline_s: float) -> T:
        """The call's result or exception. Raises DirectoryAway when time is up, the queue is
        full, or every thread hangs."""
        try:
            async with asyncio.timeout(deadline_s):
                await self._place()
                return await self._started(call)
        except TimeoutError:
            raise DirectoryAway(f"{self._name}: no answer within {deadline_s:g} s") from None

    async def _place(self) -> None:
        if self._busy < self._limit:
            self._busy += 1
            return
        if self.abandoned >= self._limit:
            raise DirectoryAway(f"{self._name}: all {self._limit} threads hang")
        if len(self._waiting) >= self._queue:
            raise DirectoryAway(f"{self._name}: more than {self._queue} calls wait")
        await self._waiting.wait(self._give_back)

    def _give_back(self) -> None:
        """The place goes straight to the first that waits."""
        if not self._waiting.give():
            self._busy -= 1

    async def _started(self, call: Callable[[], T]) -> T:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()

        def finish(result: T | None, error: BaseException | None) -> None:
            if outcome.done():
                self.abandoned -= 1
            elif error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(result)  # type: ignore[arg-type]  # T may be None
            self._give_back()

        threading.Thread(
            target=_work, args=(call, loop, finish), name=self._name, daemon=True
        ).start()
        try:
            return await outcome
        except asyncio.CancelledError:
            if outcome.cancelled():
                self.abandoned += 1
                self.abandoned_total += 1
            raise


def _work(
    call: Callable[[], Any],
    loop: asyncio.AbstractEventLoop,
    finish: Callable[[Any, BaseException | None], None],
) -> None:
    result, error = None, None
    try:
        result = call()
    except BaseException as raised:  # noqa: BLE001 - it is the caller's, whatever it is
        error = raised
    try:
        loop.call_soon_threadsafe(finish, result, error)
    except RuntimeError:
        return  # the loop has ended; nobody waits
