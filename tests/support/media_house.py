"""What a test has to do with the small media server: its clips, and clients of it."""

from __future__ import annotations

import asyncio
import socket

from l7lb.mediaserver.clip import SAMPLES
from l7lb.mediaserver.process import House
from l7lb_protocols.rtsp.message import Response
from support.rtsp_rig import RtspClient

LONG, SHORT = 6000, 12
"""Packets of `clip` and `short`."""
TCP = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"
WAIT_S = 30.0


def sound(packets: int) -> bytes:
    """Each packet begins with its own number."""
    return b"".join(number.to_bytes(4, "big") * (SAMPLES // 4) for number in range(packets))


class HouseClient(RtspClient):
    @classmethod
    async def open(cls, house: House) -> HouseClient:
        return cls(*await asyncio.open_connection("127.0.0.1", house.port))

    async def play(self, transport: str = TCP, clip: str = "clip", *fields: str) -> str:
        """SETUP and PLAY, both good; the session's id."""
        session = await self.set_up(transport, target=f"rtsp://h/{clip}/audio")
        said = await self.ask("PLAY", f"rtsp://h/{clip}/", f"Session: {session}", *fields)
        assert said.status == 200, said.head
        return session


def numbers(frames: bytes, channel: int) -> list[bytes]:
    """Packets of one channel, whole frames only."""
    found, at = [], 0
    while at + 4 <= len(frames):
        end = at + 4 + int.from_bytes(frames[at + 2 : at + 4], "big")
        if end <= len(frames) and frames[at + 1] == channel:
            found.append(frames[at + 4 : end])
        at = end
    return found


def position(packet: bytes) -> int:
    """Which packet of the clip it is."""
    return int.from_bytes(packet[12:16], "big")


def player_sockets() -> tuple[socket.socket, socket.socket]:
    made = socket.socket(type=socket.SOCK_DGRAM), socket.socket(type=socket.SOCK_DGRAM)
    for sock in made:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
    return made


async def datagram(sock: socket.socket) -> bytes:
    async with asyncio.timeout(WAIT_S):
        return await asyncio.get_running_loop().sock_recv(sock, 4096)


def field(said: Response, name: bytes) -> bytes:
    value = said.get(name)
    assert value is not None, said.head
    return value
