"""Rules in a kernel: idempotent, reconciled after a crash, gone without a trace."""

from __future__ import annotations

import errno
from collections.abc import Iterator

import pytest

from l7lb.media.kernel import ruleset
from l7lb.media.kernel.rules import PRIORITY, ROUTE_TABLE, KernelRules
from l7lb.media.kernel.spec import Want
from l7lb.media.netfilter.libnftables import Nft, NftError
from support.media_director import wanted
from support.media_lab import VIP
from support.namespaces import Namespace, namespaces

WANT = wanted(4, ["direct", "nat"])


@pytest.fixture
def host() -> Iterator[Namespace]:
    with namespaces("a") as hosts, hosts["a"].inside():
        hosts["a"].ip(f"addr add {VIP[4]}/32 dev lo")
        yield hosts["a"]


def everything(host: Namespace) -> str:
    parts = [host.run("nft", "list", "ruleset")]
    for family in ("-4", "-6"):
        parts.append(host.run("ip", family, "rule"))
        parts.append(host.run("ip", family, "route", "show", "table", "all"))
    return "\n".join(parts)


def test_the_second_time_changes_nothing(host: Namespace) -> None:
    rules = KernelRules()
    assert rules.apply(WANT)["changed"]
    before = everything(host)
    assert not rules.apply(WANT)["changed"]
    assert everything(host) == before
    rules.close()


def test_who_comes_after_a_crash_takes_over_what_is_there(host: Namespace) -> None:
    first = KernelRules()
    first.apply(WANT)
    first.close()
    second = KernelRules()
    assert not second.apply(WANT)["changed"]
    assert second.apply(wanted(4, ["nat"], ("s2",)))["changed"]
    assert [each["server"] for each in second.counters()["servers"]] == ["s2"]
    second.close()


def test_what_others_broke_is_made_whole(host: Namespace) -> None:
    rules = KernelRules()
    rules.apply(WANT)
    whole = everything(host)
    host.run("nft", "delete", "table", *ruleset.TABLE.split())
    host.ip(f"rule del priority {PRIORITY}", f"-6 rule del priority {PRIORITY}")
    host.ip(f"route flush table {ROUTE_TABLE}")
    assert rules.apply(WANT)["changed"]
    assert everything(host) == whole
    rules.close()


def test_nothing_is_left(host: Namespace) -> None:
    host.run("nft", "add", "table", "inet", "of_others")
    before = everything(host)
    rules = KernelRules()
    rules.apply(WANT)
    rules.remove()
    rules.remove()
    assert everything(host) == before
    rules.close()


def test_each_server_is_told_of(host: Namespace) -> None:
    rules = KernelRules()
    mixed = wanted(4, ["nat"]).as_json()
    mixed["services"][0]["servers"][1]["media_ports"] = [20500, 20600]
    found = rules.apply(Want.parse(mixed))
    assert [each["placed"] for each in found["servers"]] == [True, False]
    assert "meet those of s1" in found["servers"][1]["reason"]
    assert found["warnings"] == [
        "/proc/sys/net/ipv4/ip_forward is 0: no packet of IPv4 is passed on"
    ]
    host.sysctl("ipv4/ip_forward", 1)
    assert rules.apply(WANT)["warnings"] == []
    rules.close()


def test_a_refused_change_leaves_all_as_it_was(host: Namespace) -> None:
    with Nft() as nft:
        nft.run(ruleset.skeleton())
        before = host.run("nft", "list", "ruleset")
        with pytest.raises(NftError, match=r"(?i)no such|error"):
            nft.run(
                f"add element {ruleset.TABLE} vips4 {{ 10.0.0.1 }}\nadd rule inet none x accept"
            )
        assert host.run("nft", "list", "ruleset") == before


def test_an_address_in_use_is_an_os_error(host: Namespace) -> None:
    rules = KernelRules()
    rules.apply(WANT)
    client = WANT.services[0].servers[0].address
    with rules.transparent_socket(client, 4000), pytest.raises(OSError) as raised:
        rules.transparent_socket(client, 4000)
    assert raised.value.errno == errno.EADDRINUSE
    rules.close()
