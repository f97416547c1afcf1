"""A whole director before gst-rtsp-server and VLC, with ffmpeg and GStreamer as players."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.gst_server import GstOptions, GstServer
from support.rtsp_director import RtspDirector
from support.rtsp_players import ffmpeg, gstreamer, publish
from support.running_director import until
from support.vlc_server import VlcServer

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def servers() -> Iterator[list[GstServer]]:
    started = [GstServer(GstOptions(plays=("/film", "/live"), records=())) for _ in range(2)]
    try:
        yield [server.start() for server in started]
    finally:
        for server in started:
            server.close()


@pytest.fixture(scope="module")
def director(
    servers: list[GstServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RtspDirector]:
    folder = tmp_path_factory.mktemp("director")
    running = RtspDirector(folder, [server.address for server in servers])
    try:
        yield running.start()
    finally:
        running.close()


def logged(director: RtspDirector, agent: str = "") -> list[dict[str, object]]:
    text = (director.folder / "access.log").read_text()
    lines = [json.loads(line) for line in text.splitlines()]
    return [line for line in lines if agent in str(line["user_agent"])]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_ffmpeg(director: RtspDirector, transport: str) -> None:
    ffmpeg(director.url(), transport, "-user_agent", f"ffmpeg-{transport}")
    lines = until(lambda: (found := logged(director, f"ffmpeg-{transport}"))[4:] and found)
    methods = [line["method"] for line in lines]
    assert methods[:5] == ["OPTIONS", "DESCRIBE", "SETUP", "SETUP", "PLAY"]
    assert {line["status"] for line in lines[:5]} == {200}
    assert len({line["server"] for line in lines[:5]}) == 1


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_gstreamer(director: RtspDirector, transport: str) -> None:
    gstreamer(director.url(), transport)


def test_over_http(director: RtspDirector) -> None:
    ffmpeg(director.url(), "http")


def test_many_players_are_spread(director: RtspDirector) -> None:
    before = len(logged(director))
    players = [
        subprocess.Popen(
            [
                "ffmpeg",
                "-nostdin",
                "-rtsp_transport",
                "tcp",
                "-i",
                director.url(),
                "-frames:v",
                "40",
                "-c",
                "copy",
                "-f",
                "null",
                "-",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(6)
    ]
    assert [player.wait(120) for player in players] == [0] * 6
    assert {line["server"] for line in logged(director)[before:]} == {"s1", "s2"}


def test_a_player_goes_on_when_a_worker_is_killed_no_more(director: RtspDirector) -> None:
    """The next player finds a worker again."""
    import os
    import signal

    before = director.workers()
    os.kill(before[0], signal.SIGKILL)
    until(lambda: len(director.workers()) == 2 and director.workers() != before, "a new worker")
    ffmpeg(director.url(), "tcp")


def test_digest_passes_unbroken(tmp_path: Path) -> None:
    """The challenge's answer hashes the URI, and belongs to the server that made the challenge."""
    options = GstOptions(user="ann", secret="apple")
    started = [GstServer(options) for _ in range(2)]
    director = None
    try:
        addresses = [server.start().address for server in started]
        director = RtspDirector(tmp_path, addresses, pool="    scheduler: rr\n").start()
        url = director.url().replace("rtsp://", "rtsp://ann:apple@")
        for transport in ("tcp", "udp"):
            ffmpeg(url, transport)
        with pytest.raises(AssertionError, match="401"):
            ffmpeg(director.url(), "tcp")
    finally:
        if director is not None:
            director.close()
        for server in started:
            server.close()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_publisher(tmp_path: Path, transport: str) -> None:
    server = GstServer(GstOptions(plays=(), records=("/live",)))
    director = None
    try:
        director = RtspDirector(
            tmp_path, [server.start().address], pool="    persistence: published\n"
        ).start()
        publisher = publish(director.url("/live"), transport)
        try:
            lines = until(
                lambda: (
                    [line for line in logged(director) if line["method"] == "RECORD"]
                    if (director.folder / "access.log").exists()
                    else []
                ),
                "RECORD",
            )
            assert lines[0]["status"] == 200
            assert publisher.poll() is None
        finally:
            publisher.terminate()
            publisher.wait(30)
            assert publisher.stderr is not None
            publisher.stderr.close()
    finally:
        if director is not None:
            director.close()
        server.close()


def test_vlc_serves_udp_only_and_says_so(tmp_path: Path) -> None:
    server = VlcServer()
    director = None
    try:
        director = RtspDirector(tmp_path, [server.start().address]).start()
        ffmpeg(director.url(), "udp")
        with pytest.raises(AssertionError, match="461"):
            ffmpeg(director.url(), "tcp")
    finally:
        if director is not None:
            director.close()
        server.close()
