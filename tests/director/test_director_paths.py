"""Default places, and the secret."""

import os
import stat
from pathlib import Path

import pytest

from l7lb.director import paths
from l7lb.model import DirectorSpec


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (paths.CONTROL_VARIABLE, "XDG_RUNTIME_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)


def as_user(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(paths.os, "geteuid", lambda: number)


def test_control_of_root_and_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    as_user(monkeypatch, 0)
    assert paths.control_path(DirectorSpec()) == Path("/run/l7lb/control.sock")
    as_user(monkeypatch, 1000)
    assert paths.control_path(DirectorSpec()) == Path("/tmp/l7lb-1000/control.sock")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    assert paths.control_path(DirectorSpec()) == Path("/run/user/1000/l7lb/control.sock")


def test_control_by_command_line_environment_and_file(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = DirectorSpec(control="/file")
    assert paths.control_path(spec) == Path("/file")
    monkeypatch.setenv(paths.CONTROL_VARIABLE, "/environment")
    assert paths.control_path(spec) == Path("/environment")
    assert paths.control_path(spec, "/line") == Path("/line")


def test_state_is_made_private(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    as_user(monkeypatch, os.getuid() or 1000)
    monkeypatch.setattr(paths.os, "geteuid", lambda: tmp_path.stat().st_uid)
    found = paths.state_directory(DirectorSpec(state=str(tmp_path / "a" / "b")))
    assert stat.S_IMODE(found.stat().st_mode) == 0o700


def test_state_of_a_user_is_below_its_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(paths, "private_directory", lambda path: None)
    as_user(monkeypatch, 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert paths.state_directory(DirectorSpec()) == tmp_path / ".local/state/l7lb"
    monkeypatch.setenv("XDG_STATE_HOME", "/xdg")
    assert paths.state_directory(DirectorSpec()) == Path("/xdg/l7lb")
    as_user(monkeypatch, 0)
    assert paths.state_directory(DirectorSpec()) == Path("/var/lib/l7lb")


def test_a_directory_of_somebody_else_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the eyes of a user whom neither the directory nor root's rule covers."""
    as_user(monkeypatch, 4242)
    monkeypatch.setattr(Path, "stat", lambda self, **_: os.stat_result((0o40700, *[7] * 9)))
    monkeypatch.setattr(Path, "mkdir", lambda self, **_: None)
    with pytest.raises(PermissionError, match="somebody else"):
        paths.private_directory(tmp_path)


def test_the_secret_is_the_files_or_made_once(tmp_path: Path) -> None:
    assert paths.cookie_secret(DirectorSpec(cookie_secret=b"given"), tmp_path) == b"given"
    assert list(tmp_path.iterdir()) == []
    made = paths.cookie_secret(DirectorSpec(), tmp_path)
    assert len(made) == paths.SECRET_BYTES
    assert paths.cookie_secret(DirectorSpec(), tmp_path) == made
    (tmp_path / paths.SECRET_FILE).write_bytes(b"short")
    assert len(paths.cookie_secret(DirectorSpec(), tmp_path)) == paths.SECRET_BYTES
