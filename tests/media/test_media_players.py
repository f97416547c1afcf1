"""Real players and real servers in namespaces, through the kernel's rules of both modes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import media_players
from support.media_director import ffmpeg, packets
from support.media_lab import back, front
from support.media_stage import Stage, stage
from support.namespaces import stop

pytestmark = pytest.mark.timeout(300)

FRAMES = 20
STAGES = [(4, "nat"), (4, "direct"), (6, "nat"), (6, "direct")]
CONTROL_PACKETS = 60
"""More than control, RTCP and punches of a short play come to, much less than its media."""


@pytest.fixture(scope="module", params=STAGES, ids=lambda each: f"ipv{each[0]}-{each[1]}")
def scene(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    version, mode = request.param
    with stage(version, mode, tmp_path_factory.mktemp("stage")) as here:
        yield here


def test_a_strict_player_gets_media_from_the_vip(scene: Stage) -> None:
    """`filter_src`: ffmpeg throws away what does not come from its RTSP peer."""
    before = packets(scene.lab["d1"], "back", "rx")
    sent = packets(scene.lab["s1"], "back", "tx")
    player = ffmpeg(scene.lab["client"], scene.folder, scene.url, strict=True)
    player.wait_frames(FRAMES)
    came = packets(scene.lab["d1"], "back", "rx") - before
    sent = packets(scene.lab["s1"], "back", "tx") - sent
    stop(player.process)
    if scene.mode == "direct":
        assert came < CONTROL_PACKETS < sent
    else:
        assert came > CONTROL_PACKETS


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_gstreamer_plays(scene: Stage, transport: str) -> None:
    media_players.gstreamer(scene.lab["client"], scene.url, transport)


def test_aiortsp_plays(scene: Stage) -> None:
    """Its UDP sockets are of IPv4 only."""
    for transport in ("udp", "tcp") if scene.version == 4 else ("tcp",):
        media_players.aiortsp(scene.lab["client"], scene.url, transport)


def test_ffmpeg_plays_within_its_control_connection(scene: Stage) -> None:
    player = ffmpeg(scene.lab["client"], scene.folder, scene.url, "tcp")
    player.wait_frames(FRAMES)
    stop(player.process)


def test_the_kernel_counts_for_each_server_and_pair_of_ports(scene: Stage) -> None:
    player = ffmpeg(scene.lab["client"], scene.folder, scene.url)
    player.wait_frames(FRAMES)
    servers = {each["server"]: each for each in scene.ask(lambda k: k.counters())["servers"]}
    flows = scene.ask(lambda k: k.flows())["flows"]
    stop(player.process)
    assert servers["s1"]["from_clients"]["packets"] > 0
    assert servers["s2"]["to_clients"]["packets"] == 0
    if scene.mode == "nat":
        assert servers["s1"]["to_clients"]["packets"] > FRAMES
        assert {flow["client"] for flow in flows} == {front("client", scene.version)}
        assert {flow["server"] for flow in flows} == {back("s1", scene.version)}
    else:
        assert servers["s1"]["to_clients"]["packets"] == 0
        assert flows == []


@pytest.mark.parametrize(("version", "mode"), STAGES)
def test_vlc_as_a_server_plays_by_udp(version: int, mode: str, tmp_path: Path) -> None:
    with stage(version, mode, tmp_path, "vlc") as here:
        player = ffmpeg(here.lab["client"], tmp_path, here.url, strict=True)
        player.wait_frames(FRAMES)
        stop(player.process)
        media_players.gstreamer(here.lab["client"], here.url)
        if version == 4:
            media_players.aiortsp(here.lab["client"], here.url)
        refused = ffmpeg(here.lab["client"], tmp_path, here.url, "tcp")
        assert refused.process.wait(60) != 0
        assert "461" in refused.path.read_text()
