"""`l7lb reload` and `l7lb diff`."""

from pathlib import Path

import pytest

from l7lb.cli import reload
from l7lb.cli.client import Client
from support.running_director import Command, Director


def test_reload_says_what_changed(command: Command, director: Director) -> None:
    director.write(more="    max_connections: 1000\n")
    code, out, _ = command("reload")
    lines = out.splitlines()
    assert code == 0
    assert lines[0].endswith("runs")
    assert lines[1] == "~ service www"
    director.write()
    assert command("reload")[0] == 0
    assert "no change" in command("reload")[1]


def test_a_wrong_file_is_status_2_with_every_place(command: Command, director: Director) -> None:
    good = director.file.read_text()
    director.file.write_text(good.replace("pool: web", "pool: wbe").replace("rr", "xx"))
    code, out, err = command("reload")
    director.file.write_text(good)
    assert (code, out) == (2, "")
    assert [line.split(":")[0] for line in err.splitlines()] == [str(director.file)] * 2


def test_diff_reads_a_file_and_changes_nothing(
    command: Command, director: Director, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = director.status()["generation"]
    other = tmp_path / "other.yaml"
    other.write_text(director.file.read_text().replace("workers: 2", "workers: 3"))
    monkeypatch.chdir(tmp_path)
    assert command("diff", "other.yaml") == (0, "~ director director\n    workers 2 → 3\n", "")
    assert command("diff", str(director.file)) == (0, "no change\n", "")
    assert command("diff", "missing.yaml")[0] == 2
    assert director.status()["generation"] == before


def test_what_a_reload_could_not_do_yet_is_told(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {
        "generation": 4, "changes": [], "at_restart": ["director.state"],
        "workers_unconfirmed": [1],
    }  # fmt: skip
    monkeypatch.setattr(Client, "post", lambda *_: answer)
    code, out, _ = command(reload.NAME)
    assert code == 1
    assert "at the next start: director.state" in out
    assert "not yet confirmed by worker 1" in out
