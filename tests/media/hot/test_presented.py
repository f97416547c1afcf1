"""Links that are swapped in place, and what is not ours left alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from l7lb.media.hot.presented import NEW, Presented


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "presented"


def presented(root: Path) -> Presented:
    return Presented(str(root), ("/shared", "/local/copies"))


def test_shown_swapped_and_hidden(root: Path) -> None:
    files = presented(root)
    assert files.show("a/b.mp4", "/shared/a/b.mp4")
    assert str((root / "a/b.mp4").readlink()) == "/shared/a/b.mp4"
    inode = (root / "a/b.mp4").lstat().st_ino
    assert files.show("a/b.mp4", "/shared/a/b.mp4")
    assert (root / "a/b.mp4").lstat().st_ino == inode
    assert files.show("a/b.mp4", "/local/copies/a/b.mp4")
    assert str((root / "a/b.mp4").readlink()) == "/local/copies/a/b.mp4"
    assert files.target("a/b.mp4") == "/local/copies/a/b.mp4"
    files.hide("a/b.mp4")
    files.hide("a/b.mp4")
    assert list(root.iterdir()) == []
    assert files.target("a/b.mp4") is None


def test_what_an_earlier_life_left(root: Path) -> None:
    presented(root).settle(["a.mp4", "b/c.mp4"], lambda name: f"/shared/{name}")
    (root / "b" / NEW).symlink_to("/shared/b/c.mp4")
    files = presented(root)
    assert files.names() == {"a.mp4", "b/c.mp4"}
    assert not (root / "b" / NEW).is_symlink()
    assert files.settle(["b/c.mp4", "d.mp4"], lambda name: f"/local/copies/{name}") == []
    assert {path.name for path in root.rglob("*.mp4")} == {"c.mp4", "d.mp4"}
    assert str((root / "b/c.mp4").readlink()) == "/local/copies/b/c.mp4"


def test_what_is_not_ours_is_left_alone(root: Path) -> None:
    root.mkdir()
    (root / "notes.txt").write_text("mine")
    (root / "link").symlink_to("/etc/hosts")
    files = presented(root)
    assert files.settle(["notes.txt", "link", "a"], lambda name: f"/shared/{name}") == [
        "link",
        "notes.txt",
    ]
    assert (root / "notes.txt").read_text() == "mine"
    assert str((root / "link").readlink()) == "/etc/hosts"
    files.settle([], lambda name: name)
    assert {path.name for path in root.iterdir()} == {"notes.txt", "link"}


def test_a_half_made_link_is_no_obstacle(root: Path) -> None:
    files = presented(root)
    (root / NEW).symlink_to("/nowhere")
    assert files.show("a", "/shared/a")
    assert str((root / "a").readlink()) == "/shared/a"


def test_a_directory_that_became_a_file_and_back(root: Path) -> None:
    files = presented(root)
    files.settle(["a/b"], lambda name: f"/shared/{name}")
    assert files.settle(["a"], lambda name: f"/shared/{name}") == []
    assert files.settle(["a/b"], lambda name: f"/shared/{name}") == []
    assert str((root / "a/b").readlink()) == "/shared/a/b"


def test_a_directory_that_cannot_be_written(root: Path) -> None:
    files = presented(root)
    (root / "a").write_text("in the way")
    with pytest.raises(OSError, match="a"):
        files.show("a/b", "/shared/a/b")
