"""inotify(7) of the C library: who opens and closes files in watched directories of this machine.

Owns the descriptor and the directory of each watch. It needs no root, and a network file system
reports what this machine does on it. Equal events that follow each other come as one, and when
there are too many some are lost: `Lost` says so. It must not know what is watched, or why.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntFlag

READ_BYTES = 1 << 16
EVENTS_MOST = 20_000
"""Read in one go; the rest waits for the next."""
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Mask(IntFlag):
    CLOSE_WRITE = 0x8
    CLOSE_NOWRITE = 0x10
    OPEN = 0x20
    MOVED_FROM = 0x40
    MOVED_TO = 0x80
    CREATE = 0x100
    DELETE = 0x200
    OVERFLOW = 0x4000
    IGNORED = 0x8000
    ONLYDIR = 0x1000000
    ISDIR = 0x40000000


CLOSED = Mask.CLOSE_WRITE | Mask.CLOSE_NOWRITE
CHANGED = Mask.CLOSE_WRITE | Mask.MOVED_FROM | Mask.MOVED_TO | Mask.CREATE | Mask.DELETE
WATCHED = Mask.OPEN | CLOSED | CHANGED


@dataclass(frozen=True, slots=True)
class Event:
    directory: str
    name: str
    mask: Mask

    @property
    def path(self) -> str:
        return os.path.join(self.directory, self.name)  # noqa: PTH118  # Path is slow


class Lost(Exception):
    """Events were lost: look for yourself."""


class NoWatches(OSError):
    """The kernel gives this user no more watches (fs.inotify.max_user_watches)."""


class Inotify:
    """Not blocking. `fileno` is readable when there are events."""

    def __init__(self) -> None:
        self._fd = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._directories: dict[int, str] = {}
        self._watches: dict[str, int] = {}

    def fileno(self) -> int:
        return self._fd

    def watch(self, directory: str) -> None:
        """Once more is the same as once. Raises OSError; NoWatches when there are too many."""
        if directory in self._watches:
            return
        mask = int(WATCHED | Mask.ONLYDIR)
        found = _checked(_libc.inotify_add_watch(self._fd, os.fsencode(directory), mask))
        self._directories[found] = directory
        self._watches[directory] = found

    def watched(self) -> set[str]:
        return set(self._watches)

    def unwatch(self, directory: str) -> None:
        found = self._watches.pop(directory, None)
        if found is not None:
            self._directories.pop(found, None)
            _libc.inotify_rm_watch(self._fd, found)

    def read(self) -> list[Event]:
        """All that is there. Raises Lost, after which the next ones can be read."""
        found: list[Event] = []
        while len(found) < EVENTS_MOST:
            try:
                data = os.read(self._fd, READ_BYTES)
            except BlockingIOError:
                break
            found += self._events(data)
        return found

    def close(self) -> None:
        os.close(self._fd)

    def _events(self, data: bytes) -> Iterator[Event]:
        at = 0
        while at < len(data):
            watch, mask, _, size = _EVENT.unpack_from(data, at)
            name = data[at + _EVENT.size : at + _EVENT.size + size].rstrip(b"\0")
            at += _EVENT.size + size
            if mask & Mask.OVERFLOW:
                raise Lost
            directory = self._directories.get(watch)
            if mask & Mask.IGNORED:
                self._forget(watch, directory)
            elif directory is not None and name:
                yield Event(directory, os.fsdecode(name), Mask(mask))

    def _forget(self, watch: int, directory: str | None) -> None:
        """The directory is gone."""
        self._directories.pop(watch, None)
        if directory is not None and self._watches.get(directory) == watch:
            del self._watches[directory]


def _checked(result: int) -> int:
    if result >= 0:
        return result
    number = ctypes.get_errno()
    kind = NoWatches if number in {errno.ENOSPC, errno.EMFILE} else OSError
    raise kind(number, os.strerror(number))
