"""Group commit: what is to be sent waits until what it speaks of is on the disk.

While one batch is written by the disk's thread the next one gathers, so the loop never waits and
a busy server makes one sync for many requests. Order is kept. After a failed write nothing is sent
any more: memory is ahead of the disk then, and only a restart makes them agree.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from l7lb_storage.errors import StorageError
from l7lb_storage.lockd.disk import Disk, Step, numbers
from l7lb_storage.machine import Kept

Send = Callable[[], None]
SENDS = 20_000
"""Messages that wait for the disk before requests are read more slowly."""


class Journal:
    """Owns the disk's thread. `failed` is done when the disk refused a write."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(1, "lockd-disk")
        self._disk: Disk | None = None
        self._steps: list[Step] = []
        self._sends: list[Send] = []
        self._more = asyncio.Event()
        self._calm = asyncio.Event()
        self._calm.set()
        self._task: asyncio.Task[None] | None = None
        self._kept = (0, 0)
        self._closing = False
        self.failed: asyncio.Future[StorageError] = asyncio.get_running_loop().create_future()

    async def open(self) -> Kept:
        """Raises StorageError."""
        run = asyncio.get_running_loop().run_in_executor
        try:
            self._disk = await run(self._thread, Disk, self._path)
            kept = await run(self._thread, self._disk.load)
        except (sqlite3.Error, ValueError, KeyError) as error:
            raise StorageError(f"{self._path} cannot be read: {error!r}") from error
        self._kept = (kept.epoch, kept.revision)
        self._task = asyncio.get_running_loop().create_task(self._write())
        return kept

    def add(self, steps: list[Step], sends: list[Send], epoch: int, revision: int) -> None:
        """To be kept, and to be sent after that."""
        if (epoch, revision) != self._kept:
            self._kept = (epoch, revision)
            steps = [*steps, *numbers(epoch, revision)]
        self._steps += steps
        self._sends += sends
        self._more.set()
        if len(self._sends) > SENDS:
            self._calm.clear()

    async def calm(self) -> None:
        """Before more is read: returns when not too much waits."""
        await self._calm.wait()

    async def close(self) -> None:
        """What was added is kept first, unless the disk fails."""
        if self._task is not None:
            self._closing = True
            self._more.set()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._disk is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._disk.close)
        self._thread.shutdown()

    async def _write(self) -> None:
        assert self._disk is not None
        run = asyncio.get_running_loop().run_in_executor
        while self._steps or self._sends or not self._closing:
            await self._more.wait()
            self._more.clear()
            steps, sends = self._steps, self._sends
            self._steps, self._sends = [], []
            if steps:
                try:
                    await run(self._thread, self._disk.commit, steps)
                except sqlite3.Error as error:
                    self.failed.set_result(StorageError(f"{self._path}: {error}"))
                    self._calm.set()
                    return
            for send in sends:
                send()
            self._calm.set()
