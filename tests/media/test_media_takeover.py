"""A director's machine dies while a player plays: another takes the VIP, the player goes on."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support.media_director import RTSP, MediaDirector, ffmpeg, read_line, wanted
from support.media_lab import VIP, front
from support.media_stage import Stage, ask, stage
from support.namespaces import stop

FRAMES = 20
MORE = 60
"""Pictures after the takeover: several seconds, far more than a player has in hand."""
LISTENER = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
listener = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family)
print("ready", flush=True)
while True:
    listener.accept()
"""


def take_over(scene: Stage) -> MediaDirector:
    """d1 falls silent; d2, with the same rules, gets the VIP and listens there."""
    second = MediaDirector(scene.lab["d2"], scene.folder, "d2")
    second.start_kernel()
    ask(second, lambda kernel: kernel.want(wanted(scene.version, [scene.mode])))
    scene.lab.cut("d1")
    scene.lab.give_vip("d2")
    words = (sys.executable, "-c", LISTENER, VIP[scene.version], str(RTSP))
    assert read_line(scene.lab["d2"].start(*words, stdout=subprocess.PIPE)) == "ready"
    return second


@pytest.mark.parametrize("mode", ["nat", "direct"])
@pytest.mark.parametrize("version", [4, 6])
def test_the_player_goes_on(version: int, mode: str, tmp_path: Path) -> None:
    with stage(version, mode, tmp_path) as scene:
        player = ffmpeg(scene.lab["client"], tmp_path, scene.url, strict=True)
        player.wait_frames(FRAMES)
        second = take_over(scene)
        player.wait_frames(player.frames() + MORE)
        servers = {e["server"]: e for e in ask(second, lambda k: k.counters())["servers"]}
        came_by = servers["s1"]["to_clients"]["packets"]
        assert came_by > MORE if mode == "nat" else came_by == 0
        stop(player.process)
        lost_before = ask(second, lambda k: k.counters())["dropped"]["lost"]
        unknown_segment(scene)
        assert ask(second, lambda k: k.counters())["dropped"]["lost"] > lost_before


def unknown_segment(scene: Stage) -> None:
    """What a player of the dead director would say on its control connection is not answered."""
    client = scene.lab["client"]
    version, vip = scene.version, VIP[scene.version]
    with client.inside():
        family = socket.AF_INET if version == 4 else socket.AF_INET6
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.IPPROTO_TCP, REPAIR, 1)
        sock.bind((front("client", version), 0))
        sock.connect((vip, RTSP))
        sock.setsockopt(socket.IPPROTO_TCP, REPAIR, 0)
        sock.settimeout(1)
        sock.sendall(b"OPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n")
        with pytest.raises(TimeoutError):
            sock.recv(1)
        sock.setsockopt(socket.IPPROTO_TCP, REPAIR, 1)
        sock.close()


REPAIR = 19
"""TCP_REPAIR: a connection of which the other side knows nothing."""
