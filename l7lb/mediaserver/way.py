"""How RTP and RTCP of one session leave: over UDP, or interleaved on the control connection.

A packet that finds no room is dropped, as the network does. Must not know clips or requests.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from l7lb_protocols.rtsp.transport import same_host

ROOM_BYTES = 262144
"""Of a control connection that takes nothing: about half a minute of sound."""
TRIES = 100
"""To find two ports side by side."""
READ_BYTES = 2048
READS = 16
"""Datagrams of a player at a time."""
Pair = tuple[int, int]


class Way(Protocol):
    @property
    def transport(self) -> bytes:
        """What SETUP's answer says of it."""

    def send(self, kind: int, data: bytes) -> None:
        """`kind`: 0 is RTP, 1 is RTCP."""

    def close(self) -> None: ...


class TcpWay:
    """RFC 2326 §10.12."""

    def __init__(self, writer: asyncio.StreamWriter, channels: Pair) -> None:
        self.writer = writer
        self.channels = channels

    @property
    def transport(self) -> bytes:
        return b"RTP/AVP/TCP;unicast;interleaved=%d-%d" % self.channels

    def send(self, kind: int, data: bytes) -> None:
        transport = self.writer.transport
        if transport.is_closing() or transport.get_write_buffer_size() > ROOM_BYTES:
            return
        self.writer.write(b"$%c%b%b" % (self.channels[kind], len(data).to_bytes(2, "big"), data))

    def close(self) -> None:
        """The connection is somebody else's."""


class UdpWay:
    """Two sockets on ports side by side. `heard` is called for whatever the player sends from its
    address; what others send is thrown away. Raises OSError."""

    def __init__(self, local: str, peer: str, ports: Pair, heard: Callable[[], None]) -> None:
        self._peer = peer
        self._ports = ports
        self._heard = heard
        self._sockets = pair(local)
        self.ports = self._sockets[0].getsockname()[1], self._sockets[1].getsockname()[1]
        self._loop = asyncio.get_running_loop()
        for sock in self._sockets:
            self._loop.add_reader(sock, self._read, sock)

    @property
    def transport(self) -> bytes:
        return b"RTP/AVP;unicast;client_port=%d-%d;server_port=%d-%d" % (*self._ports, *self.ports)

    def send(self, kind: int, data: bytes) -> None:
        with suppress(OSError):  # no room, or the player's port is closed: both are loss
            self._sockets[kind].sendto(data, (self._peer, self._ports[kind]))

    def _read(self, sock: socket.socket) -> None:
        for _ in range(READS):
            try:
                _, source = sock.recvfrom(READ_BYTES)
            except BlockingIOError:
                return
            except OSError:
                continue  # the player's port is closed
            if same_host(source[0], self._peer):
                self._heard()

    def close(self) -> None:
        for sock in self._sockets:
            self._loop.remove_reader(sock)
            sock.close()


def pair(local: str) -> tuple[socket.socket, socket.socket]:
    """On an even port and the next (RFC 3550 §11). Raises OSError."""
    family = socket.AF_INET6 if ":" in local else socket.AF_INET
    for _ in range(TRIES):
        first = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        second = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            first.bind((local, 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((local, port + 1))
                return first, second
        except OSError:
            pass  # the next is somebody's
        first.close()
        second.close()
    raise OSError("no two UDP ports side by side are free")
