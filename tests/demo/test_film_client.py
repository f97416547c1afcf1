"""The small player before a media server of ours, and before servers that are none."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from l7lb.demo import film_client as module
from l7lb.demo.film_client import FilmFailed, Media, Player
from l7lb.mediaserver.process import House
from l7lb_protocols.rtcp import Source, SourceDescription, build
from support.film_stage import one_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    house = await one_house(tmp_path)
    yield house
    await house.close()


EMPTY = b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n"


def url(port: int, clip: str = "clip") -> str:
    return f"rtsp://127.0.0.1:{port}/{clip}"


@pytest.mark.parametrize("udp", [True, False], ids=["udp", "tcp"])
async def test_it_says_whom_it_met_and_who_sent(house: House, udp: bool) -> None:
    player = await Player.open(url(house.port), udp=udp)
    try:
        seen = await player.play(20)
    finally:
        player.close()
    assert (seen.control, seen.media) == ("v1", "v1")
    assert seen.packets >= 20
    assert (seen.frames > seen.packets) != udp
    assert (seen.frames == 0) == udp
    assert len(house.sessions) == 0


async def test_a_film_that_is_not_there(house: House) -> None:
    with pytest.raises(FilmFailed, match="DESCRIBE: 404"):
        await Player.open(url(house.port, "none"), udp=False)


async def test_nobody_there(house: House) -> None:
    await house.close()
    with pytest.raises(FilmFailed, match="no connection"):
        await Player.open(url(house.port), udp=False)


@pytest.mark.parametrize(
    ("says", "said"),
    [
        (b"", "closed"),
        (b"\0\0\0\n", "400"),
        (EMPTY * 2, "nonsense"),
    ],
    ids=["goes", "garbage", "empty"],
)
async def test_a_server_that_is_none(says: bytes, said: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    with pytest.raises(FilmFailed, match=said):
        await Player.open(url(server.sockets[0].getsockname()[1]), udp=False)
    server.close()


async def test_a_film_that_stops_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    player = await Player.open(url(house.port), udp=False)
    monkeypatch.setattr(module, "WAIT_S", 0.5)
    with pytest.raises(FilmFailed, match="of 1000000 packets"):
        await player.play(1_000_000)
    player.close()


def test_media_of_two_servers_shows_both() -> None:
    media = Media()
    for ssrc in (1, 2):
        media.rtp(b"\x80\0" + bytes(6) + ssrc.to_bytes(4, "big") + b"s")
    assert not media.has(2)
    media.rtcp(build([SourceDescription((Source(1, b"v1"),))]))
    assert not media.has(2)
    media.rtcp(build([SourceDescription((Source(2, b"v2"),))]))
    assert media.has(2)
    assert not media.has(3)
    assert media.servers == "v1+v2"


def test_garbage_is_no_media() -> None:
    media = Media()
    for data in (b"", b"\x80", bytes(40), b"\x80\xc9"):
        media.rtp(data)
        media.rtcp(data)
    assert (media.packets.total(), media.names) == (0, {})
