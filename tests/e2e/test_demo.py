"""`l7lb demo` as a user runs it: it must show no failed request, and clean up."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from l7lb.demo.cluster import listening
from l7lb.demo.processes import Processes

VERBS = ("status", "drain", "explain", "where", "kick")
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


def rows(output: str, width: int) -> dict[str, list[int]]:
    """Counts of each row of the tables so wide, by its label; the last is `failed`."""
    found = {}
    for line in output.splitlines():
        cells = re.findall(r"\s{2,}(\d+|·)(?=\s|$)", line[46:])
        if len(cells) == width:
            found[line[:46].strip()] = [0 if cell == "·" else int(cell) for cell in cells]
    return found


def test_it_shows_every_rule_and_no_failure_and_leaves_nothing(tmp_path: Path) -> None:
    done = l7lb("demo", "--exit", "--directory", str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    shop, _, rest = done.stdout.partition("A film:")
    film_part, _, mail_part = rest.partition("Mail:")
    table, film, mail = rows(shop, width=8), rows(film_part, width=5), rows(mail_part, width=5)
    assert len(table) == 9
    assert len(film) == 4
    assert len(mail) == 7
    assert all(counts[-1] == 0 for counts in (*table.values(), *film.values(), *mail.values()))
    assert sum(count > 0 for count in table["sticky  one browser with its L7LB cookie"]) == 1
    assert table["web-2 started again"][1] >= 30
    check_film(film)
    assert mail["imap    each reads them"][1:3] == mail["pop3    and once more"][1:3] == [10, 20]
    assert mail["m1 gets SIGKILL now, she reads on"][1:3] == [0, 10]
    assert sum(mail["imap    m1 started again, each reads all"][1:3]) == 60
    assert re.search(r"\n\d+ requests, 0 failed\.\n", done.stdout)
    assert "has been stopped" in done.stdout
    assert (tmp_path / "cluster.yaml").exists()
    assert not (tmp_path / "processes.json").exists()
    port = re.search(r"director +http://127\.0\.0\.1:(\d+)", done.stdout)
    assert port
    assert not listening(int(port[1]))


def check_film(film: dict[str, list[int]]) -> None:
    """Two servers for four players, one for ffmpeg; over UDP all through the relay, else none."""
    for label, (first, second, relay, worker, _) in film.items():
        assert (min(first, second) > 0) == ("players" in label), label
        crossed, other = (relay, worker) if label.startswith("udp") else (worker, relay)
        assert crossed >= first + second > 0, label
        assert other == 0, label


def test_what_it_leaves_up_works_until_it_is_stopped(tmp_path: Path) -> None:
    done = l7lb("demo", "--leave", "--directory", str(tmp_path))
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        commands = re.findall(r"^  (.*)$", done.stdout.partition("\nTry:")[2], re.MULTILINE)
        curl, status, drain, route, watch, read, explain, where, kick = commands
        answer = subprocess.run(
            curl, shell=True, capture_output=True, text=True, timeout=30, check=True
        )
        assert "HTTP/1.1 200 OK" in answer.stdout
        shown = l7lb(*arguments_of(status))
        assert shown.returncode == 0, shown.stderr
        assert "canary-1" in shown.stdout
        assert l7lb(*arguments_of(drain)).stdout.startswith("web/web-1: drain")
        assert "pool       films" in l7lb(*arguments_of(route)).stdout
        program, *how, url = watch.split()
        assert program == "ffplay"
        sound = subprocess.run(
            ["ffmpeg", "-v", "error", *how, "-i", url, "-t", "1", "-f", "mulaw", "-"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
            check=True,
        )
        assert len(sound.stdout) > 4000
        order = subprocess.run(
            read, shell=True, capture_output=True, text=True, timeout=30, check=True
        )
        assert "Subject: order 1" in order.stdout
        assert "choice       m1" in l7lb(*arguments_of(explain)).stdout
        assert "alice@demo.test  mail  m2" in l7lb(*arguments_of(where)).stdout
        assert "sessions on mail/m2 end" in l7lb(*arguments_of(kick)).stdout
    finally:
        stopped = l7lb("demo", "--stop", "--directory", str(tmp_path))
    assert stopped.stdout == "13 processes ended\n"
    assert Processes.load(tmp_path / "processes.json").stop_all() == 0


def arguments_of(command: str) -> list[str]:
    """Without the program, which may be called in several ways."""
    words = command.split()
    verb = min(words.index(each) for each in VERBS if each in words)
    return words[verb:]
