"""The processes of a real director are killed while a player plays: it hears nothing of it."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from l7lb.media.quiet import PRIORITY, make_quiet
from support.lab_director import LabDirector
from support.media_director import ffmpeg, start_direct, start_server, url_of
from support.media_lab import media_lab
from support.namespaces import stop
from support.running_director import until

pytestmark = pytest.mark.timeout(300)
FRAMES = 30


def kill(director: LabDirector) -> None:
    """Supervisor, workers and whatever else of it, at once."""
    assert director.process is not None
    workers = director.workers()
    director.process.kill()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    director.process.wait()


@pytest.mark.parametrize("mode", ["direct", "nat"])
def test_a_player_does_not_hear_of_the_end(mode: str, tmp_path: Path) -> None:
    with media_lab() as lab, ExitStack() as ends:
        lab.way_back("director" if mode == "nat" else "router")
        for name in ("s1", "s2"):
            ends.callback(start_server(lab, name).close)
            if mode == "direct":
                start_direct(lab, name, 4, tmp_path)
        first = LabDirector(lab, "d1", tmp_path / "d1", 4, mode)
        ends.callback(first.close)
        first.start()
        first.wait_mode(mode)
        player = ffmpeg(lab["client"], tmp_path, url_of(4), strict=True)
        player.wait_frames(FRAMES)
        kill(first)
        player.wait_frames(player.frames() + FRAMES)
        lab.take_vip("d1")
        lab.give_vip("d2")
        second = LabDirector(lab, "d2", tmp_path / "d2", 4, mode)
        ends.callback(second.close)
        second.start()
        player.wait_frames(player.frames() + 2 * FRAMES)
        stop(player.process)


def test_who_closes_in_order_is_heard(tmp_path: Path) -> None:
    """A player that ends its session sees its connection closed, although it was quiet."""
    with media_lab() as lab, ExitStack() as ends:
        lab.way_back("director")
        ends.callback(start_server(lab, "s1").close)
        director = LabDirector(lab, "d1", tmp_path / "d1", 4, "nat", servers="s1")
        ends.callback(director.close)
        director.start()
        director.wait_mode("nat")
        player = ffmpeg(lab["client"], tmp_path, url_of(4))
        player.wait_frames(FRAMES)
        until(lambda: counted(director) > 0, "the packets in status")
        stop(player.process)
        until(lambda: not established(lab["d1"].run("cat", "/proc/net/tcp")), "the end of both")
        listed = lab["d1"].run("nft", "list", "counter", "inet", "l7lb_media", "unsaid")
        assert "packets 0" in listed


def counted(director: LabDirector) -> int:
    """Packets to clients through the kernel, as status tells."""
    media = director.status()["media"]
    assert isinstance(media, dict)
    [server] = media["kernel"]["counted"]["servers"]
    return int(server["to_clients"]["packets"])


def established(table: str) -> list[str]:
    """Connections of RTSP (port 554, hexadecimal) that are not over."""
    rows = [line.split() for line in table.splitlines()[1:]]
    over = {"0A", "06"}  # listening, TIME_WAIT
    return [row[1] for row in rows if ":022A" in row[1] + row[2] and row[3] not in over]


def test_the_priority_is_given_and_taken() -> None:
    with closing(socket.socket()) as sock:
        for is_quiet, priority in ((True, PRIORITY), (False, 0)):
            make_quiet(sock.fileno(), is_quiet)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY) == priority
