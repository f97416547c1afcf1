"""`l7lb explain FILE rtsp URL`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from l7lb.cli.main import main
from support.running_director import Command

FILE = """\
pools:
  media:
    servers:
      - {name: a, address: "10.0.3.1:554", media_ports: 20000-20999}
      - {name: b, address: "10.0.3.2:554"}
    scheduler: {hash: path}
  live: {servers: "10.0.3.3:554", persistence: published, media: none}
services:
  video:
    protocol: rtsp
    listen: "*:554"
    routes:
      - {name: live, path: /live/*, pool: live}
      - {name: agents, header: {User-Agent: vlc}, pool: live}
      - {name: near, from: 192.0.2.0/24, pool: media}
"""


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """`l7lb …`, without a director."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main(words)
        found = capsys.readouterr()
        return code, found.out, found.err

    return run


@pytest.fixture
def file(tmp_path: Path) -> str:
    (tmp_path / "f.yaml").write_text(FILE)
    return str(tmp_path / "f.yaml")


def test_a_film(command: Command, file: str) -> None:
    status, out, _ = command("explain", file, "rtsp", "rtsp://m/film", "--from", "192.0.2.7")
    assert status == 0
    assert "route      near" in out
    assert "over UDP by the first that works of direct, nat, relay" in out
    assert "(no media_ports, so neither direct nor nat: b)" in out
    assert "choice       " in out


def test_a_live_path(command: Command, file: str) -> None:
    status, out, _ = command("explain", file, "rtsp", "rtsp://m/live/cam?x=1")
    assert status == 0
    assert "route      live" in out
    assert "over TCP only: UDP is refused with 461" in out
    assert "nobody is known to publish the path" in out


def test_a_header(command: Command, file: str) -> None:
    status, out, _ = command("explain", file, "rtsp", "rtsp://m/x", "-H", "User-Agent: vlc")
    assert status == 0
    assert "route      agents" in out


def test_no_route_and_refusal(command: Command, file: str) -> None:
    status, out, _ = command("explain", file, "rtsp", "rtsp://m/film")
    assert (status, "none: the answer is 404" in out) == (1, True)
    status, out, _ = command("explain", file, "rtsp", "rtsp://m/a/../b")
    assert (status, "refused    400" in out) == (1, True)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://m/film", "neither rtsp:// nor rtsps://"),
        ("rtsps://m/film", "nothing listens for rtsps on port 322"),
        ("rtsp://m:8554/film", "nothing listens for rtsp on port 8554"),
    ],
)
def test_not_askable(command: Command, file: str, url: str, words: str) -> None:
    status, _, errors = command("explain", file, "rtsp", url)
    assert status == 2
    assert words in errors


def test_for_programs(command: Command, file: str) -> None:
    words = ("explain", file, "rtsp", "rtsp://m:8554/live", "--json", "--service", "video")
    status, out, _ = command(*words)
    assert status == 0
    assert json.loads(out)["facts"]["path"] == "/live"
