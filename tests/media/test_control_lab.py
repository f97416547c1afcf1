"""The real director on the lab's network: each mode chosen by itself, players, a takeover."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.lab_director import LabDirector
from support.media_director import Player, ffmpeg, packets, start_direct, start_server, url_of
from support.media_lab import MediaLab, front, media_lab
from support.media_players import aiortsp, gstreamer
from support.namespaces import stop
from support.running_director import until

pytestmark = pytest.mark.timeout(300)
FRAMES = 40


@dataclass
class Scene:
    lab: MediaLab
    director: LabDirector
    version: int
    folder: Path

    def play(self, host: str = "client", transport: str = "udp", strict: bool = False) -> Player:
        url = url_of(self.version)
        return ffmpeg(self.lab[host], self.folder, url, transport, strict)

    def log(self) -> list[dict[str, object]]:
        path = self.director.folder / "access.log"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def passed(director: LabDirector) -> int:
    """Packets of all servers to their players, as the kernel counts them."""
    media = director.status()["media"]
    assert isinstance(media, dict)
    return sum(each["to_clients"]["packets"] for each in media["kernel"]["counted"]["servers"])


@contextmanager
def scene(version: int, mode: str, folder: Path, modes: str = "") -> Iterator[Scene]:
    """Both servers play; d1 has the VIP and a director whose media goes so."""
    with media_lab() as lab, ExitStack() as ends:
        lab.way_back("director" if mode == "nat" else "router")
        for name in ("s1", "s2"):
            ends.callback(start_server(lab, name, version).close)
            if mode == "direct":
                start_direct(lab, name, version, folder)
        director = LabDirector(lab, "d1", folder / "d1", version, modes or mode)
        ends.callback(director.close)
        director.start()
        director.wait_mode(mode)
        yield Scene(lab, director, version, folder)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("mode", ["direct", "nat", "relay"])
def test_each_mode_is_found_and_plays(version: int, mode: str, tmp_path: Path) -> None:
    modes = {"direct": "[direct, nat, relay]", "nat": "[direct, nat, relay]"}.get(mode, "[relay]")
    with scene(version, mode, tmp_path, modes) as here:
        if mode == "nat":
            assert "not direct: " in next(iter(here.director.modes().values()))
        player = here.play(strict=True)
        player.wait_frames(FRAMES)
        before = packets(here.lab["d1"], "front", "tx")
        player.wait_frames(player.frames() + FRAMES)
        sent = packets(here.lab["d1"], "front", "tx") - before
        assert sent >= FRAMES if mode != "direct" else sent < FRAMES
        stop(player.process)
        gstreamer(here.lab["client"], url_of(version))
        if version == 4:  # aiortsp binds no IPv6 for UDP
            aiortsp(here.lab["client"], url_of(version))
        gstreamer(here.lab["client"], url_of(version), "tcp")
        if mode == "nat":
            until(lambda: passed(here.director) > FRAMES, "the kernel's count")
        sources = {line["source"] for line in here.log()}
        assert sources == {front("client", version)}


@pytest.mark.parametrize("mode", ["direct", "nat"])
def test_a_player_goes_on_when_its_director_dies(mode: str, tmp_path: Path) -> None:
    with scene(4, mode, tmp_path) as here:
        player = here.play(strict=True)
        player.wait_frames(FRAMES)
        second = LabDirector(here.lab, "d2", tmp_path / "d2", 4, mode)
        try:
            here.lab.cut("d1")
            here.lab.give_vip("d2")
            second.start()
            second.wait_mode(mode)
            player.wait_frames(player.frames() + 2 * FRAMES)
            stop(player.process)
            other = ffmpeg(here.lab["client"], tmp_path, url_of(4), strict=True)
            other.wait_frames(FRAMES)
            stop(other.process)
        finally:
            second.close()


def test_a_player_behind_a_router_is_latched(tmp_path: Path) -> None:
    with scene(4, "nat", tmp_path) as here:
        player = here.play("home")
        player.wait_frames(FRAMES)
        stop(player.process)


def test_without_rights_the_relay_is_taken(tmp_path: Path) -> None:
    """Servers whose way back leads past the director, and no agents."""
    with scene(4, "relay", tmp_path, "[direct, nat, relay]") as here:
        words = next(iter(here.director.modes().values()))
        assert "not direct: " in words
        assert "not nat: " in words
        player = here.play(strict=True)
        player.wait_frames(FRAMES)
        stop(player.process)
        until(lambda: any(line["method"] == "PLAY" for line in here.log()), "PLAY in the log")
