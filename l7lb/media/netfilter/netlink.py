"""Messages of rtnetlink(7) for policy rules and routes: bytes to and from plain objects.

Pure but for `Routing`, which owns one socket. Eight messages do not ask for pyroute2: a process
with rights over the network stays small. Every change is idempotent.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Self

Address = IPv4Address | IPv6Address

NEW_ROUTE, DELETE_ROUTE, GET_ROUTE = 24, 25, 26
NEW_RULE, DELETE_RULE, GET_RULE = 32, 33, 34
LOCAL, UNICAST = 2, 1
"""Types of a route."""
TCP = 6

_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_EXCLUSIVE, _CREATE, _REPLACE = 0x200, 0x400, 0x100
_ERROR, _DONE = 2, 3
_HEAD = struct.Struct("=IHHII")
_RULE = struct.Struct("=BBBBBBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_TO_TABLE = 1
_STATIC = 4
_SCOPE_HOST = 254
_READ_BYTES = 1 << 18
DEADLINE_S = 5.0
ROUNDS_LIMIT = 1000
"""Datagrams of one answer."""


class NetlinkError(OSError):
    """The kernel refuses a rule or a route."""


@dataclass(frozen=True, slots=True)
class PolicyRule:
    """Which packets look into which table; ip-rule(8)."""

    version: int
    table: int
    priority: int
    mark: int = 0
    mask: int = 0
    protocol: int = 0
    source: Address | None = None
    source_port: int = 0

    def pack(self) -> bytes:
        source = self.source
        length = source.max_prefixlen if source is not None else 0
        head = _RULE.pack(family(self.version), 0, length, 0, 0, 0, 0, _TO_TABLE, 0)
        parts = [attribute(6, _u32(self.priority)), attribute(15, _u32(self.table))]
        if self.mask:
            parts += [attribute(10, _u32(self.mark)), attribute(16, _u32(self.mask))]
        if source is not None:
            parts.append(attribute(2, source.packed))
        if self.protocol:
            parts.append(attribute(22, bytes([self.protocol])))
        if self.source_port:
            parts.append(attribute(23, struct.pack("=HH", self.source_port, self.source_port)))
        return head + b"".join(parts)

    @classmethod
    def unpack(cls, body: bytes) -> PolicyRule:
        number, _, _, _, table, _, _, _, _ = _RULE.unpack_from(body)
        found = dict(attributes(body[_RULE.size :]))
        return cls(
            version=4 if number == socket.AF_INET else 6,
            table=_number(found, 15, table),
            priority=_number(found, 6),
            mark=_number(found, 10),
            mask=_number(found, 16),
            protocol=found.get(22, b"\0")[0],
            source=_address(found.get(2)),
            source_port=struct.unpack_from("=H", found.get(23, b"\0\0"))[0],
        )


@dataclass(frozen=True, slots=True)
class DefaultRoute:
    """A table's route for everything: to this host itself (`LOCAL`), or by a gateway."""

    version: int
    table: int
    kind: int = UNICAST
    gateway: Address | None = None
    device: int = 0
    """Number of the interface; 0: found by the gateway."""

    def pack(self) -> bytes:
        scope = _SCOPE_HOST if self.kind == LOCAL else 0
        short = self.table if self.table < 256 else 0
        head = _ROUTE.pack(family(self.version), 0, 0, 0, short, _STATIC, scope, self.kind, 0)
        parts = [attribute(15, _u32(self.table))]
        if self.gateway is not None:
            parts.append(attribute(5, self.gateway.packed))
        if self.device:
            parts.append(attribute(4, _u32(self.device)))
        return head + b"".join(parts)

    @classmethod
    def unpack(cls, body: bytes) -> DefaultRoute | None:
        """None: a route to one part of the world."""
        number, length, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(body)
        found = dict(attributes(body[_ROUTE.size :]))
        if length:
            return None
        return cls(
            version=4 if number == socket.AF_INET else 6,
            table=_number(found, 15, table),
            kind=kind,
            gateway=_address(found.get(5)),
            device=_number(found, 4),
        )


def family(version: int) -> int:
    return int(socket.AF_INET if version == 4 else socket.AF_INET6)


def attribute(kind: int, value: bytes) -> bytes:
    """Padded to four bytes."""
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + b"\0" * (-length % 4)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Up to the first that is cut or impossible."""
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size or at + length > len(data):
            return
        yield kind & 0x3FFF, data[at + _ATTRIBUTE.size : at + length]
        at += length + (-length % 4)


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Kind, number and body of each message of a datagram."""
    at = 0
    while at + _HEAD.size <= len(data):
        length, kind, _, number, _ = _HEAD.unpack_from(data, at)
        if length < _HEAD.size or at + length > len(data):
            return
        yield kind, number, data[at + _HEAD.size : at + length]
        at += length + (-length % 4)


def message(kind: int, flags: int, number: int, body: bytes) -> bytes:
    return _HEAD.pack(_HEAD.size + len(body), kind, flags, number, 0) + body


def _u32(number: int) -> bytes:
    return struct.pack("=I", number)


def _number(found: dict[int, bytes], kind: int, otherwise: int = 0) -> int:
    value = found.get(kind, b"")
    return int(struct.unpack_from("=I", value)[0]) if len(value) >= 4 else otherwise


def _address(packed: bytes | None) -> Address | None:
    if packed is None or len(packed) not in (4, 16):
        return None
    return IPv4Address(packed) if len(packed) == 4 else IPv6Address(packed)


class Routing:
    """Rules and routes of the namespace in which it is made. Raises NetlinkError throughout."""

    def __init__(self) -> None:
        self._sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, 0)
        self._sock.settimeout(DEADLINE_S)
        self._sock.bind((0, 0))
        self._number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._sock.close()

    def add_rule(self, rule: PolicyRule) -> bool:
        """False: it was there."""
        return self._change(NEW_RULE, _CREATE | _EXCLUSIVE, rule.pack(), errno.EEXIST)

    def delete_rule(self, rule: PolicyRule) -> bool:
        """False: it was not there."""
        return self._change(DELETE_RULE, 0, rule.pack(), errno.ENOENT, errno.EAFNOSUPPORT)

    def put_route(self, route: DefaultRoute) -> None:
        """In the place of the table's default route, if it has one."""
        self._change(NEW_ROUTE, _CREATE | _REPLACE, route.pack())

    def delete_route(self, route: DefaultRoute) -> bool:
        """False: it was not there."""
        return self._change(DELETE_ROUTE, 0, route.pack(), errno.ESRCH, errno.ENOENT)

    def rules(self, version: int) -> list[PolicyRule]:
        head = _RULE.pack(family(version), 0, 0, 0, 0, 0, 0, 0, 0)
        return [PolicyRule.unpack(body) for body in self._dump(GET_RULE, head)]

    def default_routes(self, version: int) -> list[DefaultRoute]:
        """Of all tables."""
        head = _ROUTE.pack(family(version), 0, 0, 0, 0, 0, 0, 0, 0)
        found = map(DefaultRoute.unpack, self._dump(GET_ROUTE, head))
        return [route for route in found if route is not None]

    def _change(self, kind: int, flags: int, body: bytes, *harmless: int) -> bool:
        """False: the kernel gave one of the harmless errors."""
        self._send(kind, _ACK | flags, body)
        for answer, content in self._answer():
            if answer == _ERROR:
                code = -int(struct.unpack_from("=i", content)[0])
                if code and code not in harmless:
                    raise NetlinkError(code, os.strerror(code))
                return code == 0
        raise NetlinkError(errno.EPROTO, "netlink gave no answer")

    def _dump(self, kind: int, head: bytes) -> list[bytes]:
        self._send(kind, _DUMP, head)
        found: list[bytes] = []
        for answer, content in self._answer():
            if answer == _ERROR:
                code = -int(struct.unpack_from("=i", content)[0])
                raise NetlinkError(code, os.strerror(code))
            if answer == _DONE:
                return found
            found.append(content)
        raise NetlinkError(errno.EPROTO, "netlink's answer has no end")

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._number += 1
        self._sock.sendto(message(kind, _REQUEST | flags, self._number, body), (0, 0))

    def _answer(self) -> Iterator[tuple[int, bytes]]:
        for _ in range(ROUNDS_LIMIT):
            for kind, number, body in messages(self._sock.recv(_READ_BYTES)):
                if number == self._number:
                    yield kind, body
