"""The two system calls of the hot path, without exceptions for what happens all the time.

`kernel.pyx` is the same for a machine with a compiler; both keep to these docstrings, and one test
holds them to it.
"""

from __future__ import annotations

import os


def receive(fd: int, size: int) -> bytes | None:
    """Up to `size` bytes (at most 64 KiB); empty at the end; None when there is nothing now.

    Raises OSError when the connection is broken.
    """
    try:
        return os.read(fd, size)
    except BlockingIOError:
        return None


def transmit(fd: int, data: bytes) -> int:
    """How many bytes the kernel took; 0 when it takes none now.

    Raises OSError when the connection is broken.
    """
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0
