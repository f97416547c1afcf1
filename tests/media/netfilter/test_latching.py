"""Latches in a kernel: set, begun anew, given way, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from l7lb.media.kernel import ruleset
from l7lb.media.netfilter import latching
from l7lb.media.netfilter.latches import Heard, Path
from l7lb.media.netfilter.latching import Latching
from l7lb.media.netfilter.libnftables import Nft
from support.namespaces import namespaces

PATHS = {
    4: Path(ip_address("10.0.0.1"), 5000, ip_address("10.0.2.1"), 20000),
    6: Path(ip_address("fd00::1"), 5000, ip_address("fd00:2::1"), 20000),
}


@pytest.fixture
def nft(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nft]:
    monkeypatch.setattr(latching, "FRESH_S", -1.0)
    with namespaces("a") as hosts, hosts["a"].inside(), Nft() as nft:
        nft.run(ruleset.skeleton())
        yield nft


def hear(nft: Nft, path: Path, port: int) -> None:
    """What the rules do when a packet comes."""
    name = f"heard{path.version}"
    nft.run(f"flush set {ruleset.TABLE} {name}")
    nft.run(f"add element {ruleset.TABLE} {name} {{ {path.key(port)} }}")


@pytest.mark.parametrize("path", PATHS.values(), ids=["ipv4", "ipv6"])
def test_a_latch_follows_what_is_heard(nft: Nft, path: Path) -> None:
    table = Latching(nft, ruleset.TABLE)
    assert table.latch(path, 60) == (Heard.SILENT, 0)
    hear(nft, path, path.client_port)
    assert table.latch(path, 60) == (Heard.AS_NAMED, path.client_port)
    assert not table.unlatch(path)
    for port in (6000, 6000, 6001, 6000):
        hear(nft, path, port)
        assert table.latch(path, 60) == (Heard.ELSEWHERE, port)
    assert table.unlatch(path)
    assert not table.unlatch(path)


def test_a_port_that_was_anothers_is_taken_over(nft: Nft) -> None:
    """Two calls from behind one router, one after the other, may be given one port."""
    table = Latching(nft, ruleset.TABLE)
    first = PATHS[4]
    second = Path(first.client, 5002, first.server, first.server_port)
    for path in (first, second, first):
        hear(nft, path, 6000)
        assert table.latch(path, 60) == (Heard.ELSEWHERE, 6000)


def test_one_listing_serves_for_a_moment(nft: Nft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latching, "FRESH_S", 1e9)
    table, path = Latching(nft, ruleset.TABLE), PATHS[4]
    assert table.latch(path, 60) == (Heard.SILENT, 0)
    hear(nft, path, 6000)
    assert table.latch(path, 60) == (Heard.SILENT, 0)


def test_flows_of_a_kernel(nft: Nft) -> None:
    table, path = Latching(nft, ruleset.TABLE), PATHS[4]
    assert table.flows(4) == []
    nft.run(f"add element {ruleset.TABLE} flows4 {{ {path.key(5000)} }}")
    assert [each["client_port"] for each in table.flows(4)] == [5000]
    assert table.flow(path) == {"packets": 0, "octets": 0}
