import asyncio
import socket

import pytest

from l7lb.mediaserver import way as module
from l7lb.mediaserver.way import TcpWay, UdpWay, pair
from support.media_house import datagram, player_sockets

HOST = "127.0.0.1"


def test_ports_side_by_side() -> None:
    first, second = pair(HOST)
    port = first.getsockname()[1]
    assert (port % 2, second.getsockname()[1]) == (0, port + 1)
    first.close()
    second.close()


def test_no_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRIES", 0)
    with pytest.raises(OSError, match="side by side"):
        pair(HOST)


async def test_udp_hears_its_player_and_nobody_else() -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    rtp, rtcp = player_sockets()
    ports = rtp.getsockname()[1], rtcp.getsockname()[1]
    way = UdpWay(HOST, HOST, ports, lambda: heard.put_nowait("player"))
    other = UdpWay(HOST, "127.0.0.2", (9, 9), lambda: heard.put_nowait("stranger"))
    rtp.sendto(b"x", (HOST, other.ports[0]))
    rtp.sendto(b"x", (HOST, other.ports[1]))
    rtcp.sendto(b"x", (HOST, way.ports[1]))
    async with asyncio.timeout(30):
        assert await heard.get() == "player"
    assert heard.empty()
    way.send(0, b"sound")
    way.send(1, b"report")
    assert (await datagram(rtp), await datagram(rtcp)) == (b"sound", b"report")
    for each in (way, other, rtp, rtcp):
        each.close()


async def test_a_player_that_is_gone_is_no_error() -> None:
    rtp, rtcp = player_sockets()
    ports = rtp.getsockname()[1], rtcp.getsockname()[1]
    way = UdpWay(HOST, HOST, ports, lambda: None)
    rtp.close()
    for _ in range(5):
        way.send(0, b"sound")
    way._read(way._sockets[0])
    way.send(1, b"report")
    assert await datagram(rtcp) == b"report"
    way.close()
    rtcp.close()


async def test_who_takes_nothing_loses_packets_and_no_memory_is_lost() -> None:
    listener = socket.create_server((HOST, 0))
    _, writer = await asyncio.open_connection(*listener.getsockname())
    way = TcpWay(writer, (4, 5))
    for _ in range(100_000):
        way.send(0, b"s" * 172)
    assert writer.transport.get_write_buffer_size() <= module.ROOM_BYTES + 176
    accepted, _ = listener.accept()
    assert accepted.recv(4, socket.MSG_WAITALL) == b"$\x04\x00\xac"
    accepted.close()
    listener.close()
    writer.transport.abort()
    way.send(0, b"s")
