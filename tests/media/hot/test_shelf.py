"""Shared, copied and presented together: what is shown leads to something whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from l7lb.media.hot import shelf as module
from l7lb.media.hot.errors import CannotStart, OriginalChanged, SharedAway
from l7lb.media.hot.originals import walk
from l7lb.media.hot.pace import Pace
from l7lb.media.hot.shelf import Shelf
from l7lb.model_directory import SecretSpec
from l7lb.model_hot_files import AnnounceSpec, HotFilesSpec
from support.media_agent import OLD_S, Films, Reader

FAST = Pace()


@pytest.fixture
def films(tmp_path: Path) -> Films:
    return Films(tmp_path)


def spec(films: Films, settle_s: float = 0.0) -> HotFilesSpec:
    announce = AnnounceSpec((), SecretSpec(b""))
    top = films.top
    return HotFilesSpec(
        f"{top}/shared", f"{top}/{{node}}/local", f"{top}/{{node}}/seen", 10**6, announce,
        settle_s=settle_s,
    )  # fmt: skip


@pytest.fixture
def shelf(films: Films) -> Iterator[Shelf]:
    films.make("a/one.mp4", 1000)
    films.make("two.mp4", 1000)
    found = Shelf(spec(films), "m1")
    found.settle(found.walk())
    yield found
    found.close()


def shown(shelf: Shelf, name: str) -> Path:
    return Path(shelf.presented.root, name).resolve()


def copy(shelf: Shelf, name: str) -> Path:
    shelf.present(name, shelf.copy(name, FAST))
    return Path(shelf.copies.path(name))


def test_all_files_are_presented_and_links_to_files_too(films: Films, shelf: Shelf) -> None:
    (films.shared / "link.mp4").symlink_to("two.mp4")
    (films.shared / ".l7lb-work").touch()
    settled = shelf.settle(shelf.walk())
    assert settled.names == {"a/one.mp4", "two.mp4", "link.mp4"}
    assert shown(shelf, "a/one.mp4") == films.shared / "a/one.mp4"
    assert shelf.name(f"{films.shared}/a/one.mp4") == "a/one.mp4"
    assert shelf.name(shelf.copies.path("x")) == "x"
    assert shelf.name("/elsewhere/x") is None
    with pytest.raises(OriginalChanged, match="no file"):
        shelf.copy("link.mp4", FAST)


def test_a_copy_is_shown_and_led_back_when_it_is_evicted(films: Films, shelf: Shelf) -> None:
    made = copy(shelf, "two.mp4")
    assert shown(shelf, "two.mp4") == made
    assert shelf.evict("two.mp4")
    assert shown(shelf, "two.mp4") == films.shared / "two.mp4"
    assert shelf.held == {}
    copy(shelf, "two.mp4")
    shelf.drop(["two.mp4"])
    assert shown(shelf, "two.mp4") == films.shared / "two.mp4"


def test_a_copy_that_is_read_stays_and_stays_shown(shelf: Shelf) -> None:
    made = copy(shelf, "two.mp4")
    reader = Reader(made)
    assert not shelf.evict("two.mp4")
    assert shown(shelf, "two.mp4") == made
    reader.end()


def test_a_changed_original_is_shown_at_once_instead_of_its_copy(
    films: Films, shelf: Shelf
) -> None:
    copy(shelf, "two.mp4")
    films.make("two.mp4", 500)
    settled = shelf.settle(shelf.walk())
    assert settled.dropped == ["two.mp4"]
    assert shown(shelf, "two.mp4") == films.shared / "two.mp4"
    assert not Path(shelf.copies.path("two.mp4")).exists()


def test_a_copy_that_was_made_during_the_walk_stays(shelf: Shelf) -> None:
    walked = shelf.walk()
    made = copy(shelf, "two.mp4")
    assert shelf.settle(walked).dropped == []
    assert shown(shelf, "two.mp4") == made
    assert shelf.settle(shelf.walk()).dropped == []


def test_a_vanished_original_takes_its_copy_along(films: Films, shelf: Shelf) -> None:
    copy(shelf, "two.mp4")
    (films.shared / "two.mp4").unlink()
    assert shelf.settle(shelf.walk()).dropped == ["two.mp4"]
    assert not Path(shelf.presented.root, "two.mp4").is_symlink()


def test_a_file_that_is_just_written_waits(films: Films) -> None:
    path = films.make("new.mp4", 10)
    os.utime(path)
    shelf = Shelf(spec(films, settle_s=3600.0), "m1")
    with pytest.raises(OriginalChanged, match="just now"):
        shelf.copy("new.mp4", FAST)
    os.utime(path, (OLD_S, OLD_S))
    assert shelf.copy("new.mp4", FAST).size == 10
    shelf.close()


def test_after_a_restart_true_copies_are_used_and_false_ones_dropped(films: Films) -> None:
    for name in ("same.mp4", "changed.mp4", "gone.mp4"):
        films.make(name, 1000)
    first = Shelf(spec(films), "m1")
    first.settle(first.walk())
    for name in ("same.mp4", "changed.mp4", "gone.mp4"):
        copy(first, name)
    first.close()
    films.make("changed.mp4", 1001)
    (films.shared / "gone.mp4").unlink()
    again = Shelf(spec(films), "m1")
    assert set(again.held) == {"same.mp4", "changed.mp4", "gone.mp4"}
    assert sorted(again.settle(again.walk()).dropped) == ["changed.mp4", "gone.mp4"]
    assert list(again.held) == ["same.mp4"]
    assert shown(again, "same.mp4") == Path(again.copies.path("same.mp4"))
    again.close()


def test_a_mount_point_that_is_empty_changes_nothing(films: Films, shelf: Shelf) -> None:
    copy(shelf, "two.mp4")
    aside = films.shared.rename(films.top / "aside")
    with pytest.raises(SharedAway):
        shelf.walk()
    films.shared.mkdir()
    with pytest.raises(SharedAway, match="not mounted"):
        shelf.walk()
    settled = shelf.settle(None)
    assert settled.names == {"a/one.mp4", "two.mp4"}
    assert shown(shelf, "two.mp4") == Path(shelf.copies.path("two.mp4"))
    films.shared.rmdir()
    aside.rename(films.shared)
    assert shelf.settle(shelf.walk()).dropped == []


def test_away_at_the_start_what_is_copied_is_shown(films: Films) -> None:
    films.make("one.mp4", 100)
    first = Shelf(spec(films), "m1")
    copy(first, "one.mp4")
    first.close()
    (films.shared / "one.mp4").unlink()
    again = Shelf(spec(films), "m1")
    with pytest.raises(SharedAway, match="not mounted"):
        again.walk()
    again.settle(None)
    assert shown(again, "one.mp4") == Path(again.copies.path("one.mp4"))
    again.close()


def test_another_file_system_in_its_place(
    films: Films, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = walk(shelf.shared)
    found.device += 1
    monkeypatch.setattr(module, "walk", lambda *_: found)
    with pytest.raises(SharedAway, match="not mounted"):
        shelf.walk()


def test_a_look_that_fails_is_away(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shelf.look("never there") is None

    def stale(_path: str) -> None:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(module, "look_at", stale)
    with pytest.raises(SharedAway, match="Stale"):
        shelf.look("two.mp4")


def test_directories_in_one_another_are_refused(films: Films) -> None:
    announce = AnnounceSpec((), SecretSpec(b""))
    nested = HotFilesSpec(f"{films.shared}", f"{films.shared}/x", "/y/z", 1, announce)
    with pytest.raises(CannotStart, match="must be apart"):
        Shelf(nested, "m1")
