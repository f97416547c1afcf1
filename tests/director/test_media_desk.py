"""What the director wants of the kernel for media, and what it makes of the answers."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Any

import pytest

from l7lb.config.load import load_cluster
from l7lb.director.events import Events
from l7lb.director.media_kernel import (
    KernelDesk,
    kernel_path,
    kernel_servers,
    known_of,
    vips_of,
    wanted,
)
from l7lb.director.media_processes import MediaProcesses, pool_names, relay_path, wants_relay
from l7lb.director.media_room import MediaRoom
from l7lb.director.media_ways import NOT_ASKED, Ways
from l7lb.media.modes import Known
from l7lb.model import ClusterSpec
from l7lb.model_media import Mode

FILE = """\
pools:
  media:
    servers:
      - {name: a, address: "10.0.3.1:554", media_ports: 20000-20999}
      - {name: b, address: "10.0.3.2:554"}
      - {name: c, address: "named.example:554", media_ports: 22000-22999}
  plain: {servers: "10.0.3.9:554", media: none}
services:
  video:
    protocol: rtsp
    listen: ["192.0.2.10:554", "[2001:db8::10]:554", "127.0.0.1:0"]
    routes: [{path: /a/*, pool: plain}, {pool: media}]
  www: {protocol: http, listen: "*:80", routes: {pool: web}}
director: {state: state}
"""
WEB = "pools:\n  web: {servers: '10.0.3.1:80'}\n"


@pytest.fixture
def spec(tmp_path: Path) -> ClusterSpec:
    (tmp_path / "f.yaml").write_text(FILE.replace("pools:\n", WEB, 1))
    return load_cluster(tmp_path / "f.yaml")


def test_what_is_wanted(spec: ClusterSpec) -> None:
    want = wanted(spec).as_json()
    [service] = want["services"]
    assert service["name"] == "video"
    assert service["vips"] == ["192.0.2.10", "2001:db8::10", "127.0.0.1"]
    assert service["ports"] == [554]
    [server] = service["servers"]
    assert server == {
        "name": "media/a",
        "address": "10.0.3.1",
        "port": 554,
        "media_ports": [20000, 20999],
        "modes": ["direct", "nat", "relay"],
    }


def test_names_and_paths(spec: ClusterSpec, tmp_path: Path) -> None:
    assert pool_names(spec.services["video"]) == ["plain", "media"]
    assert pool_names(spec.services["www"]) == []
    assert wants_relay(spec)
    assert relay_path(spec.director) == tmp_path / "state/media/relay.sock"
    assert kernel_path(spec.director) == tmp_path / "state/media/kernel.sock"
    assert len(list(kernel_servers(spec))) == 1
    assert vips_of(spec.services["www"]) == []


@pytest.mark.parametrize(
    ("said", "known"),
    [
        (
            {
                "control": "comes-back",
                "media": "comes-back",
                "reason": "",
                "agent": "",
                "spoof": "",
            },
            Known(),
        ),
        (
            {"control": "lost", "media": "unknown", "reason": "why"},
            Known(agent="none", spoof="none", control="why"),
        ),
        (
            {
                "control": "comes-back",
                "media": "failed",
                "reason": "why",
                "agent": "x",
                "spoof": "y",
            },
            Known(agent="x", spoof="y", media="why"),
        ),
        (
            {"control": "comes-back", "media": "unknown", "reason": "nobody said"},
            Known(agent="none", spoof="none"),
        ),
        (
            {
                "control": "comes-back",
                "media": "unknown",
                "reason": "nobody said",
                "agent": "silent",
                "spoof": "silent",
            },
            Known(agent="silent", spoof="silent", media="nobody said"),
        ),
    ],
)
def test_findings(said: dict[str, Any], known: Known) -> None:
    assert known_of(said, "none") == known


async def test_without_a_process_the_reason_is_told(spec: ClusterSpec, tmp_path: Path) -> None:
    told: list[object] = []
    notes: list[tuple[str, int]] = []
    here = spec.director.media
    object.__setattr__(here, "kernel", str(tmp_path / "nowhere.sock"))
    desk = KernelDesk(lambda event, level, fields: notes.append((event, level)), told.append)
    desk.reconcile(spec)
    async with asyncio.timeout(30):
        while not told:
            await asyncio.sleep(0.01)
    [known] = desk.found.values()
    assert "media-kernel" in known.kernel
    assert notes == [("media-kernel-away", logging.WARNING)]
    view = desk.view()
    assert view is not None
    assert view["trouble"] == known.kernel
    assert view["counted"] == {}
    await desk.close()


def test_nothing_begins_without_media() -> None:
    empty = ClusterSpec({}, {})
    processes = MediaProcesses(Events())
    processes.reconcile(empty)
    assert processes.view(empty) is None


def test_ways(spec: ClusterSpec) -> None:
    pool = spec.pools["media"]
    has_relay = [True]
    ways = Ways(lambda: has_relay[0])

    def mode(client: str = "198.51.100.7") -> Mode | None:
        return ways.choose("video", pool, pool.servers[0], client).mode

    assert NOT_ASKED.kernel
    assert mode() is Mode.RELAY
    ways.found = {("video", "media", "a"): Known()}
    assert mode() is Mode.DIRECT
    assert mode("127.0.0.1") is Mode.RELAY
    assert mode("") is Mode.RELAY
    ways.found = {("video", "media", "a"): Known(agent="no")}
    assert mode() is Mode.NAT
    has_relay[0] = False
    ways.found = {}
    assert mode() is None
    assert (
        "not relay: the relay is not there"
        in ways.choose("video", pool, pool.servers[0], "").reason
    )


async def test_a_room_without_media_is_empty(spec: ClusterSpec) -> None:
    room = MediaRoom(None, {}, b"")  # type: ignore[arg-type]
    room.prepare(ClusterSpec({}, {}))
    room.take(ClusterSpec({}, {}))
    assert room.state() == {}
    await room.close()
