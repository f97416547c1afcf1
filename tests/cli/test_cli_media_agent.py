"""`l7lb media-agent`: what it refuses, and its status as people read it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from l7lb.cli.main import main
from l7lb.cli.media_agent import lines
from l7lb.media.hot.status import FILE, Status, read, write
from support.media_agent import Films


@pytest.fixture
def films(tmp_path: Path) -> Films:
    found = Films(tmp_path)
    found.configure("127.0.0.1:9")
    return found


def test_a_file_without_hot_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cluster.yaml").write_text("pools: {}\n")
    assert main(["media-agent", str(tmp_path / "cluster.yaml"), "m1"]) == 2
    assert "it has no media.hot_files" in capsys.readouterr().err
    (tmp_path / "cluster.yaml").write_text("pools: []\n")
    assert main(["media-agent", str(tmp_path / "cluster.yaml"), "m1"]) == 2
    assert "pools" in capsys.readouterr().err


def test_status_before_any_agent(films: Films, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["media-agent", str(films.rules), "m1", "--status"]) == 1
    assert "no agent has run" in capsys.readouterr().err


def test_status_of_an_agent_that_lives_and_of_one_that_does_not(
    films: Films, capsys: pytest.CaptureFixture[str]
) -> None:
    local = films.top / "m1" / "local"
    local.mkdir(parents=True)
    status = Status("m1", time.time(), 60.0, hot=[("film.mp4", 1.5, True)])
    write(status, str(local))
    assert read(str(local)) == status
    assert main(["media-agent", str(films.rules), "m1", "--status"]) == 0
    shown = capsys.readouterr().out
    assert "film.mp4      1.50  here" in shown
    assert "DOES NOT RUN" not in shown
    status.time_s -= 3600
    write(status, str(local))
    assert main(["media-agent", str(films.rules), "m1", "--status"]) == 1
    assert "1h ago; THE AGENT DOES NOT RUN" in capsys.readouterr().out


def test_all_that_a_status_can_say() -> None:
    status = Status(
        "m1", every_s=1.0, shared="/srv: Stale file handle", disk="full", files=7, copies=2,
        copied_bytes=5, capacity_bytes=10, copying="x.mp4", sessions=3, load_permille=500,
        accesses=4, hits=3, copies_made=2, copies_failed=1, last_failure="y.mp4 is changing",
        watches="not all", unreachable={"10.0.0.1": "No route to host"},
    )  # fmt: skip
    assert lines(status, 0.5)[:-1] == [
        "m1, 0.5s ago",
        "shared     /srv: Stale file handle; 7 files presented",
        "local      2 copies, 5 of 10 bytes; disk full",
        "readers    3, 0 bit/s, load 50 %; 4 openings, 75 % of them local",
        ("copying    x.mp4; 2 made, 0 evicted, 0 not worth it, 1 failed; last: y.mp4 is changing"),
        "watches    not all",
        "cannot say to 10.0.0.1: No route to host",
        "",
    ]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"node": 1, "hot": 3}', '{"nodes": 1}'])
def test_a_status_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert read(str(tmp_path)) is None
