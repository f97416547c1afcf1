"""Do a server's answers to a client come back through this director? Asked with packets.

A connection to the server's RTSP port, and a datagram to a media port, are sent with an address of
RFC 5737 or RFC 3849, which is no client's: an answer that reaches us, reaches us for every client
that the server's routes treat alike. Asynchronous; each question has a deadline.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

from l7lb.media.kernel.rules import make_transparent
from l7lb.media.kernel.spec import MediaServer

SOURCES = {4: IPv4Address("192.0.2.77"), 6: IPv6Address("2001:db8:7777::77")}
DEADLINE_S = 3.5
"""A first segment is repeated after 1 and 3 s."""
UDP_TRIES = 4
EVERY_S = 0.25


class Way(StrEnum):
    COMES_BACK = "comes-back"
    LOST = "lost"
    """Nothing came within the deadline."""
    UNKNOWN = "unknown"
    FAILED = "failed"
    """The question could not be asked, or the server said no."""


@dataclass(frozen=True, slots=True)
class WayBack:
    control: Way
    media: Way
    reason: str


async def ask(server: MediaServer) -> WayBack:
    """Raises nothing."""
    control, why = await _control(server)
    if control is not Way.COMES_BACK:
        return WayBack(control, Way.UNKNOWN, why)
    media, why = await _media(server)
    return WayBack(control, media, why)


async def _control(server: MediaServer) -> tuple[Way, str]:
    loop = asyncio.get_running_loop()
    try:
        with _socket(server, socket.SOCK_STREAM) as sock:
            target = (str(server.address), server.port)
            await asyncio.wait_for(loop.sock_connect(sock, target), DEADLINE_S)
    except TimeoutError:
        return Way.LOST, "what the server answers to clients does not come back this way"
    except OSError as error:
        return Way.FAILED, f"{server.address} port {server.port}: {_words(error)}"
    return Way.COMES_BACK, ""


async def _media(server: MediaServer) -> tuple[Way, str]:
    """A closed port's ICMP tells the way; ports that are open say nothing."""
    last = server.media_ports.last
    ports = [last - number for number in range(UDP_TRIES) if last - number in server.media_ports]
    try:
        for port in ports:
            if await _is_refused(server, port):
                return Way.COMES_BACK, ""
    except OSError as error:
        return Way.FAILED, f"{server.address} UDP: {_words(error)}"
    return Way.UNKNOWN, f"no media port of {ports[-1]} to {last} said that it is closed"


async def _is_refused(server: MediaServer, port: int) -> bool:
    loop = asyncio.get_running_loop()
    with _socket(server, socket.SOCK_DGRAM) as sock:
        sock.connect((str(server.address), port))
        sock.send(b"l7lb")
        try:
            await asyncio.wait_for(loop.sock_recv(sock, 64), EVERY_S)
        except TimeoutError:
            return False
        except OSError as error:
            if error.errno == errno.ECONNREFUSED:
                return True
            raise
        return True


def _words(error: OSError) -> str:
    """asyncio puts more into its own than an administrator wants to read."""
    return os.strerror(error.errno) if error.errno else str(error)


def _socket(server: MediaServer, kind: socket.SocketKind) -> socket.socket:
    version = server.address.version
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    sock = socket.socket(family, kind | socket.SOCK_NONBLOCK)
    try:
        make_transparent(sock)
        sock.bind((str(SOURCES[version]), 0))
    except BaseException:
        sock.close()
        raise
    return sock
