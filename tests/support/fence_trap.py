"""How a process is stopped inside a change: the fence is held until it wants it, and stands."""

from __future__ import annotations

import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.mail_cluster import Child

LOCK = struct.Struct("=hhqqi4x")


@contextmanager
def fence_held(file: Path) -> Iterator[None]:
    """As another writer would: whoever wants to change the mailbox waits. Raises BlockingIOError
    when somebody has it."""
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, LOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
        yield
    finally:
        os.close(descriptor)


def has_open(child: Child, file: Path) -> bool:
    links = Path(f"/proc/{child.process.pid}/fd").iterdir()
    return any(os.path.realpath(link) == str(file) for link in links)


def is_stopped(child: Child) -> bool:
    """Every thread of it: SIGSTOP takes its time, and until then it may still get a lock."""
    stats = [each.read_text() for each in Path(f"/proc/{child.process.pid}/task").glob("*/stat")]
    return all(stat.rpartition(")")[2].split()[0] == "T" for stat in stats)
