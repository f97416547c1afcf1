"""A player behind a router that changes its ports: it is heard elsewhere, and latched."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from l7lb.media.netfilter import latches
from l7lb.media.netfilter.libnftables import Nft
from l7lb.media.onserver.agent import PORT
from support.media_director import DEADLINE_S, PORTS, ffmpeg
from support.media_lab import front
from support.media_stage import Stage, stage
from support.namespaces import stop

pytestmark = pytest.mark.timeout(300)

FRAMES = 20


def flows(scene: Stage) -> list[dict[str, Any]]:
    """As the mode has them: in the director's kernel, or in the server's."""
    if scene.mode == "nat":
        found: list[dict[str, Any]] = scene.ask(lambda k: k.flows())["flows"]
        return found
    with scene.lab["s1"].inside(), Nft() as nft:
        return latches.flows(nft.objects("list set inet l7lb_onserver flows4"))


def paths_of(scene: Stage, client: str) -> list[dict[str, Any]]:
    """What SETUP would tell: to which of the client's ports the server sends. Both RTP streams."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        found = [flow for flow in flows(scene) if flow["client"] == client]
        if len([flow for flow in found if flow["server_port"] % 2 == 0]) >= 2:
            names = ("client", "client_port", "server", "server_port")
            return [{name: flow[name] for name in names} for flow in found]
        assert time.monotonic() < deadline, found
        time.sleep(0.05)


def flow_of(scene: Stage, path: dict[str, Any]) -> int:
    return int(scene.ask(lambda k: k.flow(path))["packets"])


@pytest.mark.parametrize("mode", ["nat", "direct"])
def test_a_player_behind_a_router_gets_its_media(mode: str, tmp_path: Path) -> None:
    with stage(4, mode, tmp_path) as scene:
        agent = {"agent": PORT} if mode == "direct" else {}
        player = ffmpeg(scene.lab["home"], tmp_path, scene.url)
        paths = [path | agent for path in paths_of(scene, front("nat"))]
        assert player.frames() == 0
        for path in paths:
            found = scene.ask(lambda k, path=path: k.latch(path, 600))  # type: ignore[misc]
            assert found["heard"] == "elsewhere"
            assert found["port"] != path["client_port"]
        player.wait_frames(FRAMES)
        video = max(paths, key=lambda path: flow_of(scene, path))
        assert flow_of(scene, video) >= FRAMES
        again = scene.ask(lambda k: k.latch(paths[0], 600))
        assert again["heard"] == "elsewhere"
        assert scene.ask(lambda k: k.unlatch(paths[0])) == {"was": True}
        assert scene.ask(lambda k: k.unlatch(paths[0])) == {"was": False}
        stop(player.process)


@pytest.mark.parametrize("mode", ["nat", "direct"])
def test_a_player_with_its_own_address_needs_none(mode: str, tmp_path: Path) -> None:
    with stage(4, mode, tmp_path) as scene:
        agent = {"agent": PORT} if mode == "direct" else {}
        player = ffmpeg(scene.lab["client"], tmp_path, scene.url)
        player.wait_frames(FRAMES)
        path = paths_of(scene, front("client"))[0] | agent
        heard = scene.ask(lambda k: k.latch(path, 600))
        assert heard == {"heard": "as-named", "port": path["client_port"]}
        free = PORTS["s1"][1]
        silent = scene.ask(lambda k: k.latch(path | {"server_port": free}, 600))
        assert silent == {"heard": "silent", "port": 0}
        stop(player.process)
