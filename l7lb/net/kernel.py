"""The system calls of the hot path, without exceptions for what happens all the time.

`kernel.pyx` is the same for a machine with a compiler; both keep to these docstrings, and one test
holds them to it.
"""

from __future__ import annotations

import os
import socket

Peer = tuple[str, int]


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


def accept(listener: socket.socket) -> tuple[socket.socket, Peer] | None:
    """A client's non-blocking socket with its address as text and its port; None: nobody waits.

    A mapped IPv4 address is given as IPv4, a Unix socket's client as 127.0.0.1 with port 0.
    Raises OSError.
    """
    try:
        sock, address = listener.accept()
    except (BlockingIOError, ConnectionAbortedError):
        return None
    sock.setblocking(False)
    if not isinstance(address, tuple):
        return sock, ("127.0.0.1", 0)
    text = str(address[0])
    return sock, (text.removeprefix("::ffff:") if "." in text else text, int(address[1]))
