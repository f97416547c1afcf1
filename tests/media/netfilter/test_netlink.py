"""Policy rules and routes by netlink; iproute2 is the oracle."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.media.netfilter.netlink import (
    LOCAL,
    TCP,
    DefaultRoute,
    NetlinkError,
    PolicyRule,
    Routing,
    attributes,
    messages,
)
from support.namespaces import Namespace, namespaces

ADDRESS = {4: ip_address("10.0.0.7"), 6: ip_address("fd00::7")}


@pytest.fixture
def host() -> Iterator[Namespace]:
    with namespaces("a") as hosts, hosts["a"].inside():
        hosts["a"].ip(
            "link add one type veth peer name two",
            "link set one up",
            "link set two up",
            "addr add 10.0.0.1/24 dev one",
        )
        hosts["a"].ip("addr add fd00::1/64 dev one nodad")
        yield hosts["a"]


@pytest.mark.parametrize("version", [4, 6])
def test_rules_are_what_ip_shows(host: Namespace, version: int) -> None:
    marked = PolicyRule(version, 7001, 90, mark=0x200000, mask=0x200000)
    sourced = PolicyRule(version, 300, 91, protocol=TCP, source=ADDRESS[version], source_port=554)
    with Routing() as routing:
        for rule in (marked, sourced):
            assert routing.add_rule(rule)
            assert not routing.add_rule(rule)
            assert rule in routing.rules(version)
        shown = host.run("ip", f"-{version}", "rule")
        assert "90:\tfrom all fwmark 0x200000/0x200000 lookup 7001" in shown
        assert f"91:\tfrom {ADDRESS[version]} ipproto tcp sport 554 lookup 300" in shown
        for rule in (marked, sourced):
            assert routing.delete_rule(rule)
            assert not routing.delete_rule(rule)
            assert rule not in routing.rules(version)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("table", [77, 7001])
def test_default_routes_are_what_ip_shows(host: Namespace, version: int, table: int) -> None:
    local = DefaultRoute(version, table, LOCAL, device=1)
    with Routing() as routing:
        routing.put_route(local)
        routing.put_route(local)
        assert local in routing.default_routes(version)
        shown = host.run("ip", f"-{version}", "route", "show", "table", str(table))
        assert shown.startswith("local default dev lo")
        assert routing.delete_route(local)
        assert not routing.delete_route(local)


@pytest.mark.parametrize("version", [4, 6])
def test_a_gateway_takes_the_place_of_another(host: Namespace, version: int) -> None:
    with Routing() as routing:
        for gateway in (ADDRESS[version], ADDRESS[version] + 1):
            routing.put_route(DefaultRoute(version, 7002, gateway=gateway))
            found = [r for r in routing.default_routes(version) if r.table == 7002]
            assert [route.gateway for route in found] == [gateway]


def test_what_the_kernel_refuses_is_told(host: Namespace) -> None:
    with Routing() as routing, pytest.raises(NetlinkError, match="unreachable"):
        routing.put_route(DefaultRoute(4, 7002, gateway=ip_address("192.0.2.1")))


def test_rules_and_routes_there_and_back() -> None:
    rule = PolicyRule(6, 9, 3, 1, 7, TCP, ADDRESS[6], 80)
    assert PolicyRule.unpack(rule.pack()) == rule
    route = DefaultRoute(4, 7000, LOCAL, ADDRESS[4], 3)
    assert DefaultRoute.unpack(route.pack()) == route


@given(st.binary(max_size=200))
def test_garbage_ends_the_reading(data: bytes) -> None:
    assert len(list(messages(data))) <= len(data)
    assert len(list(attributes(data))) <= len(data)
