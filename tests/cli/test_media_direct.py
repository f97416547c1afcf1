"""`l7lb media-direct`: what may be said, and a life with rules, check and undo."""

from __future__ import annotations

import argparse
import subprocess
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest

from l7lb.cli import media_direct
from support.media_director import KEY, read_line
from support.namespaces import END_S, namespaces

pytestmark = pytest.mark.timeout(300)

FOUR = ("--address", "10.0.2.1", "--vip", "10.0.1.10")
PORTS = ("--media-ports", "20000-20999")


def spec(*words: str) -> media_direct.OnServerSpec:
    parser = argparse.ArgumentParser()
    media_direct.configure(parser)
    return media_direct.spec_of(parser.parse_args(words))


def test_both_families() -> None:
    made = spec(
        *(*FOUR, "--way-back", "10.0.2.10", "--relay", "10.0.2.9", *PORTS),
        *("--address", "fd00::1", "--vip", "fd00::10", "--no-guard", "--rtsp-port", "8554"),
    )
    assert [side.address.version for side in made.sides] == [4, 6]
    assert made.sides[0].way_back == ip_address("10.0.2.10")
    assert made.sides[0].relays == (ip_address("10.0.2.9"),)
    assert made.sides[1].way_back is None
    assert (made.first_port, made.last_port, made.rtsp_port) == (20000, 20999, 8554)
    assert not made.guard


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((*FOUR, "--media-ports", "x"), "FIRST-LAST"),
        ((*FOUR, "--media-ports", "9-2"), "first before the last"),
        ((*PORTS, "--address", "10.0.2.1"), "one --vip"),
        ((*FOUR, *FOUR, *PORTS), "one --address"),
        ((*FOUR, "--vip", "fd00::10", *PORTS), "--vip of a family"),
        ((*FOUR, "--way-back", "host", *PORTS), "host"),
        (PORTS, "one side of IPv4"),
    ],
)
def test_what_cannot_be(words: tuple[str, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        spec(*words)


def test_a_life(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(KEY)
    verb = (sys.executable, "-m", "l7lb", "media-direct", *FOUR, *PORTS)
    with namespaces("server") as hosts:
        server = hosts["server"]
        server.ip("addr add 10.0.2.1/32 dev lo")
        assert server.start(*verb, "--check").wait(END_S) == 1
        process = server.start(*verb, "--key", str(key), stdout=subprocess.PIPE)
        assert read_line(process) == "ready"
        assert server.start(*verb, "--check").wait(END_S) == 0
        process.terminate()
        assert process.wait(END_S) == 0
        assert server.start(*verb, "--check").wait(END_S) == 0
        assert server.start(*verb, "--undo").wait(END_S) == 0
        assert server.run("nft", "list", "ruleset") == ""
        assert server.start(*verb).wait(END_S) == 2
