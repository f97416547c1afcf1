"""Requests and answers, over a real connection."""

import pytest

from l7lb.mediaserver.process import House
from l7lb_protocols.rtcp import SourceDescription, parse
from support.media_house import (
    TCP,
    HouseClient,
    datagram,
    field,
    numbers,
    player_sockets,
    position,
)


async def test_what_it_can_and_what_it_has(house: House) -> None:
    async with await HouseClient.open(house) as client:
        said = await client.ask("OPTIONS", "*")
        assert (said.status, said.get(b"server")) == (200, b"film-1")
        assert b"SETUP, PLAY, PAUSE" in field(said, b"public")
        said = await client.ask("DESCRIBE", "rtsp://vip.test:8554/clip")
        assert field(said, b"content-base") == b"rtsp://vip.test:8554/clip/"
        assert b"s=clip by film-1\r\n" in said.body
        assert (await client.ask("DESCRIBE", "rtsp://h/none")).status == 404
        assert (await client.ask("DESCRIBE", "rtsp://h/../etc/passwd")).status == 400


async def test_media_over_the_connection(house: House) -> None:
    async with await HouseClient.open(house) as client:
        session = await client.play(TCP, "clip", "Range: npt=2.0-")
        await client.media(4000)
        said = await client.ask("PAUSE", "rtsp://h/clip/", f"Session: {session}")
        assert said.status == 200
        sound = [position(each) for each in numbers(client.frames, 0)]
        assert sound == list(range(100, 100 + len(sound)))
        named = [part for each in numbers(client.frames, 1) for part in parse(each)]
        names = [part.sources[0].cname for part in named if isinstance(part, SourceDescription)]
        assert names[:1] == [b"film-1"]
        said = await client.ask("TEARDOWN", "rtsp://h/clip/", f"Session: {session}")
        assert (said.status, len(house.sessions)) == (200, 0)


async def test_media_over_udp_outlives_its_connection(house: House) -> None:
    rtp, rtcp = player_sockets()
    ports = f"{rtp.getsockname()[1]}-{rtcp.getsockname()[1]}"
    async with await HouseClient.open(house) as client:
        session = await client.play(f"Transport: RTP/AVP;unicast;client_port={ports}")
        assert position(await datagram(rtp)) == 0
    async with await HouseClient.open(house) as client:
        for number in range(1, 30):
            assert position(await datagram(rtp)) == number
        said = await client.ask("GET_PARAMETER", "rtsp://h/clip/", f"Session: {session}")
        assert said.status == 200
        said = await client.ask("TEARDOWN", "rtsp://h/clip/", f"Session: {session}")
        assert said.status == 200
    assert len(house.sessions) == 0
    rtp.close()
    rtcp.close()


async def test_media_over_the_connection_ends_with_it(house: House) -> None:
    async with await HouseClient.open(house) as client:
        session = await client.play()
    async with await HouseClient.open(house) as client:
        while (await client.ask("OPTIONS", "*", f"Session: {session}")).status == 200:
            pass
    assert len(house.sessions) == 0


async def test_setup_says_what_was_chosen(house: House) -> None:
    async with await HouseClient.open(house) as client:
        offer = "Transport: RTP/AVP;multicast, RTP/SAVP/TCP, RTP/AVP/TCP;interleaved=6-7"
        said = await client.ask("SETUP", "rtsp://h/clip/audio", offer)
        (session,) = house.sessions
        told = b"RTP/AVP/TCP;unicast;interleaved=6-7;ssrc=%08X" % session.stream.ssrc
        assert field(said, b"transport") == told
        assert field(said, b"session") == session.id + b";timeout=60"
        name = f"Session: {session.id.decode()}"
        other = await client.ask("SETUP", "rtsp://h/short/audio", TCP, name)
        assert other.status == 459
        again = await client.ask("SETUP", "rtsp://h/clip/audio", TCP, name)
        assert field(again, b"transport").startswith(b"RTP/AVP/TCP;unicast;interleaved=0-1")
        assert (await client.ask("PLAY", "rtsp://h/clip/", name)).status == 200
        assert (await client.ask("SETUP", "rtsp://h/clip/audio", TCP, name)).status == 455


@pytest.mark.parametrize(
    "transport",
    [
        "RTP/AVP;unicast;client_port=4000-4001;destination=192.0.2.9",
        "RTP/AVP;multicast;port=4000-4001",
        "RTP/AVP;unicast",
        "RTP/SAVP;unicast;client_port=4000-4001",
        "RTP/AVP;unicast;client_port=4000-4001;mode=record",
    ],
)
async def test_what_goes_to_others_or_is_not_known_is_461(house: House, transport: str) -> None:
    async with await HouseClient.open(house) as client:
        said = await client.ask("SETUP", "rtsp://h/clip/audio", f"Transport: {transport}")
        assert (said.status, len(house.sessions)) == (461, 0)


@pytest.mark.parametrize(
    ("status", "line", "fields"),
    [
        (400, "SETUP rtsp://h/clip/audio", ["Transport: ;;"]),
        (400, "SETUP rtsp://h/clip/audio", ["Transport: RTP/AVP;client_port=0"]),
        (400, "SETUP rtsp://h/clip/audio", ["Transport: RTP/AVP/TCP;interleaved=255-256"]),
        (404, "SETUP rtsp://h/none/audio", [TCP]),
        (454, "PLAY rtsp://h/clip", []),
        (454, "PLAY rtsp://h/clip", ["Session: 0123456789abcdef"]),
        (454, "TEARDOWN rtsp://h/clip", ["Session: ,"]),
        (501, "RECORD rtsp://h/clip", []),
        (400, "DESCRIBE clip", []),
        (451, "GET_PARAMETER *", ["Content-Length: 3", "", "abc"]),
    ],
)
async def test_bad_requests_are_answered_and_the_connection_goes_on(
    house: House, status: int, line: str, fields: list[str]
) -> None:
    method, target = line.split()
    async with await HouseClient.open(house) as client:
        if "" in fields:
            client.send(f"{line} RTSP/1.0\r\nCSeq: 1\r\n".encode() + "\r\n".join(fields).encode())
            said = await client.answer()
        else:
            said = await client.ask(method, target, *fields)
        assert said.status == status
        client.cseq = 9
        assert (await client.ask("OPTIONS", "*")).status == 200
    assert len(house.sessions) == 0


async def test_a_range_beyond_the_end_or_in_other_units(house: House) -> None:
    async with await HouseClient.open(house) as client:
        name = f"Session: {await client.set_up(TCP, target='rtsp://h/clip/audio')}"
        for range_ in ("npt=120-", "clock=19961108T143720Z-", "npt=-"):
            said = await client.ask("PLAY", "rtsp://h/clip/", name, f"Range: {range_}")
            assert said.status == 457
        said = await client.ask("PLAY", "rtsp://h/clip/", name, "Range: npt=now-")
        assert field(said, b"range") == b"npt=0.000-120.000"
        assert field(said, b"rtp-info").startswith(b"url=rtsp://h/clip/audio;seq=")


async def test_no_cseq_and_another_version(house: House) -> None:
    async with await HouseClient.open(house) as client:
        client.send(b"OPTIONS * RTSP/1.0\r\n\r\n")
        assert (await client.answer()).status == 400
        client.send(b"OPTIONS * RTSP/2.0\r\nCSeq: 1\r\n\r\n")
        assert (await client.answer()).status == 505


async def test_sessions_are_bounded(house: House) -> None:
    async with await HouseClient.open(house) as client:
        for channel in (0, 2, 4):
            transport = f"Transport: RTP/AVP/TCP;interleaved={channel}-{channel + 1}"
            await client.set_up(transport, target="rtsp://h/clip/audio")
        said = await client.ask("SETUP", "rtsp://h/clip/audio", TCP)
        assert said.status == 453
