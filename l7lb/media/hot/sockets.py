"""UDP sockets for announcements: to groups and to single directors, and to hear both."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from contextlib import ExitStack

from l7lb.media.hot.errors import CannotStart
from l7lb.model_hot_files import Socket

HOPS = 1
"""A group is that of one network."""
Target = tuple[socket.socket, tuple[str, int]]


def resolved(address: Socket) -> tuple[socket.AddressFamily, str, int]:
    """Raises CannotStart. `*` is every address of both families."""
    host = None if address.host == "*" else address.host
    try:
        found = socket.getaddrinfo(
            host, address.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise CannotStart(f"{address}: {error.strerror or error}") from error
    family, _, _, _, where = next((each for each in found if each[0] == socket.AF_INET), found[0])
    return family, str(where[0]), int(where[1])


class Sender:
    """Sends to all; one that cannot be reached does not keep it from the others."""

    def __init__(self, to: Iterable[Socket], interface: str = "") -> None:
        self._targets: list[Target] = []
        self.failed: dict[str, str] = {}
        """By target, why the last datagram did not leave."""
        with ExitStack() as stack:
            for address in to:
                family, host, port = resolved(address)
                sock = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
                sock.setblocking(False)
                if address.is_multicast:
                    _send_multicast(sock, interface)
                self._targets.append((sock, (host, port)))
            self._closing = stack.pop_all()

    def send(self, datagrams: Iterable[bytes]) -> None:
        for data in datagrams:
            for sock, where in self._targets:
                try:
                    sock.sendto(data, where)
                    self.failed.pop(where[0], None)
                except OSError as error:
                    self.failed[where[0]] = error.strerror or str(error)

    def close(self) -> None:
        self._closing.close()


def listener(listen: Socket, to: Iterable[Socket], interface: str = "") -> socket.socket:
    """Hears what is sent to `listen`, and the groups among `to`. Raises CannotStart."""
    groups = [address for address in to if address.is_multicast]
    families = {resolved(address)[0] for address in groups}
    family = families.pop() if len(families) == 1 else resolved(listen)[0]
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        any_host = "::" if family == socket.AF_INET6 else "0.0.0.0"
        host = any_host if listen.host == "*" or groups else resolved(listen)[1]
        sock.bind((host, listen.port))
        for group in groups:
            _join(sock, group.host, interface)
    except OSError as error:
        sock.close()
        raise CannotStart(f"announcements at {listen}: {error.strerror}") from error
    return sock


def _send_multicast(sock: socket.socket, interface: str) -> None:
    index = _index(interface)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, HOPS)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, HOPS)
        if index:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, _mreqn(None, index))


def _join(sock: socket.socket, group: str, interface: str) -> None:
    index = _index(interface)
    if sock.family == socket.AF_INET6:
        request = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)
    else:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _mreqn(group, index))


def _mreqn(group: str | None, index: int) -> bytes:
    """struct ip_mreqn (ip(7))."""
    return struct.pack("@4s4si", socket.inet_aton(group or "0.0.0.0"), bytes(4), index)


def _index(interface: str) -> int:
    try:
        return socket.if_nametoindex(interface) if interface else 0
    except OSError:
        raise CannotStart(f"there is no interface {interface}") from None
