"""What the kernel says of files that this process opens, and that too many events are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from l7lb.media.hot import inotify as module
from l7lb.media.hot.events import CLOSE_S, OPEN_S, Sorter
from l7lb.media.hot.inotify import CLOSED, Event, Inotify, Lost, Mask, NoWatches


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "film.mp4").write_bytes(b"x")
    return folder


def test_an_opening_and_its_close(watched: Path) -> None:
    inotify = Inotify()
    inotify.watch(str(watched))
    inotify.watch(str(watched))
    (watched / "film.mp4").read_bytes()
    first, *_, last = inotify.read()
    assert first == Event(str(watched), "film.mp4", Mask.OPEN)
    assert first.path == str(watched / "film.mp4")
    assert last.mask & CLOSED
    assert inotify.read() == []
    inotify.unwatch(str(watched))
    inotify.unwatch("/never/watched")
    (watched / "film.mp4").read_bytes()
    assert inotify.read() == []
    assert inotify.watched() == set()
    inotify.close()


def test_through_a_link_it_is_the_real_file_that_is_opened(watched: Path, tmp_path: Path) -> None:
    inotify = Inotify()
    inotify.watch(str(watched))
    (tmp_path / "link").symlink_to(watched / "film.mp4")
    (tmp_path / "link").read_bytes()
    assert inotify.read()[0].name == "film.mp4"
    inotify.close()


def test_a_directory_that_goes_is_no_longer_watched(watched: Path) -> None:
    inotify = Inotify()
    inotify.watch(str(watched))
    (watched / "film.mp4").unlink()
    watched.rmdir()
    assert [each.mask for each in inotify.read()] == [Mask.DELETE]
    assert inotify.watched() == set()
    with pytest.raises(FileNotFoundError):
        inotify.watch(str(watched))
    inotify.close()


def test_too_many_events_are_told(watched: Path) -> None:
    inotify = Inotify()
    inotify.watch(str(watched))
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    for number in range(limit // 2 + 10):
        (watched / "film.mp4").rename(watched / f"film{number}.mp4")
        (watched / f"film{number}.mp4").rename(watched / "film.mp4")
    with pytest.raises(Lost):
        inotify.read()
    assert inotify.read() == []
    inotify.close()


def test_too_many_watches_are_told(watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def inotify_add_watch(self, *_: object) -> int:
            module.ctypes.set_errno(28)
            return -1

    inotify = Inotify()
    monkeypatch.setattr(module, "_libc", Full())
    with pytest.raises(NoWatches):
        inotify.watch(str(watched))
    inotify.close()


# --------------------------------------------------------------------------- sorted


def name_of(path: str) -> str | None:
    return path.removeprefix("/s/") if path.startswith(("/s/", "/c/")) else None


def events(*masks: Mask, directory: str = "/s", name: str = "f") -> list[Event]:
    return [Event(directory, name, mask) for mask in masks]


def test_sorted_into_openings_closes_and_changes() -> None:
    sorter = Sorter("/s", name_of)
    found = sorter.sort(events(Mask.OPEN, Mask.CLOSE_NOWRITE), 0.0)
    assert (found.opened, found.closed, found.is_changed) == (["f"], ["f"], False)
    for mask in (Mask.CLOSE_WRITE, Mask.CREATE, Mask.DELETE, Mask.MOVED_TO, Mask.MOVED_FROM):
        assert sorter.sort(events(mask), 0.0).is_changed
        assert not sorter.sort(events(mask, directory="/c"), 0.0).is_changed
        sorter.forget("/s/f")
    assert sorter.sort(events(Mask.CREATE | Mask.ISDIR), 0.0).is_changed
    assert sorter.sort(events(Mask.OPEN | Mask.ISDIR), 0.0).opened == []
    assert sorter.sort(events(Mask.OPEN, directory="/elsewhere"), 0.0).opened == []


def test_our_own_openings_are_left_out_once() -> None:
    sorter = Sorter("/s", name_of)
    sorter.expect("/s/f", 0.0)
    found = sorter.sort(events(Mask.OPEN, Mask.OPEN, Mask.CLOSE_NOWRITE, Mask.CLOSE_NOWRITE), 0.0)
    assert (found.opened, found.closed) == (["f"], ["f"])
    sorter.expect("/s/f", 0.0)
    sorter.forget("/s/f")
    assert sorter.sort(events(Mask.OPEN), 0.0).opened == ["f"]


def test_whoever_writes_a_new_file_is_no_reader() -> None:
    sorter = Sorter("/s", name_of)
    found = sorter.sort(events(Mask.CREATE, Mask.OPEN, Mask.CLOSE_WRITE, Mask.OPEN), 0.0)
    assert (found.opened, found.closed) == (["f"], [])


def test_what_was_expected_and_never_came_hides_nothing_later() -> None:
    sorter = Sorter("/s", name_of)
    sorter.expect("/s/f", 0.0)
    sorter.sort([], OPEN_S + 1)
    found = sorter.sort(events(Mask.OPEN, Mask.CLOSE_NOWRITE), OPEN_S + 1)
    assert (found.opened, found.closed) == (["f"], [])
    sorter.expect("/s/f", 0.0)
    sorter.sort([], CLOSE_S + 1)
    assert sorter.sort(events(Mask.CLOSE_NOWRITE), CLOSE_S + 1).closed == ["f"]
