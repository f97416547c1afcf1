"""Whole processes before ffmpeg; a house at its limits."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from l7lb.mediaserver import process as module
from l7lb.mediaserver.clip import SAMPLES
from l7lb.mediaserver.process import House
from support.media_house import LONG, SHORT, HouseClient, sound

WAIT_S = 55.0
COMMAND = [sys.executable, "-m", "l7lb.mediaserver"]


@pytest.fixture
def port(folder: Path) -> Iterator[int]:
    server = subprocess.Popen(
        [*COMMAND, "--name=film-1", f"--folder={folder}"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        word, _, port = server.stdout.readline().partition(" ")
        assert word == "ready"
        yield int(port)
        server.send_signal(signal.SIGTERM)
        assert server.wait(WAIT_S) == 0
    finally:
        server.kill()
        server.communicate()


def ffmpeg(port: int, clip: str, transport: str, *more: str) -> bytes:
    """The sound that it heard."""
    url = f"rtsp://127.0.0.1:{port}/{clip}"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", transport, "-i", url]
    command += [*more, "-c", "copy", "-f", "mulaw", "-"]
    return subprocess.run(command, capture_output=True, timeout=WAIT_S, check=True).stdout


def test_ffmpeg_plays_a_clip_to_its_end(port: int) -> None:
    assert ffmpeg(port, "short", "tcp") == sound(SHORT)


def test_ffmpeg_plays_over_udp(port: int) -> None:
    heard = ffmpeg(port, "clip", "udp", "-t", "1")
    assert len(heard) >= 40 * SAMPLES
    assert sound(LONG).startswith(heard)


def test_it_says_why_it_does_not_start(tmp_path: Path) -> None:
    command = [*COMMAND, "--name=a", f"--folder={tmp_path}/none"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("mediaserver: ")
    assert "Traceback" not in done.stderr


async def test_garbage_is_refused_and_closed(house: House) -> None:
    async with await HouseClient.open(house) as client:
        client.send(b"\0\1\2\3\n")
        assert (await client.rest()).startswith(b"RTSP/1.0 400 ")


async def test_connections_are_bounded(house: House) -> None:
    clients = [await HouseClient.open(house) for _ in range(5)]
    for client in clients:
        assert (await client.ask("OPTIONS", "*")).status == 200
    async with await HouseClient.open(house) as client:
        assert (await client.rest()).startswith(b"RTSP/1.0 503 ")
    for client in clients:
        client.abort()


async def test_a_silent_connection_is_closed_unless_media_goes_over_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_S", 0.02)
    async with await HouseClient.open(house) as client:
        assert await client.rest() == b""
    monkeypatch.setattr(module, "IDLE_S", 30.0)
    async with await HouseClient.open(house) as client:
        await client.play()
        monkeypatch.setattr(module, "IDLE_S", 0.02)
        assert (await client.ask("OPTIONS", "*")).status == 200
        await client.media(4000)


async def test_interleaved_reports_keep_a_session(house: House) -> None:
    async with await HouseClient.open(house) as client:
        await client.play()
        (session,) = house.sessions
        session.touched_s -= 59.0
        before_s = session.touched_s
        client.send(b"$\1\0\4abcd")
        await client.ask("OPTIONS", "*")
        assert session.touched_s > before_s


async def test_close_ends_everybody(house: House) -> None:
    async with await HouseClient.open(house) as client:
        await client.play()
        await client.media(200)
        await house.close()
        assert len(house.sessions) == 0
        await client.rest()
