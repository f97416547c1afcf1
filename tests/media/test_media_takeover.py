"""A director or its machine dies while a player plays: with another one the player goes on."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support.media_director import RTSP, MediaDirector, ffmpeg, read_line, wanted
from support.media_lab import VIP, front
from support.media_stage import Stage, ask, stage
from support.namespaces import stop

pytestmark = pytest.mark.timeout(300)
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


def take_over(scene: Stage, is_machine_dead: bool) -> MediaDirector:
    """d1 dies; d2, with the same rules, gets the VIP and listens there."""
    second = MediaDirector(scene.lab["d2"], scene.folder, "d2")
    second.start_kernel()
    ask(second, lambda kernel: kernel.want(wanted(scene.version, [scene.mode])))
    if is_machine_dead:
        scene.lab.cut("d1")
    else:
        for process in scene.director.processes:
            process.kill()
            process.wait()
        scene.lab.take_vip("d1")
    scene.lab.give_vip("d2")
    words = (sys.executable, "-c", LISTENER, VIP[scene.version], str(RTSP))
    assert read_line(scene.lab["d2"].start(*words, stdout=subprocess.PIPE)) == "ready"
    return second


@pytest.mark.parametrize("mode", ["nat", "direct"])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("is_machine_dead", [True, False], ids=["machine", "processes"])
def test_the_player_goes_on(version: int, mode: str, is_machine_dead: bool, tmp_path: Path) -> None:
    with stage(version, mode, tmp_path) as scene:
        player = ffmpeg(scene.lab["client"], tmp_path, scene.url, strict=True)
        player.wait_frames(FRAMES)
        second = take_over(scene, is_machine_dead)
        player.wait_frames(player.frames() + MORE)
        servers = {e["server"]: e for e in ask(second, lambda k: k.counters())["servers"]}
        came_by = servers["s1"]["to_clients"]["packets"]
        assert came_by > MORE if mode == "nat" else came_by == 0
        stop(player.process)
        if not is_machine_dead:
            assert packets_of(scene, "unsaid") > 0
        lost_before = ask(second, lambda k: k.counters())["dropped"]["lost"]
        unknown_segment(scene)
        assert ask(second, lambda k: k.counters())["dropped"]["lost"] > lost_before


def packets_of(scene: Stage, counter: str) -> int:
    """Of a counter of the director that died."""
    listed = scene.lab["d1"].run("nft", "-j", "list", "counter", "inet", "l7lb_media", counter)
    return int(json.loads(listed)["nftables"][1]["counter"]["packets"])


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
