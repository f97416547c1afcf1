"""The library in this process, in a network namespace; the command is the oracle."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from l7lb.media.netfilter import libnftables
from l7lb.media.netfilter.libnftables import Nft, NftAway, NftError
from support.namespaces import Namespace, namespaces


@pytest.fixture
def host() -> Iterator[Namespace]:
    with namespaces("a") as hosts, hosts["a"].inside():
        yield hosts["a"]


def test_what_is_set_is_listed(host: Namespace) -> None:
    with Nft() as nft:
        assert nft.table("inet", "t") == []
        nft.run("table inet t { set s { type inet_service; elements = { 1, 2 }; }; }")
        kinds = [next(iter(each)) for each in nft.table("inet", "t")]
        assert kinds == ["table", "set"]
        assert nft.table("ip", "t") == []
    assert "elements = { 1, 2 }" in host.run("nft", "list", "table", "inet", "t")


@pytest.mark.parametrize(
    "text", ["nonsense", "add rule inet none c accept", "table inet t {", "a\0b", "#" * (17 << 20)]
)
def test_what_is_refused_is_told_and_the_library_goes_on(host: Namespace, text: str) -> None:
    with Nft() as nft:
        with pytest.raises(NftError) as raised:
            nft.run(text)
        assert str(raised.value)
        nft.run("add table inet t")
        assert nft.table("inet", "t")


def test_a_closed_one_says_so(host: Namespace) -> None:
    nft = Nft()
    nft.close()
    nft.close()
    with pytest.raises(NftError, match="closed"):
        nft.run("list tables")


def test_no_library_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libnftables, "LIBRARY", "libabsent.so.1")
    with pytest.raises(NftAway, match="libnftables1"):
        Nft()
