"""How fast files are read, and how the thread that reads them ends with the task it works for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from l7lb import pace
from l7lb.errors import MigrationError

T = TypeVar("T")
Seen = Callable[[int], None]


class Pace(pace.Pace):
    def stopped(self) -> MigrationError:
        return MigrationError("stopped; the same command goes on from here")

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
