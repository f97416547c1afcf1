"""The media-kernel process as a process: its life, its end, and what stays."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from l7lb.errors import MediaRefused
from l7lb.media.kernel.spec import address_of
from support.media_director import MediaDirector, wanted
from support.media_lab import VIP
from support.media_stage import ask
from support.namespaces import END_S, Namespace, namespaces, stop

pytestmark = pytest.mark.timeout(300)

WANT = wanted(4, ["nat"])


@pytest.fixture
def host() -> Iterator[Namespace]:
    with namespaces("a") as hosts:
        hosts["a"].ip(f"addr add {VIP[4]}/32 dev lo")
        yield hosts["a"]


@pytest.fixture
def director(host: Namespace, tmp_path: Path) -> MediaDirector:
    return MediaDirector(host, tmp_path, "d")


def tables(host: Namespace) -> str:
    return host.run("nft", "list", "tables") + host.run("ip", "rule")


def test_rules_outlive_it_and_the_next_one_takes_them_over(director: MediaDirector) -> None:
    for end in (signal.SIGKILL, signal.SIGTERM):
        process = director.start_kernel()
        assert ask(director, lambda k: k.hello())["wanted_at_s"] is None
        found = ask(director, lambda k: k.want(WANT))
        assert found["changed"] == (end == signal.SIGKILL)
        assert ask(director, lambda k: k.hello())["wanted_at_s"] > 0
        process.send_signal(end)
        process.wait(END_S)
        assert "l7lb_media" in tables(director.host)


def test_clean_leaves_nothing(director: MediaDirector) -> None:
    before = tables(director.host)
    director.start_kernel()
    ask(director, lambda k: k.want(WANT))
    ask(director, lambda k: k.clean())
    assert tables(director.host) == before
    ask(director, lambda k: k.want(WANT))
    process = director.host.start(sys.executable, "-m", "l7lb", "media-kernel", "--clean")
    assert process.wait(END_S) == 0
    assert tables(director.host) == before


def test_a_second_one_on_the_same_socket_says_why(director: MediaDirector) -> None:
    director.start_kernel()
    words = (sys.executable, "-m", "l7lb", "media-kernel", "--socket", str(director.socket))
    with director.log.open("wb") as log:
        second = director.host.start(*words, log=log)
    assert second.wait(END_S) == 1
    assert "another process listens there" in director.log.read_text()
    assert ask(director, lambda k: k.hello())["has_key"]


def test_it_ends_with_its_standard_input(director: MediaDirector) -> None:
    words = (sys.executable, "-m", "l7lb", "media-kernel", "--while-stdin")
    process = subprocess.Popen(
        director.host.command(*words, "--socket", str(director.socket)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    director.host.started.append(process)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == b"ready\n"
    process.stdin.close()
    assert process.wait(END_S) == 0
    stop(process)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--user", "no such user"], "there is no user"),
        (["--key", "/nonexistent/key"], "No such file"),
        (["--key", "/etc/hostname"], "16 bytes"),
    ],
)
def test_what_cannot_be_is_told(director: MediaDirector, options: list[str], words: str) -> None:
    command = (sys.executable, "-m", "l7lb", "media-kernel", "--socket", str(director.socket))
    with director.log.open("wb") as log:
        process = director.host.start(*command, *options, log=log)
    assert process.wait(END_S) == 1
    assert words in director.log.read_text()


def test_without_rights_a_want_is_refused_in_words(director: MediaDirector) -> None:
    director.folder.chmod(0o777)
    words = (sys.executable, "-m", "l7lb", "media-kernel", "--socket", str(director.socket))
    bare = ("setpriv", "--bounding-set=-all", "--inh-caps=-all")
    with director.log.open("wb") as log:
        process = director.host.start(*bare, *words, log=log, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n", director.log.read_text()
    with pytest.raises(MediaRefused, match="not permitted"):
        ask(director, lambda k: k.want(WANT))


def test_bad_questions_get_words(director: MediaDirector) -> None:
    director.start_kernel()
    client = address_of("198.51.100.1", "")
    with pytest.raises(MediaRefused, match="no server is wanted"):
        ask(director, lambda k: k.transparent_socket(client))
    ask(director, lambda k: k.want(WANT))
    server = str(WANT.services[0].servers[0].address)
    path = {"client": str(client), "client_port": 5000, "server": server, "server_port": 20000}
    for change, words in (
        ({"server_port": 19999}, "no media port that is wanted"),
        ({"server": "10.9.9.9"}, "no media port that is wanted"),
        ({"client": "fd00::1"}, "two families"),
        ({"client": "x"}, "client"),
        ({"client_port": 0}, "not a port"),
        ({"agent": "x"}, "agent is not a port"),
    ):
        with pytest.raises(MediaRefused, match=words):
            ask(director, lambda k, change=change: k.latch(path | change, 60))  # type: ignore[misc]
    for timeout_s in (0, 10**6, "1m"):
        with pytest.raises(MediaRefused, match="timeout_s"):
            ask(director, lambda k, t=timeout_s: k.latch(path, t))  # type: ignore[misc]
    with pytest.raises(MediaRefused, match="no server of that name"):
        ask(director, lambda k: k.probe(("video", "nobody")))
    with pytest.raises(MediaRefused, match="no verb"):
        ask(director, lambda k: k._ask("nonsense"))
    assert ask(director, lambda k: k.latch(path, 60)) == {"heard": "silent", "port": 0}
