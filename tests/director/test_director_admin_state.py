"""The administrator's words on disk."""

import json
import stat
from pathlib import Path

import pytest

from l7lb.director.admin_state import FILE, AdminState, write_atomically
from l7lb.pool.server import Admin, ServerUpdate

KEY = ("web", "a")


class Wall:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def again(folder: Path, wall: Wall) -> AdminState:
    state = AdminState(folder, wall)
    state.load()
    return state


def test_words_outlive_the_process(tmp_path: Path) -> None:
    wall = Wall()
    state = AdminState(tmp_path, wall)
    state.set_admin(KEY, Admin.DRAIN, 1600.0)
    state.set_weight(KEY, 7)
    wall.now_s = 1100.0
    entry = again(tmp_path, wall).get(KEY)
    assert (entry.admin, entry.drain_until_s, entry.weight) == (Admin.DRAIN, 1600.0, 7)
    assert entry.since_s == 1000.0


def test_a_drains_end_moves_to_the_monotonic_clock(tmp_path: Path) -> None:
    wall = Wall()
    state = AdminState(tmp_path, wall)
    state.set_admin(KEY, Admin.DRAIN, 1600.0)
    wall.now_s = 1100.0
    assert state.update(KEY, 50.0) == ServerUpdate(
        "a", admin=Admin.DRAIN, drain_until=550.0, weight=-1
    )
    assert state.updates(50.0) == [("web", state.update(KEY, 50.0))]


def test_what_is_back_to_normal_is_told_once_and_not_kept(tmp_path: Path) -> None:
    state = AdminState(tmp_path, Wall())
    state.set_weight(KEY, 0)
    state.set_weight(KEY, None)
    assert state.update(KEY, 0.0) == ServerUpdate("a", admin=Admin.READY, weight=-1)
    assert state.updates(0.0) == []
    assert json.loads((tmp_path / FILE).read_text()) == {"servers": []}


def test_servers_that_left_are_forgotten(tmp_path: Path) -> None:
    state = AdminState(tmp_path, Wall())
    state.set_weight(KEY, 3)
    state.set_weight(("web", "b"), 4)
    assert state.keep_only([KEY]) == [("web", "b")]
    assert again(tmp_path, Wall()).get(("web", "b")).weight is None
    assert again(tmp_path, Wall()).get(KEY).weight == 3


def test_no_file_is_no_words(tmp_path: Path) -> None:
    assert again(tmp_path, Wall()).updates(0.0) == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"servers": 3}', '{"servers": [{}]}', '{"servers": [{"pool": "web"}]}',
     '{"servers": [{"pool": "w", "server": "a", "admin": "x", "drain_until_s": 0, "since_s": 0}]}'],
)  # fmt: skip
def test_a_file_that_is_not_ours_is_an_error_and_can_be_put_aside(
    tmp_path: Path, text: str
) -> None:
    (tmp_path / FILE).write_text(text)
    state = AdminState(tmp_path, Wall())
    with pytest.raises(ValueError, match="no state file"):
        state.load()
    assert (tmp_path / FILE).read_text() == text
    assert state.put_aside().read_text() == text
    state.load()
    assert state.updates(0.0) == []


def test_what_cannot_be_written_is_not_so(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    state = AdminState(folder, Wall())
    folder.rmdir()
    with pytest.raises(FileNotFoundError):
        state.set_weight(KEY, 3)
    assert state.get(KEY).weight is None


def test_files_are_private_and_nothing_is_left_beside_them(tmp_path: Path) -> None:
    path = tmp_path / "x"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(path, b"one")
    assert list(tmp_path.iterdir()) == [path]
