"""Media in the rules file: what words become, and that they come back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from l7lb.config.compile_media import meet
from l7lb.config.diff import diff
from l7lb.config.effective_media import media_tree, range_text, rtsp_tree
from l7lb.model import CheckKind, ClusterSpec, KeyKind, PersistenceKind
from l7lb.model_media import MediaSpec, Mode, RtspOptions

Load = Callable[[str], ClusterSpec]
Complaints = Callable[[str], list[str]]
FILE = """\
pools:
  media:
    servers:
      - {name: a, address: "10.0.3.1:554", media_ports: 20000-20999}
      - {name: b, address: "10.0.3.2:554", media_ports: 21000-21999}
    scheduler: {hash: path, bound: 1.25}
    check: rtsp
services:
  video: {protocol: rtsp, listen: "*:554", routes: [{path: /a/*, pool: media}, {pool: media}]}
"""


def test_the_manuals_example(load: Load) -> None:
    spec = load(FILE)
    pool = spec.pools["media"]
    assert [server.media_ports for server in pool.servers] == [(20000, 20999), (21000, 21999)]
    assert pool.media == MediaSpec((Mode.DIRECT, Mode.NAT, Mode.RELAY))
    assert (pool.check.kind, pool.check.path) == (CheckKind.RTSP, "*")
    assert pool.scheduler.key is not None
    assert pool.scheduler.key.kind is KeyKind.PATH
    video = spec.services["video"]
    assert video.rtsp == RtspOptions()
    assert video.timeouts.tunnel_idle_s == 12 * 3600.0
    assert spec.has_media
    assert not spec.has_mail


@pytest.mark.parametrize(
    ("text", "modes"),
    [
        ("none", ()),
        ("relay", (Mode.RELAY,)),
        ("[nat, redirect]", (Mode.NAT, Mode.REDIRECT)),
        ("{modes: [direct]}", (Mode.DIRECT,)),
        ("{modes: none}", ()),
    ],
)
def test_modes(load: Load, text: str, modes: tuple[Mode, ...]) -> None:
    spec = load(FILE.replace("check: rtsp", f"check: rtsp\n    media: {text}"))
    assert spec.pools["media"].media.modes == modes


def test_published(load: Load) -> None:
    spec = load(FILE.replace("check: rtsp", "persistence: published"))
    persistence = spec.pools["media"].persistence
    assert persistence is not None
    assert (persistence.kind, persistence.timeout_s, persistence.limit) == (
        PersistenceKind.PUBLISHED,
        1800.0,
        100_000,
    )


def test_a_described_path_is_probed(load: Load) -> None:
    spec = load(FILE.replace("check: rtsp", "tls: {verify: false}\n    check: {rtsp: /film}"))
    check = spec.pools["media"].check
    assert (check.kind, check.path) == (CheckKind.RTSP, "/film")
    assert check.tls == spec.pools["media"].tls


def test_relay_ports_must_not_be_a_servers(load: Load, complaints: Complaints) -> None:
    [complaint] = complaints(FILE + "director: {media: {relay_ports: 20998-21001}}\n")
    assert "relay_ports are also media_ports of media/a" in complaint
    assert load(FILE + "director: {media: {relay_ports: 22000-22999}}\n")
    alone = FILE.replace("check: rtsp", "media: relay")
    assert load(alone + "director: {media: {relay_ports: 20998-21001}}\n")


@pytest.mark.parametrize(
    ("one", "other", "do"),
    [
        ((2, 3), (4, 5), False),
        ((2, 4), (4, 5), True),
        ((4, 5), (2, 4), True),
        ((2, 9), (4, 5), True),
    ],
)
def test_meet(one: tuple[int, int], other: tuple[int, int], do: bool) -> None:
    assert meet(one, other) is do


def test_differences_in_the_words_of_the_file(load: Load) -> None:
    old = load(FILE)
    new = load(
        FILE.replace("check: rtsp", "check: rtsp\n    media: none").replace(
            'listen: "*:554"', 'listen: "*:554", rtsp: {interleaved: false}'
        )
    )
    assert [str(change) for change in diff(old, new)] == [
        "changed pool media: media.modes [direct, nat, relay] → none",
        "changed service video: rtsp.interleaved true → false",
    ]


def test_trees() -> None:
    assert media_tree(MediaSpec(())) == {"modes": "none", "agent_port": 7554}
    assert rtsp_tree(RtspOptions())["tcp_only"] == "5m"
    assert range_text((2, 9)) == "2-9"
