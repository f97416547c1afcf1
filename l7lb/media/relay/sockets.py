"""UDP sockets of the relay: a pair bound to an even port and the one above.

Owns their options. Must not know what passes through them.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import struct

BUFFER_BYTES = 2 << 20
"""Of an RTP socket: what comes in the longest rest. The kernel's own limit may be lower."""
REPORT_BYTES = 32 << 10
_RCVBUFFORCE = 33
"""SO_RCVBUFFORCE of socket(7), which Python does not name: for root, beyond rmem_max."""
_MEMINFO = 55
"""SO_MEMINFO of <asm-generic/socket.h>: nine numbers, of which the last counts drops."""


def bound_pair(host: str, port: int) -> tuple[int, int] | None:
    """Descriptors bound to `port` and `port` + 1; None when somebody has one of them.

    Raises OSError when the address is not ours or there are no more descriptors.
    """
    first = _bound(host, port, BUFFER_BYTES)
    if first is None:
        return None
    try:
        second = _bound(host, port + 1, REPORT_BYTES)
    except OSError:
        first.close()
        raise
    if second is None:
        first.close()
        return None
    return first.detach(), second.detach()


def _bound(host: str, port: int, buffer_bytes: int) -> socket.socket | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        if family is socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _room(sock, buffer_bytes)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise
    return sock


def _room(sock: socket.socket, size: int) -> None:
    with contextlib.suppress(PermissionError):
        sock.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, size)
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, size)


def dropped(fd: int) -> int:
    """Datagrams that found this socket's buffer full, since it was opened."""
    sock = socket.socket(fileno=fd)
    try:
        data = sock.getsockopt(socket.SOL_SOCKET, _MEMINFO, struct.calcsize("9I"))
        return int(struct.unpack("9I", data)[8])
    finally:
        sock.detach()
