"""`l7lb demo` as a user runs it: it must show no failed request, and clean up."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from l7lb.demo.cluster import listening
from l7lb.demo.processes import Processes

pytestmark = pytest.mark.timeout(180)


def l7lb(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "l7lb", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


def rows(output: str) -> dict[str, list[int]]:
    """Counts of each row of the table by its label; the last is `failed`."""
    found = {}
    for line in output.splitlines():
        cells = re.findall(r"\s{2,}(\d+|·)(?=\s|$)", line[46:])
        if len(cells) == 8:
            found[line[:46].strip()] = [0 if cell == "·" else int(cell) for cell in cells]
    return found


def test_it_shows_every_rule_and_no_failure_and_leaves_nothing(tmp_path: Path) -> None:
    done = l7lb("demo", "--exit", "--directory", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    table = rows(done.stdout)
    assert len(table) == 9
    assert all(counts[-1] == 0 for counts in table.values())
    assert sum(count > 0 for count in table["sticky  one browser with its L7LB cookie"]) == 1
    assert table["web-2 started again"][1] >= 30
    assert re.search(r"\n\d+ requests, 0 failed\.\n", done.stdout)
    assert "has been stopped" in done.stdout
    assert (tmp_path / "cluster.yaml").exists()
    assert not (tmp_path / "processes.json").exists()
    port = re.search(r"director +http://127\.0\.0\.1:(\d+)", done.stdout)
    assert port
    assert not listening(int(port[1]))


def test_what_it_leaves_up_works_until_it_is_stopped(tmp_path: Path) -> None:
    done = l7lb("demo", "--leave", "--directory", str(tmp_path))
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        curl, status, drain = re.findall(
            r"^  (.*)$", done.stdout.partition("\nTry:")[2], re.MULTILINE
        )
        answer = subprocess.run(
            curl, shell=True, capture_output=True, text=True, timeout=30, check=True
        )
        assert "HTTP/1.1 200 OK" in answer.stdout
        shown = l7lb(*arguments_of(status))
        assert shown.returncode == 0, shown.stderr
        assert "canary-1" in shown.stdout
        assert l7lb(*arguments_of(drain)).stdout.startswith("web/web-1: drain")
    finally:
        stopped = l7lb("demo", "--stop", "--directory", str(tmp_path))
    assert stopped.stdout == "8 processes ended\n"
    assert Processes.load(tmp_path / "processes.json").stop_all() == 0


def arguments_of(command: str) -> list[str]:
    """Without the program, which may be called in several ways."""
    words = command.split()
    verb = min(words.index(each) for each in ("status", "drain") if each in words)
    return words[verb:]
