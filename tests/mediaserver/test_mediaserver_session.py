"""Sessions over a way that only remembers."""

import asyncio
from pathlib import Path

from l7lb.mediaserver.clip import Clip
from l7lb.mediaserver.rtp import Stream
from l7lb.mediaserver.session import Session, Sessions
from l7lb_protocols.rtcp import Goodbye, parse
from support.media_house import SHORT, WAIT_S, position


class Remembered:
    transport = b""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self.is_closed = False

    def send(self, kind: int, data: bytes) -> None:
        self.sent.put_nowait((kind, data))

    def close(self) -> None:
        self.is_closed = True

    async def sound(self) -> int:
        """Position of the next RTP packet."""
        async with asyncio.timeout(WAIT_S):
            while True:
                kind, data = await self.sent.get()
                if kind == 0:
                    return position(data)

    async def goodbye(self) -> list[int]:
        """Positions up to the goodbye."""
        found = []
        async with asyncio.timeout(WAIT_S):
            while True:
                kind, data = await self.sent.get()
                if kind == 0:
                    found.append(position(data))
                elif any(isinstance(each, Goodbye) for each in parse(data)):
                    return found


def session_of(folder: Path, clip: str) -> tuple[Session, Remembered]:
    session = Session(Clip(folder, clip), Stream(7, "film-1", 0, 0), "127.0.0.1")
    way = Remembered()
    session.way = way
    return session, way


async def test_a_clip_is_played_whole_and_then_again(folder: Path) -> None:
    session, way = session_of(folder, "short")
    session.play(None)
    assert await way.goodbye() == list(range(SHORT))
    session.play(None)
    assert await way.goodbye() == list(range(SHORT))
    session.play(9)
    assert await way.goodbye() == [9, 10, 11]
    session.close()
    assert way.is_closed
    assert way.sent.empty()


async def test_a_pause_keeps_the_place(folder: Path) -> None:
    session, way = session_of(folder, "clip")
    session.play(100)
    assert await way.sound() == 100
    session.pause()
    assert not session.is_playing
    there = session.position
    while not way.sent.empty():
        way.sent.get_nowait()
    session.play(None)
    assert await way.sound() == there
    session.close()
    await way.goodbye()


async def test_a_clip_that_is_gone_from_the_disk_is_played_on(folder: Path) -> None:
    session, way = session_of(folder, "short")
    (folder / "short.ulaw").unlink()
    session.play(None)
    assert await way.goodbye() == list(range(SHORT))
    session.close()


async def test_sessions_are_bounded_found_and_ended(folder: Path) -> None:
    sessions = Sessions(1, 60.0)
    session, way = session_of(folder, "short")
    assert not sessions.is_full
    sessions.add(session)
    assert sessions.is_full
    assert sessions.find(session.id) is session
    assert sessions.find(b"other") is None
    sessions.sweep()
    assert len(sessions) == 1
    sessions.end(session)
    sessions.end(session)
    assert way.is_closed
    assert list(sessions) == []


async def test_who_is_silent_for_too_long_is_ended(folder: Path) -> None:
    sessions = Sessions(2, 30.0)
    (silent, _), (heard, _) = session_of(folder, "clip"), session_of(folder, "clip")
    for each in (silent, heard):
        sessions.add(each)
        each.touched_s -= 40.0
    heard.touch()
    sessions.sweep()
    assert list(sessions) == [heard]
    sessions.end(heard)
