"""Things that must be done in the end: repeated in the background until they are.

An entry that could not be taken out of a queue would hold everybody up for as long as its node
renews its lease. It must not know what is repeated.
"""

import asyncio
from collections.abc import Awaitable, Callable

from l7lb_storage.errors import StorageError, Unavailable

PAUSE_MIN_S = 0.05
PAUSE_MAX_S = 2.0
LIMIT = 10_000
"""Chores at a time; more are refused, which only a dead engine can cause."""


class Chores:
    """A set of background tasks that end when done, given up or closed."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, action: Callable[[], Awaitable[object]], retry_s: float) -> asyncio.Task[None]:
        """Repeat `action` while it raises Unavailable, for `retry_s`; other errors end it."""
        if len(self._tasks) >= LIMIT:
            raise Unavailable(f"{LIMIT} things wait to be cleaned up already")
        task = asyncio.get_running_loop().create_task(_repeat(action, retry_s))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def settle(
        self, action: Callable[[], Awaitable[object]], retry_s: float, patience_s: float
    ) -> None:
        """Start it and wait `patience_s` for its end; it goes on whatever happens to the caller."""
        task = self.start(action, retry_s)
        await asyncio.wait({task}, timeout=patience_s)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _repeat(action: Callable[[], Awaitable[object]], retry_s: float) -> None:
    pause_s = PAUSE_MIN_S
    loop = asyncio.get_running_loop()
    end_s = loop.time() + retry_s
    while loop.time() < end_s:
        try:
            await action()
        except Unavailable:
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_MAX_S)
        except StorageError:
            return
        else:
            return
