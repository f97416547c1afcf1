"""How shared POSIX storage says no: the highest token is in a file, checked under its lock.

`guard` locks the file, refuses a lower token, leaves a higher one, lets the caller change the
storage, and unlocks. A new owner therefore waits for a writer that is in its section, and one that
wakes up later is refused. The lock is an open file description lock: it goes when the process
dies, and other threads, forks and descriptors of the same file do not drop it by accident.

One fence file belongs to one resource: tokens of two resources have no order. It orders holders
that exclude each other (PW, EX); two holders of CW may write at once, and a fence would refuse the
one with the older token.

On one kernel and on cluster file systems this is complete. On NFS the lock is itself a lease of
the server: a client that sleeps longer than that inside its section may still write late.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from l7lb_storage.errors import DeadlinePassed, StaleToken, StorageError

FILE = ".fence"
FORM = struct.Struct("=hhqqi4x")
"""The kernel's flock: type, whence, start, length, pid."""
DIGITS = 20
"""Fixed width, so that one write replaces a token whole; 64 bits fit."""
SIZE = DIGITS + 1
TIMEOUT_S = 10.0
PAUSE_MIN_S = 0.001
PAUSE_MAX_S = 0.05


@contextmanager
def guard(
    home: Path | str, token: int, *, timeout_s: float = TIMEOUT_S, name: str = FILE
) -> Iterator[None]:
    """`with guard(home, lock.token): ...` around every change of what the lock protects.

    Raises StaleToken, DeadlinePassed when another writer does not end its section, OSError. It
    blocks: in an event loop run the whole section in a thread. A higher token is on the disk
    (fsync) before the section begins, so no crash forgets an owner whose change was seen; that
    costs one fsync for each change of owner, none for each write.
    """
    descriptor = os.open(Path(home, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _lock(descriptor, time.monotonic() + timeout_s)
        _compare(descriptor, token, home)
        yield
    finally:
        os.close(descriptor)


def highest(home: Path | str, *, name: str = FILE) -> int:
    """The token that the storage has seen; 0 when none. Raises StorageError, OSError."""
    try:
        descriptor = os.open(Path(home, name), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    try:
        return _read(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, deadline_s: float) -> None:
    """Polls: a blocking wait for a file lock knows no deadline."""
    request = FORM.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    pause_s = PAUSE_MIN_S
    while True:
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, request)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
        else:
            return
        if time.monotonic() >= deadline_s:
            raise DeadlinePassed("another writer holds the fence file")
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, PAUSE_MAX_S)


def _compare(descriptor: int, token: int, home: Path | str) -> None:
    found = _read(descriptor)
    if token < found:
        raise StaleToken(token, found)
    if token > found:
        os.pwrite(descriptor, b"%0*d\n" % (DIGITS, token), 0)
        os.fsync(descriptor)
        if not found:
            _sync_directory(home)


def _read(descriptor: int) -> int:
    text = os.pread(descriptor, SIZE + 1, 0)
    if not text.strip(b"\0"):
        return 0  # new, or its machine died before the first token was on the disk
    if len(text) != SIZE or not text[:DIGITS].isdigit() or text[DIGITS:] != b"\n":
        raise StorageError(f"this is no fence file: {text!r}")
    return int(text)


def _sync_directory(home: Path | str) -> None:
    """The first token must not vanish with its file's name."""
    descriptor = os.open(home, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
