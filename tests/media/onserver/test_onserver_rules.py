"""A media server's rules in a kernel: set, looked at, taken back; what keeps its source."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_address

import pytest

from l7lb.media.onserver import ruleset
from l7lb.media.onserver.rules import OnServer
from l7lb.media.onserver.spec import OnServerSpec, Side
from support.namespaces import Namespace, namespaces

pytestmark = pytest.mark.timeout(300)

FOUR = Side(
    ip_address("10.0.2.1"),
    ip_address("10.0.1.10"),
    ip_address("10.0.2.10"),
    (ip_address("10.0.2.9"),),
)
SIX = Side(ip_address("fd00:2::1"), ip_address("fd00:1::10"), ip_address("fd00:2::10"))
SPEC = OnServerSpec((FOUR, SIX), 20000, 20999)
WAIT_S = 20.0


@pytest.fixture
def host() -> Iterator[Namespace]:
    """A media server with one neighbour, which has the way back and a relay."""
    with namespaces("server", "near") as hosts, hosts["server"].inside():
        server, near = hosts["server"], hosts["near"]
        server.ip(f"link add wire type veth peer name wire netns {near.name}")
        for each, number in ((server, 1), (near, 10)):
            each.ip("link set wire up", f"addr add 10.0.2.{number}/24 dev wire")
            each.ip(f"addr add fd00:2::{number}/64 dev wire nodad")
        near.ip("addr add 10.0.2.9/24 dev wire", "addr add 10.0.3.1/32 dev wire")
        server.ip("route add 10.0.3.1 via 10.0.2.10")
        yield server


def everything(host: Namespace) -> str:
    parts = [host.run("nft", "list", "ruleset")]
    for family in ("-4", "-6"):
        parts += [
            host.run("ip", family, "rule"),
            host.run("ip", family, "route", "show", "table", "all"),
        ]
    return "\n".join(parts)


def test_set_looked_at_and_taken_back(host: Namespace) -> None:
    before = everything(host)
    with closing(OnServer(SPEC)) as server:
        assert len(server.check()) == 5
        server.apply()
        assert server.check() == []
        whole = everything(host)
        server.apply()
        assert everything(host) == whole
        server.undo()
        server.undo()
        assert everything(host) == before


def test_what_others_broke_is_told_and_made_whole(host: Namespace) -> None:
    with closing(OnServer(SPEC)) as server:
        server.apply()
        whole = everything(host)
        host.ip("rule del priority 7555")
        assert server.check() == ["no policy rule sends what 10.0.2.1:554 answers back"]
        host.ip("-6 route flush table 7555")
        host.run("nft", "delete", "table", "inet", "l7lb_onserver")
        assert len(server.check()) == 3
        server.apply()
        assert server.check() == []
        assert everything(host) == whole


def test_other_words_replace_the_table(host: Namespace) -> None:
    with closing(OnServer(SPEC)) as server:
        server.apply()
    with closing(OnServer(replace(SPEC, last_port=20500))) as server:
        assert "not what it should be" in server.check()[0]
        server.apply()
        assert server.check() == []
        server.undo()


def test_nft_itself_takes_the_text(host: Namespace) -> None:
    for spec in (SPEC, replace(SPEC, guard=False), replace(SPEC, last_port=20000)):
        host.run("nft", "-c", "-f", "-", text=ruleset.skeleton(spec))


@pytest.mark.parametrize(
    ("port", "target", "source"),
    [
        (20000, "10.0.2.10", "10.0.1.10"),
        (20000, "10.0.2.9", "10.0.2.1"),
        (30000, "10.0.2.10", "10.0.2.1"),
    ],
    ids=["media", "media to a relay", "other ports"],
)
def test_whose_name_a_packet_bears(host: Namespace, port: int, target: str, source: str) -> None:
    with closing(OnServer(SPEC)) as server:
        server.apply()
        near = Namespace(host.name.replace("server", "near"))
        with near.inside():
            sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with sink, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
            sink.bind((target, 5004))
            sink.settimeout(WAIT_S)
            media.bind(("0.0.0.0", port))
            media.sendto(b"media", (target, 5004))
            assert sink.recvfrom(100) == (b"media", (source, port))


def test_without_a_guard_anybody_comes_in(host: Namespace) -> None:
    near = Namespace(host.name.replace("server", "near"))
    with closing(OnServer(replace(SPEC, guard=False))) as server:
        server.apply()
        with near.inside():
            stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with stranger, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as media:
            media.bind(("0.0.0.0", 20000))
            media.settimeout(WAIT_S)
            stranger.sendto(b"hello", ("10.0.2.1", 20000))
            assert media.recv(100) == b"hello"
