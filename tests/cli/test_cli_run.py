"""`l7lb run` where it does not run. Where it does: tests/director."""

import resource
import subprocess
from pathlib import Path

import pytest

from l7lb.cli.run import allow_descriptors
from support.running_director import Command, Director


def test_a_wrong_file_is_status_2_with_its_place(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("pools: {}\nservice: {}\n")
    code, _, err = command("run", str(path))
    assert code == 2
    assert f"{path}:2:1: " in err


def test_a_missing_file_is_status_2(command: Command, tmp_path: Path) -> None:
    code, _, err = command("run", str(tmp_path / "none.yaml"))
    assert code == 2
    assert "none.yaml" in err


def test_a_second_director_on_the_same_socket_is_status_1(
    director: Director, command: Command
) -> None:
    done = subprocess.run(
        director.command(), env=director.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert f"cannot listen on {director.control}" in done.stderr


def test_all_descriptors_that_are_allowed_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: seen.append((which, limits)))
    allow_descriptors()
    assert seen == [(resource.RLIMIT_NOFILE, (4096, 4096))]
