"""Copies are whole or not there, whatever happens on the way; and who reads one keeps it."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from l7lb.media.hot import copies as module
from l7lb.media.hot.copies import Copies
from l7lb.media.hot.errors import CannotStart, CopyFailed, CopyStopped, DiskFull, OriginalChanged
from l7lb.media.hot.originals import Original, look_at
from l7lb.media.hot.pace import Pace
from l7lb.ports import ManualClock
from support.media_agent import OLD_S, Reader, eventually

SIZE = 3 << 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "shared" / "film.mp4"
    path.parent.mkdir()
    path.write_bytes(os.urandom(SIZE))
    os.utime(path, (OLD_S, OLD_S))
    return path


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    return Copies(str(tmp_path / "local"))


def original_of(path: Path) -> Original:
    found = look_at(str(path))
    assert found is not None
    return found


def copy(copies: Copies, source: Path, name: str = "a/film.mp4") -> Path:
    copies.copy(str(source), name, original_of(source), Pace())
    return Path(copies.path(name))


def leftovers(copies: Copies) -> list[Path]:
    return [p for p in Path(copies.root).parent.rglob("*") if p.is_file() and p.stat().st_size > 9]


def test_a_copy_has_bytes_time_and_no_writer(copies: Copies, source: Path) -> None:
    made = copy(copies, source)
    assert made.read_bytes() == source.read_bytes()
    assert original_of(made) == original_of(source)
    assert made.stat().st_mode & 0o777 == 0o444
    assert copies.found() == {"a/film.mp4": original_of(source)}
    assert copies.directories() == [copies.root, f"{copies.root}/a"]
    assert copies.free_bytes() > SIZE


def test_an_empty_file_too(copies: Copies, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    assert copy(copies, empty, "empty").stat().st_size == 0


def refuse(number: int) -> Callable[..., object]:
    def refused(*_: object, **__: object) -> object:
        raise OSError(number, os.strerror(number))

    return refused


@pytest.mark.parametrize("call", ["posix_fallocate", "sendfile", "fsync", "utime", "fchmod"])
@pytest.mark.parametrize(
    ("number", "kind"),
    [(errno.ENOSPC, DiskFull), (errno.EDQUOT, DiskFull), (errno.EIO, CopyFailed)],
)
def test_whatever_fails_nothing_is_left(
    copies: Copies,
    source: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    number: int,
    kind: type[CopyFailed],
) -> None:
    monkeypatch.setattr(module.os, call, refuse(number))
    with pytest.raises(kind, match=r"a/film\.mp4"):
        copy(copies, source)
    assert leftovers(copies) == []
    assert copies.found() == {}
    monkeypatch.undo()
    assert copy(copies, source).exists()


def test_a_file_system_that_promises_no_room(
    copies: Copies, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.os, "posix_fallocate", refuse(errno.EOPNOTSUPP))
    assert copy(copies, source).stat().st_size == SIZE


def test_a_disk_that_keeps_no_times_is_told(
    copies: Copies, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.os, "utime", lambda *_, **__: None)
    with pytest.raises(CopyFailed, match="does not keep a file's time"):
        copy(copies, source)
    assert leftovers(copies) == []


class Meddling(Pace):
    """Does something in the middle of the copy."""

    def __init__(self, meddle: Callable[[], object]) -> None:
        super().__init__()
        self._meddle = meddle

    def spend(self, count: int) -> None:
        self._meddle()
        super().spend(count)


def replace(source: Path) -> None:
    other = source.with_suffix(".new")
    other.write_bytes(bytes(SIZE))
    os.utime(other, (OLD_S, OLD_S))
    other.rename(source)


@pytest.mark.parametrize(
    "meddle",
    [
        lambda source: source.write_bytes(b"short"),
        lambda source: source.write_bytes(bytes(SIZE)),
        os.utime,
        replace,
    ],
    ids=["shorter", "written", "touched", "replaced"],
)
def test_an_original_that_changes_under_the_copy(
    copies: Copies, source: Path, meddle: Callable[[Path], object]
) -> None:
    before = original_of(source)
    with pytest.raises(OriginalChanged):
        copies.copy(str(source), "f", before, Meddling(lambda: meddle(source)))
    assert leftovers(copies) == []


def test_an_original_that_changed_before(copies: Copies, source: Path) -> None:
    before = original_of(source)
    os.utime(source)
    with pytest.raises(OriginalChanged):
        copies.copy(str(source), "f", before, Pace())


def test_an_original_that_is_gone_or_a_link(copies: Copies, source: Path) -> None:
    before = original_of(source)
    target = source.rename(source.with_suffix(".moved"))
    with pytest.raises(CopyFailed):
        copies.copy(str(source), "f", before, Pace())
    source.symlink_to(target)
    with pytest.raises(CopyFailed):
        copies.copy(str(source), "f", before, Pace())
    assert look_at(str(source)) is None


def test_a_copy_that_is_stopped_leaves_nothing(copies: Copies, source: Path) -> None:
    pace = Pace()
    pace.stop()
    with pytest.raises(CopyStopped):
        copies.copy(str(source), "f", original_of(source), pace)
    assert leftovers(copies) == []


def test_the_pace_is_kept_in_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = ManualClock(0.0)
    pace = Pace(1000.0, clock.now)
    monkeypatch.setattr(pace._stopped, "wait", clock.advance)
    for _ in range(10):
        pace.spend(500)
    assert clock.now() == pytest.approx(5.0)


def test_who_reads_a_copy_keeps_it(copies: Copies, source: Path) -> None:
    made = copy(copies, source)
    reader = Reader(made)
    done: list[str] = []
    assert not copies.evict("a/film.mp4", lambda: done.append("led back"))
    assert made.exists()
    assert done == []
    reader.end()
    assert copies.evict("a/film.mp4", lambda: done.append("led back"))
    assert done == ["led back"]
    assert not made.parent.exists()
    assert Path(copies.root).exists()
    assert copies.evict("a/film.mp4", lambda: done.append("gone already"))


def is_lease_breaking(path: Path) -> bool:
    lines = Path("/proc/locks").read_text().splitlines()
    return any("BREAKING" in line and f":{path.stat().st_ino} " in line for line in lines)


def test_who_opens_it_while_it_is_evicted_reads_it_all(copies: Copies, source: Path) -> None:
    made = copy(copies, source)
    readers: list[subprocess.Popen[bytes]] = []

    def meanwhile() -> None:
        readers.append(subprocess.Popen(["cat", str(made)], stdout=subprocess.PIPE))
        eventually(lambda: is_lease_breaking(made), "it waits in its open")

    assert copies.evict("a/film.mp4", meanwhile)
    assert not made.exists()
    out, _ = readers[0].communicate(timeout=60)
    assert out == source.read_bytes()


def test_a_removed_copy_is_read_to_its_end(copies: Copies, source: Path) -> None:
    reader = Reader(copy(copies, source))
    first = reader.read(1000)
    copies.remove("a/film.mp4")
    copies.remove("a/film.mp4")
    assert first
    assert reader.read() != ""
    reader.end()
    assert copies.found() == {}


def test_one_directory_has_one_agent_and_each_start_a_higher_epoch(tmp_path: Path) -> None:
    first = Copies(str(tmp_path / "local"))
    with pytest.raises(CannotStart, match="used by another agent"):
        Copies(str(tmp_path / "local"))
    first.close()
    second = Copies(str(tmp_path / "local"))
    assert second.epoch == first.epoch + 1
    second.close()


def test_what_a_crash_left_is_swept_at_the_start(tmp_path: Path) -> None:
    partial = tmp_path / "local" / "partial"
    partial.mkdir(parents=True)
    (partial / "file").write_bytes(b"half")
    copies = Copies(str(tmp_path / "local"))
    assert list(partial.iterdir()) == []
    assert copies.found() == {}


def test_directories_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart):
        Copies(str(tmp_path / "file" / "below"))
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "epoch").write_text("not a number")
    with pytest.raises(CannotStart, match="not a number"):
        Copies(str(tmp_path / "local"))
    (tmp_path / "local" / "epoch").unlink()
    Copies(str(tmp_path / "local")).close()
