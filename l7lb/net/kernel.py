"""The system calls of the hot path, without exceptions for what happens all the time.

`kernel.pyx` is the same for a machine with a compiler; both keep to these docstrings, and one test
holds them to it.
"""

from __future__ import annotations

import os
import select
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


def transmit(fd: int, data: bytes, more: bool = False) -> int:
    """How many bytes the kernel took; 0 when it takes none now.

    `more`: other bytes follow at once, and the kernel may wait for them before it sends these.
    Raises OSError when the connection is broken.
    """
    try:
        return os.write(fd, data)
    except BlockingIOError:
        return 0


def is_silent(fd: int) -> bool:
    """Neither bytes nor an end nor an error wait on this socket."""
    sock = socket.socket(fileno=fd)
    try:
        sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        sock.detach()
    return False


def splice(source: int, target: int, count: int) -> int:
    """Bytes moved inside the kernel, `count` at most; one of both is a pipe. 0 at the end of the
    source, -1 when nothing can be moved now. Raises OSError when a side is broken."""
    try:
        return os.splice(source, target, count, flags=os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK)
    except BlockingIOError:
        return -1


class Readiness:
    """What an epoll set says is ready, without an object for each event."""

    def __init__(self, epoll: select.epoll) -> None:
        self._epoll = epoll
        self._events: list[tuple[int, int]] = []

    def wait(self, most: int) -> int:
        """How many descriptors are ready now, `most` at most (256); `fd` and `events` tell of each
        until the next call. Raises OSError."""
        self._events = self._epoll.poll(0, most)
        return len(self._events)

    def fd(self, number: int) -> int:
        return self._events[number][0]

    def events(self, number: int) -> int:
        """Bits of select.EPOLL…."""
        return self._events[number][1]


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
