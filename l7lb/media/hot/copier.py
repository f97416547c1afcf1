"""Does what the hot set orders, one copy at a time: evict, copy, present.

Owns what happens when it goes wrong. It must not know announcements, or how accesses are seen.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from l7lb.media.hot.errors import CopyFailed, CopyStopped, DiskFull, SharedAway
from l7lb.media.hot.hot_set import HotSet, Order
from l7lb.media.hot.pace import Pace
from l7lb.media.hot.rooms import Room
from l7lb.media.hot.shelf import Shelf
from l7lb.media.hot.watch import Watch
from l7lb.model_hot_files import HotFilesSpec

log = logging.getLogger("l7lb.media.hot")
STOP_S = 10.0
"""For a copy to end; one that hangs with its storage is swept at the next start."""
REST_S = 30.0
"""After the disk was full, or the shared directory away."""


@dataclass(slots=True)
class Done:
    made: int = 0
    failed: int = 0
    evicted: int = 0
    last_failure: str = ""
    copying: str = ""
    disk: str = "good"


class Copier:
    def __init__(
        self,
        spec: HotFilesSpec,
        hot: HotSet,
        shelf: Shelf,
        watch: Watch,
        local: Room,
        now: Callable[[], float],
    ) -> None:
        self._spec = spec
        self._hot = hot
        self._shelf = shelf
        self._watch = watch
        self._local = local
        self._now = now
        self._room = Room("l7lb-copy")
        self._pace = Pace(spec.copy_rate_bytes_s)
        self._wake = asyncio.Event()
        self.done = Done()

    def wake(self) -> None:
        """There may be something to do."""
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while await self._one():
                pass

    async def stop(self) -> None:
        """The thread ends at its next piece, and what it has copied so far is removed."""
        self._pace.stop()
        with suppress(TimeoutError):
            await self._room.run(lambda: None, STOP_S)
        self._room.close()

    async def _one(self) -> bool:
        """False: nothing to do now."""
        limit = self._limit(await self._local.run(self._shelf.copies.free_bytes))
        await self._shrink(limit)
        order = self._hot.next_order(self._now(), self._watch.readings.is_open, limit)
        if order is None:
            return False
        self.done.copying = order.name
        rest_s = 0.0
        try:
            if await self._make_room(order):
                await self._copy(order)
        except (CopyFailed, SharedAway, OSError) as error:
            rest_s = self._failed(order, error)
        finally:
            self.done.copying = ""
            self._hot.failed(order.name)
        await asyncio.sleep(rest_s)
        return True

    def _limit(self, free_bytes: int) -> int:
        """Bytes that copies may take: the capacity, or less when the disk has no room for it."""
        spare = free_bytes - self._spec.reserve_bytes
        return max(0, min(self._spec.capacity_bytes, self._hot.bytes + spare))

    async def _shrink(self, limit: int) -> None:
        """Others filled the disk, or the capacity is smaller than in an earlier life."""
        for name in self._hot.excess(limit, self._watch.readings.is_open):
            await self._evict(name)

    async def _make_room(self, order: Order) -> bool:
        """False: somebody began to read a victim."""
        return all([await self._evict(name) for name in order.victims])

    async def _evict(self, name: str) -> bool:
        path = self._shelf.copies.path(name)
        self._watch.expect(path)
        gone = await self._local.run(lambda: self._shelf.evict(name))
        if gone:
            self._watch.removed(path)
            self._hot.evicted(name, self._now())
            self.done.evicted += 1
        return gone

    async def _copy(self, order: Order) -> None:
        name = order.name
        self._watch.expect(f"{self._shelf.shared}/{name}")
        original = await self._room.run(lambda: self._shelf.copy(name, self._pace))
        if original.size != order.size:
            self._hot.resized(name, original.size)
        self._watch.add(os.path.dirname(self._shelf.copies.path(name)))  # noqa: PTH120
        try:
            await self._local.run(lambda: self._shelf.present(name, original))
        except OSError:
            await self._local.run(lambda: self._shelf.drop([name]))
            raise
        self._hot.copied(name)
        self.done.made += 1
        self.done.disk = "good"
        log.info("copied", extra={"file": name, "bytes": original.size})

    def _failed(self, order: Order, error: Exception) -> float:
        """Seconds to rest before the next one."""
        if isinstance(error, CopyStopped):
            return 0.0
        self.done.failed += 1
        self.done.last_failure = str(error)
        log.warning("not copied", extra={"file": order.name, "reason": str(error)})
        if isinstance(error, DiskFull):
            self.done.disk = str(error)
        return REST_S if isinstance(error, (DiskFull, SharedAway)) else 0.0
