"""The ICMP probe: echo request and reply (RFC 792, RFC 4443) over a ping socket or a raw one.

A ping socket needs no privilege, but the kernel must let the group use it
(net.ipv4.ping_group_range); a raw socket needs CAP_NET_RAW. Either will do.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import struct
from dataclasses import dataclass

from l7lb.health.probe import ProbeFailed, Reply, Target

READ_BYTES = 2048
TOKEN_BYTES = 16
NOT_ALLOWED = (
    "not allowed to send ICMP: the process needs CAP_NET_RAW, "
    "or its group must be in net.ipv4.ping_group_range"
)


@dataclass(frozen=True, slots=True)
class Family:
    """What differs between the two versions."""

    protocol: int
    request: int
    reply: int
    unreachable: int


FAMILIES = {
    socket.AF_INET: Family(socket.IPPROTO_ICMP, 8, 0, 3),
    socket.AF_INET6: Family(socket.IPPROTO_ICMPV6, 128, 129, 1),
}


async def probe_icmp(target: Target, reply: Reply) -> str:
    """Send one echo request and await its own reply. Raises OSError, ProbeFailed."""
    number, sockaddr = target.endpoint
    family = FAMILIES.get(socket.AddressFamily(number))
    if family is None or isinstance(sockaddr, str):
        raise ProbeFailed("a local socket cannot be probed by ICMP")
    token = secrets.token_bytes(TOKEN_BYTES)
    with open_socket(number, family) as sock:
        sock.setblocking(False)
        sock.connect((sockaddr[0], 0, *sockaddr[2:]))
        sock.send(echo(family.request, token))
        await _await_reply(sock, family, token, reply)
    return "echo reply"


def open_socket(number: int, family: Family) -> socket.socket:
    """A ping socket, else a raw one; ProbeFailed in clear words when neither is allowed."""
    try:
        return socket.socket(number, socket.SOCK_DGRAM, family.protocol)
    except PermissionError:
        pass
    try:
        return socket.socket(number, socket.SOCK_RAW, family.protocol)
    except PermissionError:
        raise ProbeFailed(NOT_ALLOWED) from None


def echo(kind: int, token: bytes) -> bytes:
    """An echo message. A ping socket replaces the identifier; the token tells replies apart."""
    identifier = os.getpid() & 0xFFFF
    unsummed = struct.pack("!BBHHH", kind, 0, 0, identifier, 1) + token
    return unsummed[:2] + struct.pack("!H", checksum(unsummed)) + unsummed[4:]


def checksum(data: bytes) -> int:
    """RFC 1071; for IPv6 the kernel replaces it (RFC 3542 §3.1)."""
    total = sum(int.from_bytes(data[at : at + 2]) for at in range(0, len(data), 2))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


async def _await_reply(sock: socket.socket, family: Family, token: bytes, reply: Reply) -> None:
    loop = asyncio.get_running_loop()
    while True:
        message = icmp_part(sock, await loop.sock_recv(sock, READ_BYTES))
        if message[:1] == bytes([family.reply]) and message[8 : 8 + TOKEN_BYTES] == token:
            reply.add(message)
            return
        if message[:1] == bytes([family.unreachable]) and token in message:
            reply.add(message)
            raise ProbeFailed(f"destination unreachable, code {message[1]}")
        # A raw socket sees every ICMP message of the peer; a flood must not hold the loop.
        await asyncio.sleep(0)


def icmp_part(sock: socket.socket, packet: bytes) -> bytes:
    """The ICMP message: an IPv4 raw socket, and only that, puts the IP header before it."""
    if sock.type == socket.SOCK_RAW and sock.family == socket.AF_INET and packet:
        return packet[(packet[0] & 0x0F) * 4 :]
    return packet
