"""Who delivers what: each worker has a lane of the spool, and the lane of a dead one is taken over.

A lane is a folder with a file that its owner holds locked (flock); the kernel lets go of it when
the process dies, however it dies. Lanes are made and taken over behind one door, so that a new
lane is never mistaken for a dead one. All methods block; they raise OSError.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from l7lb.mail.spool.files import SUFFIX, sync_folder

ASIDE = "aside"
"""For files that are torn, and reports that nobody takes."""


class Lane:
    """`open` once, `take_over` from time to time, `close`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / f"lane-{secrets.token_hex(8)}"
        self.aside = root / ASIDE
        self._lock = -1

    def open(self) -> None:
        for folder in (self.root, self.aside):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._door():
            self.folder.mkdir(mode=0o700)
            self._lock = _locked(self.folder)
        sync_folder(self.root)

    def take_over(self, taken: list[Path]) -> None:
        """Adds the files of lanes whose owner is dead: they are in this lane now, also when it
        raises."""
        with self._door():
            for folder in sorted(self.root.glob("lane-*")):
                if folder == self.folder:
                    continue
                try:
                    lock = _locked(folder)
                except BlockingIOError:
                    continue
                try:
                    self._empty(folder, taken)
                finally:
                    os.close(lock)

    def _empty(self, folder: Path, taken: list[Path]) -> None:
        for path in sorted(folder.glob(f"*{SUFFIX}")):
            target = self.folder / path.name
            path.rename(target)
            taken.append(target)
        sync_folder(self.folder)
        for left in folder.glob("*.new"):  # never accepted: the client was not told 250
            left.rename(self.aside / left.name)
        (folder / "lock").unlink()
        with suppress(OSError):  # something foreign lies there: leave it
            folder.rmdir()

    def set_aside(self, path: Path) -> Path:
        """For a person to look at; never deleted."""
        target = self.aside / path.name
        path.rename(target)
        sync_folder(self.aside)
        return target

    def close(self) -> None:
        """Let go; what is left there is taken over by the next who looks."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    @contextmanager
    def _door(self) -> Iterator[None]:
        fd = os.open(self.root / "door", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _locked(folder: Path) -> int:
    """The lane's lock. Raises BlockingIOError: its owner lives."""
    fd = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BaseException:
        os.close(fd)
        raise
    return fd
