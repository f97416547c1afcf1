"""What /proc says of a real process that reads, and of what it cannot say."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from l7lb.media.hot.proc_files import Handle, ProcFiles
from support.media_agent import Reader

SIZE = 200_000


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(bytes(SIZE))
    return path


@pytest.fixture
def reader(film: Path) -> Iterator[Reader]:
    found = Reader(film)
    yield found
    found.end()


def test_the_position_moves_with_what_is_read(film: Path, reader: Reader) -> None:
    proc = ProcFiles((str(film.parent),))
    before = proc.look()
    [handle] = before.positions
    assert (handle.pid, handle.path) == (reader.process.pid, str(film))
    assert before.positions[handle] == 0
    reader.read(70_000)
    after = proc.look()
    assert after.positions == {handle: 70_000}
    read = after.read_bytes[handle.pid] - before.read_bytes[handle.pid]
    assert 70_000 <= read < SIZE


def test_a_removed_file_keeps_its_name(film: Path, reader: Reader) -> None:
    film.unlink()
    [handle] = ProcFiles((str(film.parent),)).look().positions
    assert handle.path == str(film)


def test_own_files_others_and_writers_are_left_out(film: Path, reader: Reader) -> None:
    with film.open("rb"):
        assert len(ProcFiles((str(film.parent),)).look().positions) == 1
    assert ProcFiles((str(film.parent / "elsewhere"),)).look().positions == {}


def fake_process(proc: Path, pid: int, target: str, fdinfo: str, io: str = "") -> None:
    for part in ("fd", "fdinfo"):
        (proc / str(pid) / part).mkdir(parents=True)
    (proc / str(pid) / "fd" / "7").symlink_to(target)
    (proc / str(pid) / "fdinfo" / "7").write_text(fdinfo)
    (proc / str(pid) / "io").write_text(io)


@pytest.mark.parametrize(
    "fdinfo", ["", "pos:\tx\nflags:\t0100000\n", "pos:\t5\n", "pos:\t5\nflags:\t0100001\n"]
)
def test_what_makes_no_sense_or_only_writes_is_left_out(tmp_path: Path, fdinfo: str) -> None:
    fake_process(tmp_path, 77, "/s/film", fdinfo)
    assert ProcFiles(("/s",), str(tmp_path)).look().positions == {}


def test_a_process_whose_totals_cannot_be_read(tmp_path: Path) -> None:
    fake_process(tmp_path, 77, "/s/film", "pos:\t5\nflags:\t0100000\n", "rchar: many\n")
    (tmp_path / "78").mkdir()
    (tmp_path / "not a number").mkdir()
    look = ProcFiles(("/s",), str(tmp_path)).look()
    assert look.positions == {Handle(77, 7, "/s/film"): 5}
    assert look.read_bytes == {}
    assert str(os.getpid()) not in map(str, look.positions)
