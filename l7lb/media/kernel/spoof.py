"""The spoof probe, and other orders to the agent beside a media server.

The agent is asked to send a datagram in the VIP's name to an address of this director. A director
that holds the VIP would drop it as a lie, so it is read from the interface, before the kernel
judges it: AF_PACKET with a filter on the one port. Asynchronous; each question has a deadline.
"""

from __future__ import annotations

import asyncio
import ctypes
import secrets
import socket
import struct
import time
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Self

from l7lb.media.kernel.spec import Address
from l7lb.media.signed import LIMIT_BYTES, BadDatagram, Seal

TRIES = 5
TRY_S = 1.0
RECEIVED_LIMIT = 64
"""Datagrams looked at for one answer."""
_PACKET_LIMIT_BYTES = LIMIT_BYTES + 128
_ALL = 0x0003
_ATTACH_FILTER = 26
_UDP = 17


class AgentAway(Exception):
    """The agent does not answer, or says no; the message says which."""


@dataclass(frozen=True, slots=True)
class Spoof:
    """`passes`: what a server sends in the VIP's name arrives."""

    passes: bool
    reason: str


class Asker:
    """Orders to agents, one after the other answered or given up."""

    def __init__(self, seal: Seal) -> None:
        self._seal = seal

    async def order(self, agent: tuple[Address, int], content: dict[str, Any]) -> dict[str, Any]:
        """The agent's answer. Raises AgentAway."""
        address, port = agent
        loop = asyncio.get_running_loop()
        with socket.socket(_family(address), socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            try:
                sock.connect((str(address), port))
                for _ in range(TRIES):
                    number = secrets.token_hex(16)
                    sock.send(self._seal.close(content, number, time.time()))
                    found = await self._answer(loop, sock, number)
                    if found is not None:
                        return _good(found)
            except OSError as error:
                raise AgentAway(f"agent {address} port {port}: {error.strerror}") from error
        raise AgentAway(f"agent {address} port {port} does not answer")

    async def _answer(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, number: str
    ) -> dict[str, Any] | None:
        try:
            async with asyncio.timeout(TRY_S):
                for _ in range(RECEIVED_LIMIT):
                    data = await loop.sock_recv(sock, LIMIT_BYTES + 1)
                    try:
                        found = self._seal.open(data, time.time())
                    except BadDatagram:
                        continue
                    if found.get("re") == number:
                        return found
        except TimeoutError:
            return None
        return None

    async def probe(self, agent: tuple[Address, int], vip: Address, at: Address) -> Spoof:
        """`at` is an address of this host on the clients' side of the network. Raises nothing."""
        try:
            with _Ear(at) as ear:
                return await self._probe(agent, vip, ear)
        except AgentAway as error:
            return Spoof(False, str(error))
        except OSError as error:
            return Spoof(False, f"cannot listen at {at}: {error.strerror or error}")

    async def _probe(self, agent: tuple[Address, int], vip: Address, ear: _Ear) -> Spoof:
        order = {"kind": "probe", "vip": str(vip), "to": str(ear.at), "port": ear.port}
        for _ in range(TRIES):
            hearing = asyncio.ensure_future(self._hear(ear))
            try:
                sent = await self.order(agent, order)
                source = await asyncio.wait_for(hearing, TRY_S)
            except TimeoutError:
                continue
            finally:
                hearing.cancel()
            if source == (vip, sent.get("from")):
                return Spoof(True, "")
            return Spoof(False, f"it arrives from {source[0]} port {source[1]}, not from the VIP")
        return Spoof(False, f"what the server sends in the name of {vip} does not reach {ear.at}")

    async def _hear(self, ear: _Ear) -> tuple[Address, int]:
        loop = asyncio.get_running_loop()
        while True:
            packet = await loop.sock_recv(ear.sock, _PACKET_LIMIT_BYTES)
            heard = _udp(packet)
            if heard is None or heard[2] != ear.at:
                continue
            try:
                told = self._seal.open(heard[3], time.time())
            except BadDatagram:
                continue
            if told.get("kind") == "told":
                return heard[0], heard[1]


class _Ear:
    """UDP to one port of one address, whatever its source. Raises OSError."""

    def __init__(self, at: Address) -> None:
        self.at = at
        self._claim = socket.socket(_family(at), socket.SOCK_DGRAM)
        try:
            self._claim.bind((str(at), 0))
            self.port: int = self._claim.getsockname()[1]
            protocol = 0x0800 if at.version == 4 else 0x86DD
            kind = socket.SOCK_DGRAM | socket.SOCK_NONBLOCK
            self.sock = socket.socket(socket.AF_PACKET, kind, socket.htons(protocol))
        except BaseException:
            self._claim.close()
            raise
        _only_port(self.sock, at.version, self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()
        self._claim.close()


def _only_port(sock: socket.socket, version: int, port: int) -> None:
    """A classic BPF filter: UDP to this port, no fragments (IPv4: any length of header)."""
    if version == 4:
        program = [
            (0x30, 0, 0, 9),
            (0x15, 0, 6, _UDP),
            (0x28, 0, 0, 6),
            (0x45, 4, 0, 0x1FFF),
            (0xB1, 0, 0, 0),
            (0x48, 0, 0, 2),
            (0x15, 0, 1, port),
            (0x06, 0, 0, 0xFFFF),
            (0x06, 0, 0, 0),
        ]
    else:
        program = [
            (0x30, 0, 0, 6),
            (0x15, 0, 3, _UDP),
            (0x28, 0, 0, 42),
            (0x15, 0, 1, port),
            (0x06, 0, 0, 0xFFFF),
            (0x06, 0, 0, 0),
        ]
    code = b"".join(struct.pack("=HBBI", *each) for each in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    head = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, head)


def _udp(packet: bytes) -> tuple[Address, int, Address, bytes] | None:
    """Source, its port, destination, content of an IP packet; None: it is none with UDP."""
    if len(packet) < 28:
        return None
    if packet[0] >> 4 == 4:
        start, source, target = (packet[0] & 15) * 4, packet[12:16], packet[16:20]
    elif packet[0] >> 4 == 6 and len(packet) >= 48:
        start, source, target = 40, packet[8:24], packet[24:40]
    else:
        return None
    if len(packet) < start + 8:
        return None
    port, _, length = struct.unpack_from("!HHH", packet, start)
    return ip_address(source), port, ip_address(target), packet[start + 8 : start + length]


def _good(found: dict[str, Any]) -> dict[str, Any]:
    if "error" in found:
        raise AgentAway(str(found["error"]))
    return found


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6
