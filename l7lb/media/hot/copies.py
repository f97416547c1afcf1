"""The copies on the local disk: made whole or not at all, found again after a crash, evicted only
when nobody reads them.

    LOCAL/copies/…   as below the shared directory; a copy has its original's time, and what differs
                     from its original in size or time is none
    LOCAL/partial/   what is being copied, removed at the next start
    LOCAL/epoch      grows with each start
    LOCAL/lock       held by the agent that lives

There is no index that could be wrong: the disk is the index. All of it blocks.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from l7lb.media.hot.errors import CannotStart, CopyFailed, DiskFull, OriginalChanged
from l7lb.media.hot.originals import Original, look_at, walk
from l7lb.media.hot.pace import Pace

CHUNK_BYTES = 1 << 20
SYNC_BYTES = 64 << 20
"""Written to the disk so often: a large file must not fill memory with pages that wait."""
PUBLIC = 0o444
"""A copy is read by the media server, which may be another user; nobody writes to it."""


class Copies:
    """Of one local directory. Raises CannotStart when it is another agent's, or cannot be used."""

    def __init__(self, local: str) -> None:
        self._local = Path(local)
        self.root = f"{local}/copies"
        self._partial = self._local / "partial"
        self._lock = _claimed(self._local)
        try:
            Path(self.root).mkdir(exist_ok=True)
            self._partial.mkdir(exist_ok=True)
            for path in self._partial.iterdir():
                path.unlink()
            self.epoch = self._next_epoch()
        except (OSError, ValueError) as error:
            os.close(self._lock)
            raise CannotStart(f"{local}: {error}") from error

    def close(self) -> None:
        os.close(self._lock)

    def path(self, name: str) -> str:
        return f"{self.root}/{name}"

    def found(self) -> dict[str, Original]:
        """All copies, by name, as they lie there."""
        names = walk(self.root).files
        looked = {name: look_at(self.path(name)) for name in names}
        return {name: original for name, original in looked.items() if original is not None}

    def directories(self) -> list[str]:
        return walk(self.root).directories

    def free_bytes(self) -> int:
        """Of the disk, for this user."""
        room = os.statvfs(self._local)
        return room.f_bavail * room.f_frsize

    def copy(self, source: str, name: str, original: Original, pace: Pace) -> None:
        """Raises CopyFailed; then nothing of it is left. The pace may be told to stop meanwhile."""
        partial = self._partial / "file"
        try:
            _copy(source, partial, original, pace)
            target = Path(self.path(name))
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.rename(target)
            _sync_folder(target.parent)
        except OSError as error:
            kind = DiskFull if error.errno in {errno.ENOSPC, errno.EDQUOT} else CopyFailed
            raise kind(f"{name}: {error.strerror or error}") from error
        finally:
            with suppress(OSError):
                partial.unlink(missing_ok=True)

    def evict(self, name: str, before: Callable[[], object]) -> bool:
        """Remove it unless somebody reads it: False then. `before` is done when that is sure.

        Whoever opens it in that moment waits until it is removed, and reads it all the same.
        """
        lease = self._lease(name)
        if lease is None and Path(self.path(name)).exists():
            return False
        try:
            before()
            self.remove(name)
        finally:
            if lease is not None:
                os.close(lease)
        return True

    def remove(self, name: str) -> None:
        """Whoever reads it goes on; nobody else will."""
        path = Path(self.path(name))
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if str(folder) == self.root:
                break
            try:
                folder.rmdir()
            except OSError:
                break

    def _lease(self, name: str) -> int | None:
        try:
            handle = os.open(self.path(name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return None
        try:
            fcntl.fcntl(handle, fcntl.F_SETSIG, signal.SIGURG)  # a break must not end us (SIGIO)
            fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_WRLCK)
        except OSError:
            os.close(handle)
            return None
        return handle

    def _next_epoch(self) -> int:
        """Greater than any before, whatever the clock says."""
        path = self._local / "epoch"
        before = int(path.read_text()) if path.exists() else 0
        epoch = before + 1
        fresh = path.with_suffix(".new")
        with fresh.open("w") as file:
            file.write(f"{epoch}\n")
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
        _sync_folder(self._local)
        return epoch


def _claimed(local: Path) -> int:
    try:
        local.mkdir(parents=True, exist_ok=True)
        handle = os.open(local / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(f"{local}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise CannotStart(f"{local} is used by another agent") from None
    return handle


def _copy(source: str, partial: Path, original: Original, pace: Pace) -> None:
    """To `partial`, complete and on the disk."""
    read = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _same(read, source, original)
        write = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            _move(read, write, original.size, pace)
            _same(read, source, original)
            os.fchmod(write, PUBLIC)
            os.utime(write, ns=(original.mtime_ns, original.mtime_ns))
            os.fsync(write)
            there = os.fstat(write)
            if Original(there.st_size, there.st_mtime_ns) != original:
                raise CopyFailed(f"{partial.parent}: this disk does not keep a file's time")
        finally:
            os.close(write)
    finally:
        os.close(read)


def _move(read: int, write: int, size: int, pace: Pace) -> None:
    """In the kernel; the disk's room is asked for first, so that it is full at once or not."""
    if size:
        _reserve(write, size)
    done = unsynced = 0
    while done < size:
        moved = os.sendfile(write, read, done, min(CHUNK_BYTES, size - done))
        if moved == 0:
            raise OriginalChanged("it became shorter while it was copied")
        done += moved
        unsynced += moved
        if unsynced >= SYNC_BYTES:
            os.fdatasync(write)
            unsynced = 0
        pace.spend(moved)


def _same(handle: int, source: str, original: Original) -> None:
    """What is open is still what has the name, and what was asked for."""
    opened, named = os.fstat(handle), Path(source).lstat()
    if Original(opened.st_size, opened.st_mtime_ns) != original or not os.path.samestat(
        opened, named
    ):
        raise OriginalChanged(f"{source} is changing")


def _reserve(write: int, size: int) -> None:
    """A file system that cannot promise room says so; then it is seen when it is full."""
    try:
        os.posix_fallocate(write, 0, size)
    except OSError as error:
        if error.errno not in {errno.EOPNOTSUPP, errno.EINVAL}:
            raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
