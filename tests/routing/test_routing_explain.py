"""Every rule is accounted for, in the order tried, with the reason in words."""

import re

import pytest

from l7lb.model import MatchSpec, PathKind, PathMatch, Place, RouteSpec, ValueMatch
from l7lb.routing.explain import explain, failure
from l7lb.routing.matchers import address_number
from l7lb.routing.table import RoutingTable
from l7lb_protocols.facts import PlainFacts

FACTS = PlainFacts(
    host=b"www.example.org",
    path=b"/x",
    method=b"GET",
    source="10.0.0.1",
    sni=b"www.example.org",
    headers={b"x-env": b"live\x1b[31m"},
    cookies={b"beta": b"0"},
)


def route(match: MatchSpec, name: str = "r") -> RouteSpec:
    return RouteSpec(name, Place("cluster.yaml", 1, 1), match, pools=(("web", 1),))


@pytest.mark.parametrize(
    ("match", "reason"),
    [
        (MatchSpec(hosts=(b"a.org",)), "host www.example.org is not a.org"),
        (MatchSpec(hosts=(b"a.org", b"*.b")), "host www.example.org is not one of a.org, *.b"),
        (MatchSpec(path=PathMatch(PathKind.EXACT, b"/y")), "path /x is not /y"),
        (MatchSpec(path=PathMatch(PathKind.PREFIX, b"/api")), "path /x is not below /api"),
        (
            MatchSpec(path=PathMatch(PathKind.REGEX, pattern=re.compile(rb"/\d+"))),
            r"path /x does not match /\\d+",
        ),
        (MatchSpec(methods=(b"PUT",)), "method GET is not PUT"),
        (MatchSpec(methods=(b"POST", b"PUT")), "method GET is not one of POST, PUT"),
        (MatchSpec(headers=(ValueMatch(b"x-test"),)), "header X-Test is absent"),
        (
            MatchSpec(headers=(ValueMatch(b"x-env", b"test"),)),
            r"header X-Env is 'live\x1b[31m', not 'test'",
        ),
        (
            MatchSpec(cookies=(ValueMatch(b"beta", pattern=re.compile(b"1|2")),)),
            "cookie beta '0' does not match 1|2",
        ),
        (MatchSpec(query=(ValueMatch(b"v"),)), "query argument v is absent"),
        (MatchSpec(sources=("10.1.0.0/16",)), "source 10.0.0.1 is not in 10.1.0.0/16"),
        (
            MatchSpec(sources=("10.1.0.0/16", "::/0")),
            "source 10.0.0.1 is in none of 10.1.0.0/16, ::/0",
        ),
        (MatchSpec(sni=(b"*.a.org",)), "SNI www.example.org is not *.a.org"),
        (MatchSpec(tls_names=(b"joe",)), "no client name is known"),
        (MatchSpec(accounts=(b"joe",)), "no account is known"),
        (MatchSpec(recipients=(b"joe",)), "no recipient is known"),
        (MatchSpec(attributes=(ValueMatch(b"room"),)), "no account is known"),
    ],
)
def test_the_reason_of_each_kind_of_condition(match: MatchSpec, reason: str) -> None:
    assert failure(route(match), FACTS) == reason


@pytest.mark.parametrize(
    ("match", "reason"),
    [
        (ValueMatch(b"room"), None),
        (ValueMatch(b"room", b"8"), None),
        (ValueMatch(b"room", pattern=re.compile(b"[89]")), None),
        (ValueMatch(b"floor"), "attribute floor has no value"),
        (ValueMatch(b"none"), "attribute none has no value"),
        (ValueMatch(b"room", b"77"), "attribute room is '7', '8', not '77'"),
        (
            ValueMatch(b"room", pattern=re.compile(b"1")),
            "attribute room is '7', '8' and does not match 1",
        ),
    ],
)
def test_attributes_of_the_account(match: ValueMatch, reason: str | None) -> None:
    """One value of several is enough; an attribute without a value is as none."""
    facts = PlainFacts(account=b"joe", attributes={b"room": (b"7", b"8"), b"none": ()})
    assert failure(route(MatchSpec(attributes=(match,))), facts) == reason
    table = RoutingTable([route(MatchSpec(attributes=(match,)))])
    assert (table.match(facts) is not None) is (reason is None)


def test_what_is_not_there_is_said() -> None:
    assert failure(route(MatchSpec(hosts=(b"a",))), PlainFacts()) == "no host is named, not a"
    match = MatchSpec(sources=("::/0",))
    assert failure(route(match), PlainFacts()) == "the source is not known"
    long = failure(
        route(MatchSpec(path=PathMatch(PathKind.EXACT, b"/"))), PlainFacts(path=b"/" * 999)
    )
    assert long is not None
    assert len(long) < 200


def test_trials_come_in_the_order_tried_and_say_why_a_rule_that_holds_came_later() -> None:
    routes = [
        route(MatchSpec(), "all"),
        route(MatchSpec(path=PathMatch(PathKind.PREFIX, b"/x")), "prefix"),
        route(MatchSpec(path=PathMatch(PathKind.PREFIX, b"/y")), "other"),
        route(MatchSpec(hosts=(b"a.org", b"*.example.org"), methods=(b"PUT",)), "host"),
        route(MatchSpec(headers=(ValueMatch(b"x-env"),)), "header"),
    ]
    trials = explain(RoutingTable(routes), FACTS)
    assert [(t.route.name, t.matched, t.reason) for t in trials] == [
        ("host", False, "method GET is not PUT"),
        ("prefix", True, "every condition holds"),
        ("other", False, "path /x is not below /y"),
        (
            "header",
            False,
            "holds too, but is tried after prefix: its kind of path match comes first",
        ),
        ("all", False, "holds too, but is tried after prefix: its kind of path match comes first"),
    ]


def test_no_rule_matches() -> None:
    table = RoutingTable([route(MatchSpec(methods=(b"PUT",)))])
    assert [t.matched for t in explain(table, FACTS)] == [False]
    assert explain(RoutingTable([]), FACTS) == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("10.0.0.1", (4, 0x0A000001)),
        ("::ffff:10.0.0.1", (4, 0x0A000001)),
        ("::1", (6, 1)),
        ("fe80::1%eth0", (6, 0xFE80 << 112 | 1)),
        ("", None),
        ("unix", None),
        ("10.0.0.01", None),
        ("10.0.0.256", None),
    ],
)
def test_source_addresses(text: str, number: tuple[int, int] | None) -> None:
    assert address_number(text) == number


@pytest.mark.parametrize(
    ("sources", "inside", "outside"),
    [
        (("10.0.0.0/8",), "10.255.255.255", "11.0.0.0"),
        (("10.0.0.0/9", "10.128.0.0/9"), "10.128.0.1", "9.255.255.255"),
        (("10.0.0.0/8", "10.1.0.0/16", "12.0.0.0/8"), "10.200.0.1", "11.255.255.255"),
        (("192.0.2.1",), "192.0.2.1", "192.0.2.2"),
        (("2001:db8::/32",), "2001:db8:ffff::1", "2001:db9::"),
        (("0.0.0.0/0",), "255.255.255.255", "::1"),
        (("10.1.2.3/8",), "10.9.9.9", "11.1.2.3"),
    ],
)
def test_networks(sources: tuple[str, ...], inside: str, outside: str) -> None:
    spec = route(MatchSpec(sources=sources))
    assert failure(spec, PlainFacts(source=inside)) is None
    assert failure(spec, PlainFacts(source=outside)) is not None


@pytest.mark.parametrize(
    ("pattern", "name", "holds"),
    [
        (b"joe@a.org", b"joe@a.org", True),
        (b"*@a.org", b"joe@a.org", True),
        (b"*@a.org", b"joe@axorg", False),
        (b"*@a.org", b"joe@a.org.evil", False),
        (b"j*e*", b"joel", True),
        (b"j*e*", b"jim", False),
        (b"*", b"any\nthing", True),
        (b"*", b"", False),
        (b"jo[e]", b"joe", False),
    ],
)
def test_names(pattern: bytes, name: bytes, holds: bool) -> None:
    spec = route(MatchSpec(accounts=(pattern,)))
    assert (failure(spec, PlainFacts(account=name)) is None) is holds
