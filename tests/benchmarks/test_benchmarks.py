"""The benchmark suite runs: configurations are accepted and one case gives figures. No times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def benchmarks(*arguments: str) -> str:
    """Its output; it must end well. Programs for administrators may not be in a user's PATH."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        check=False,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.timeout(120)
def test_every_program_accepts_its_configuration_and_forwards_the_same(tmp_path: Path) -> None:
    shown = benchmarks("--check", "--folder", str(tmp_path))
    assert shown.count(": accepted") == 18
    assert shown.count("forwards: for=127.0.0.1 proto=http") == 3


@pytest.mark.timeout(120)
def test_a_case_gives_figures_for_all(tmp_path: Path) -> None:
    options = ("--rounds", "1", "--seconds", "1", "--folder", str(tmp_path))
    shown = benchmarks("small-32-nolog", *options)
    assert "ours ÷ this" in shown
    found = json.loads((tmp_path / "small-32-nolog.json").read_text())
    assert set(found["rounds"]) == {"l7lb", "haproxy", "nginx"}
    assert all(len(rounds) == 1 and rounds[0] > 0 for rounds in found["rounds"].values())
    assert found["ratio"] == found["ours"] / found["peer"]


@pytest.mark.timeout(120)
def test_locks_give_figures_for_each_engine(tmp_path: Path) -> None:
    options = ("--rounds", "1", "--seconds", "1", "--folder", str(tmp_path))
    benchmarks("lock-pairs-1", "lock-hand-over", *options)
    for case in ("lock-pairs-1", "lock-hand-over"):
        rounds = json.loads((tmp_path / f"{case}.json").read_text())["rounds"]
        assert set(rounds) == {"l7lb", "bare etcd", "lockd", "memory"}
        assert all(figures[0] > 0 for figures in rounds.values())


@pytest.mark.timeout(120)
def test_look_ups_give_figures(tmp_path: Path) -> None:
    options = ("--rounds", "1", "--seconds", "1", "--folder", str(tmp_path))
    shown = benchmarks("lookup", "lookup-cached", *options)
    assert "slapd, µs CPU/look-up" in shown
    found = json.loads((tmp_path / "lookup.json").read_text())
    assert set(found["rounds"]) == {"l7lb", "blocking calls", "one at a time"}
    cached = json.loads((tmp_path / "lookup-cached.json").read_text())
    assert set(cached["rounds"]) == {"l7lb", "cold"}


@pytest.mark.timeout(240)
def test_mail_gives_figures_for_each_proxy(tmp_path: Path) -> None:
    options = ("--rounds", "1", "--seconds", "1", "--folder", str(tmp_path))
    shown = benchmarks("imap-login", "imap-relay-mib", *options)
    assert "logins/s, dovecot" in shown
    for case in ("imap-login", "imap-relay-mib"):
        rounds = json.loads((tmp_path / f"{case}.json").read_text())["rounds"]
        assert set(rounds) == {"l7lb", "dovecot", "nginx"}
        assert all(figures[0] > 0 for figures in rounds.values())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a private Postfix")
@pytest.mark.timeout(180)
def test_smtp_gives_figures_beside_postfix(tmp_path: Path) -> None:
    options = ("--rounds", "1", "--seconds", "1", "--folder", str(tmp_path))
    shown = benchmarks("smtp-10k", "smtp-10k-kept", *options)
    assert "messages/s, postfix" in shown
    for case in ("smtp-10k", "smtp-10k-kept"):
        rounds = json.loads((tmp_path / f"{case}.json").read_text())["rounds"]
        assert set(rounds) == {"l7lb", "postfix"}
        assert all(figures[0] > 0 for figures in rounds.values())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make the hosts")
@pytest.mark.timeout(240)
def test_the_relay_gives_figures_beside_the_kernel_and_asyncio(tmp_path: Path) -> None:
    options = ("--rounds", "1", "--seconds", "1", "--folder", str(tmp_path), "--host-network")
    benchmarks("relay-10k", "relay-memory", *options)
    rounds = json.loads((tmp_path / "relay-10k.json").read_text())["rounds"]
    assert set(rounds) == {"l7lb", "kernel forward", "bare C", "asyncio"}
    assert all(figures[0] > 0 for figures in rounds.values())
    memory = json.loads((tmp_path / "relay-memory.json").read_text())["rounds"]
    assert memory["l7lb"][0] > memory["its sockets"][0] > 0


def test_an_unknown_case_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "no-such-case"],
        check=False,
        cwd=ROOT,
        capture_output=True,
    )
    assert done.returncode != 0
    assert b"no such case: no-such-case" in done.stderr
