"""Threads for the work on files: bounded in number, and in what may wait for them.

What has begun is finished, whoever gives up waiting for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from l7lb.errors import MailboxAway

T = TypeVar("T")


class Work:
    """At most `threads` calls at once and `queue` in all."""

    def __init__(self, threads: int = 8, queue: int = 512) -> None:
        self._executor = ThreadPoolExecutor(threads, "mail files")
        self._queue = queue
        self._pending = 0

    async def run(self, call: Callable[[], T]) -> T:
        """The call's result or exception. Raises MailboxAway when too much waits."""
        if self._pending >= self._queue:
            raise MailboxAway("too much waits for the storage")
        self._pending += 1
        future = asyncio.get_running_loop().run_in_executor(self._executor, call)
        future.add_done_callback(self._done)
        return await asyncio.shield(future)

    def _done(self, future: asyncio.Future[T]) -> None:
        self._pending -= 1
        if not future.cancelled():
            future.exception()

    def close(self) -> None:
        """No more calls; does not wait for those under way."""
        self._executor.shutdown(wait=False, cancel_futures=True)
