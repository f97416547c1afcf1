"""What is read on this machine, as far as the agent may see it: events of the kernel and looks at
the open files, joined into accesses and bytes.

Owns the watches. It must not know what becomes of what it counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from l7lb.media.hot.events import Sorter
from l7lb.media.hot.inotify import Inotify, Lost, NoWatches
from l7lb.media.hot.proc_files import Look, ProcFiles
from l7lb.media.hot.readings import Counted, Readings
from l7lb.media.hot.rooms import Room

ALL = "all directories"
LOOK_S = 20.0


class Watch:
    """`on_change`: something below `shared` is other than it was, or may be."""

    def __init__(
        self,
        shared: str,
        copies: str,
        name_of: Callable[[str], str | None],
        now: Callable[[], float],
    ) -> None:
        self.readings = Readings()
        self.state = ALL
        self._name_of = name_of
        self._now = now
        self._inotify = Inotify()
        self._sorter = Sorter(shared, name_of)
        self._proc = ProcFiles((shared, copies))
        self._room = Room("l7lb-proc")
        self._is_first = True
        self._on_change: Callable[[], None] = lambda: None

    def open(self, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        asyncio.get_running_loop().add_reader(self._inotify.fileno(), self._read)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._inotify.fileno())
        self._inotify.close()
        self._room.close()

    def directories(self, paths: Iterable[str]) -> None:
        """Watch these, and no others."""
        wanted = set(paths)
        for path in self._inotify.watched() - wanted:
            self._inotify.unwatch(path)
        self.state = ALL
        for path in wanted - self._inotify.watched():
            self.add(path)

    def add(self, path: str) -> None:
        """Without a watch, looks must do: they see all that is open for longer."""
        try:
            self._inotify.watch(path)
        except NoWatches:
            self.state = "not all directories: raise fs.inotify.max_user_watches"
        except OSError:
            self._on_change()

    def expect(self, path: str) -> None:
        """We are about to open it ourselves."""
        self._sorter.expect(path, self._now())

    def removed(self, path: str) -> None:
        self._sorter.forget(path)

    async def count(self) -> Counted:
        """Since the last time."""
        self._read()
        is_needed = self._is_first or not self.readings.is_idle or self.state != ALL
        self._is_first = False
        look = await self._look() if is_needed else Look({})
        if look is None:
            return Counted([], [])
        found = {
            (handle.pid, handle.fd, name): position
            for handle, position in look.positions.items()
            if (name := self._name_of(handle.path)) is not None
        }
        return self.readings.look(found, look.read_bytes, self._now())

    async def _look(self) -> Look | None:
        """None: the last one is not done yet."""
        if not self._room.is_free:
            return None
        try:
            return await self._room.run(self._proc.look, LOOK_S)
        except TimeoutError:
            return None

    def _read(self) -> None:
        try:
            events = self._inotify.read()
        except Lost:
            self.readings.lost()
            self._on_change()
            return
        found = self._sorter.sort(events, self._now())
        for name in found.opened:
            self.readings.opened(name, self._now())
        for name in found.closed:
            self.readings.closed(name)
        if found.is_changed:
            self._on_change()
