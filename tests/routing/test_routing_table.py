"""The table finds the rule that the order of precedence says, and always the one explain says."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7lb.model import MatchSpec, PathKind, PathMatch, Place, RouteSpec, ValueMatch
from l7lb.routing.explain import explain, failure, in_order
from l7lb.routing.table import RoutingTable
from l7lb_protocols.facts import PlainFacts


def exact(text: bytes) -> PathMatch:
    return PathMatch(PathKind.EXACT, text)


def prefix(text: bytes) -> PathMatch:
    return PathMatch(PathKind.PREFIX, text)


def regex(text: bytes) -> PathMatch:
    return PathMatch(PathKind.REGEX, pattern=re.compile(text))


def routes_of(*matches: MatchSpec) -> list[RouteSpec]:
    return [
        RouteSpec(str(n), Place("cluster.yaml", n + 1, 1), match, pools=(("web", 1),))
        for n, match in enumerate(matches)
    ]


def winner(facts: PlainFacts, *matches: MatchSpec) -> int | None:
    found = RoutingTable(routes_of(*matches)).match(facts)
    return int(found.name) if found else None


X = (ValueMatch(b"x-env", b"test"),)
Y = (ValueMatch(b"y"),)


@pytest.mark.parametrize(
    ("loser", "better"),
    [
        pytest.param(
            MatchSpec(hosts=(b"*.example.org",), path=exact(b"/a/b")),
            MatchSpec(hosts=(b"www.a.example.org",)),
            id="an exact host beats a wildcard, whatever the path",
        ),
        pytest.param(
            MatchSpec(hosts=(b"*.example.org",)),
            MatchSpec(hosts=(b"*.a.example.org",)),
            id="a longer wildcard beats a shorter",
        ),
        pytest.param(
            MatchSpec(path=exact(b"/a/b")),
            MatchSpec(hosts=(b"*.example.org",)),
            id="a wildcard beats no host",
        ),
        pytest.param(
            MatchSpec(path=prefix(b"/a/b"), methods=(b"GET",), headers=X),
            MatchSpec(path=exact(b"/a/b")),
            id="an exact path beats a prefix of the same text",
        ),
        pytest.param(
            MatchSpec(path=prefix(b"/a"), methods=(b"GET",)),
            MatchSpec(path=prefix(b"/a/b")),
            id="a longer prefix beats a shorter",
        ),
        pytest.param(
            MatchSpec(path=regex(b"/a/b")),
            MatchSpec(path=prefix(b"/a")),
            id="a prefix beats a regular expression",
        ),
        pytest.param(
            MatchSpec(methods=(b"GET",)),
            MatchSpec(path=regex(b"/a/.*")),
            id="a regular expression beats no path",
        ),
        pytest.param(
            MatchSpec(path=prefix(b""), methods=(b"GET",)),
            MatchSpec(path=regex(b"/a/.*")),
            id="a regular expression beats the prefix that everything is below",
        ),
        pytest.param(
            MatchSpec(headers=X),
            MatchSpec(methods=(b"GET",)),
            id="a method beats a header",
        ),
        pytest.param(
            MatchSpec(headers=X, query=Y),
            MatchSpec(headers=X + Y),
            id="more headers beat fewer",
        ),
        pytest.param(
            MatchSpec(cookies=Y),
            MatchSpec(query=Y),
            id="a query match beats a cookie match",
        ),
        pytest.param(
            MatchSpec(sources=("10.0.0.0/8",), sni=(b"s",)),
            MatchSpec(cookies=Y),
            id="a cookie match beats what is known of the client",
        ),
        pytest.param(
            MatchSpec(sources=("10.1.0.0/16",)),
            MatchSpec(sources=("10.0.0.0/8",), sni=(b"s",)),
            id="two conditions on the client beat one",
        ),
        pytest.param(
            MatchSpec(accounts=(b"*@example.org",)),
            MatchSpec(accounts=(b"joe@example.org",)),
            id="a whole name beats a wildcard",
        ),
        pytest.param(
            MatchSpec(sources=("10.0.0.0/8",)),
            MatchSpec(sources=("10.1.0.0/16",)),
            id="a smaller network beats a larger",
        ),
    ],
)
def test_the_more_specific_rule_wins_wherever_it_stands(
    loser: MatchSpec, better: MatchSpec
) -> None:
    facts = PlainFacts(
        host=b"www.a.example.org",
        path=b"/a/b",
        method=b"GET",
        source="10.1.2.3",
        sni=b"s",
        account=b"joe@example.org",
        headers={b"x-env": b"test", b"y": b""},
        arguments={b"y": b""},
        cookies={b"y": b""},
    )
    assert winner(facts, loser) == 0
    assert winner(facts, better) == 0
    assert winner(facts, loser, better) == 1
    assert winner(facts, better, loser) == 0


def test_file_order_decides_when_nothing_else_does() -> None:
    facts = PlainFacts(path=b"/", headers={b"x-env": b"test", b"y": b"1"})
    assert winner(facts, MatchSpec(headers=X), MatchSpec(headers=Y)) == 0
    assert winner(facts, MatchSpec(headers=Y), MatchSpec(headers=X)) == 0


def test_regular_expressions_go_in_file_order_whatever_else_they_ask() -> None:
    facts = PlainFacts(path=b"/a", method=b"GET")
    one, other = MatchSpec(path=regex(b"/.*")), MatchSpec(path=regex(b"/a"), methods=(b"GET",))
    assert winner(facts, one, other) == 0
    again = MatchSpec(path=regex(b"/.*"), methods=(b"GET",))
    assert winner(facts, one, other, again) == 2, "the same expression keeps its first place"


@pytest.mark.parametrize(
    ("text", "path", "holds"),
    [
        (b"/api", b"/api", True),
        (b"/api", b"/api/", True),
        (b"/api", b"/api/x/y", True),
        (b"/api", b"/apix", False),
        (b"/api", b"/ap", False),
        (b"/api", b"/x/api", False),
        (b"/a/b", b"/a/b/c", True),
        (b"/a/b", b"/a", False),
        (b"/a/", b"/a/", True),
        (b"/a/", b"/a//b", True),
        (b"/a/", b"/a/b", False),
        (b"", b"/", True),
        (b"/", b"/x", True),
        (b"", b"*", True),
        (b"", b"", True),
    ],
)
def test_a_prefix_ends_at_a_segment(text: bytes, path: bytes, holds: bool) -> None:
    assert winner(PlainFacts(path=path), MatchSpec(path=prefix(text))) == (0 if holds else None)


@pytest.mark.parametrize(
    ("pattern", "host", "holds"),
    [
        (b"*.example.org", b"www.example.org", True),
        (b"*.example.org", b"a.b.example.org", True),
        (b"*.example.org", b"example.org", False),
        (b"*.example.org", b".example.org", False),
        (b"*.example.org", b"wwwexample.org", False),
        (b"*.example.org", b"", False),
        (b"example.org", b"example.org", True),
        (b"example.org", b"www.example.org", False),
        (b"*", b"example.org", True),
        (b"*", b"", True),
    ],
)
def test_hosts(pattern: bytes, host: bytes, holds: bool) -> None:
    assert winner(PlainFacts(host=host), MatchSpec(hosts=(pattern,))) == (0 if holds else None)


def test_a_less_specific_host_serves_what_the_better_one_does_not() -> None:
    matches = (
        MatchSpec(hosts=(b"www.example.org",), path=exact(b"/a")),
        MatchSpec(hosts=(b"*.example.org",), path=exact(b"/b")),
        MatchSpec(),
    )
    for path, expected in ((b"/a", 0), (b"/b", 1), (b"/c", 2)):
        assert winner(PlainFacts(host=b"www.example.org", path=path), *matches) == expected


def test_every_rule_can_be_reached_among_many() -> None:
    routes = routes_of(
        *(MatchSpec(path=prefix(b"/app%d/v1" % n), cookies=Y) for n in range(300)),
        *(MatchSpec(path=exact(b"/app%d/v1" % n)) for n in range(300)),
        *(MatchSpec(hosts=(b"h%d.example.org" % n,)) for n in range(300)),
        *(MatchSpec(hosts=(b"*.w%d.example.org" % n,)) for n in range(300)),
    )
    table = RoutingTable(routes)
    for n in range(300):
        path = b"/app%d/v1" % n
        assert table.match(PlainFacts(path=path)) is routes[300 + n]
        assert table.match(PlainFacts(path=path + b"/x", cookies={b"y": b""})) is routes[n]
        assert table.match(PlainFacts(path=path + b"/x")) is None
        assert table.match(PlainFacts(host=b"h%d.example.org" % n)) is routes[600 + n]
        assert table.match(PlainFacts(host=b"x.w%d.example.org" % n)) is routes[900 + n]


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="10\\.0\\.0\\.0/99"):
        RoutingTable(routes_of(MatchSpec(sources=("10.0.0.0/99",))))


# --------------------------------------------------------------------------- the property

LABELS = st.sampled_from([b"a", b"b", b"org"])
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(b".".join)
PATTERNS = st.one_of(HOSTS, HOSTS.map(lambda h: b"*." + h), st.just(b"*"))
PATHS = st.lists(st.sampled_from([b"", b"a", b"b", b"ab"]), max_size=4).map(
    lambda segments: b"/" + b"/".join(segments)
)
VALUES = st.builds(
    ValueMatch,
    st.sampled_from([b"x", b"y"]),
    st.sampled_from([None, b"1", b"2"]),
    st.sampled_from([None, re.compile(b"1.*"), re.compile(b"[23]")]),
)
PATH_MATCHES = st.one_of(
    st.just(PathMatch()),
    PATHS.map(exact),
    PATHS.map(lambda path: prefix(path.rstrip(b"/"))),
    PATHS.map(prefix),
    st.sampled_from([b"/.*", b"/a/?.*", b".*b", b"/(a|b)(/.*)?"]).map(regex),
)


def few(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(strategy, max_size=2).map(tuple)


MATCHES = st.builds(
    MatchSpec,
    hosts=few(PATTERNS),
    path=PATH_MATCHES,
    methods=few(st.sampled_from([b"GET", b"POST"])),
    headers=few(VALUES),
    query=few(VALUES),
    cookies=few(VALUES),
    sources=few(st.sampled_from(["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "0.0.0.0/0"])),
    sni=few(st.sampled_from([b"a.org", b"*.org"])),
    tls_names=few(st.sampled_from([b"joe", b"j*"])),
    accounts=few(st.sampled_from([b"joe@b.org", b"*@b.org"])),
    recipients=few(st.sampled_from([b"joe@b.org", b"*@b.org"])),
    attributes=few(VALUES),
)
PAIRS = st.dictionaries(st.sampled_from([b"x", b"y"]), st.sampled_from([b"1", b"2", b"12"]))
FACTS = st.builds(
    PlainFacts,
    host=st.one_of(HOSTS, st.just(b"")),
    path=st.one_of(PATHS, st.sampled_from([b"", b"*"])),
    method=st.sampled_from([b"GET", b"POST", b"PUT"]),
    source=st.sampled_from(["10.1.2.3", "10.2.2.3", "::ffff:10.1.2.3", "2001:db8::1", "", "unix"]),
    sni=st.sampled_from([b"", b"a.org", b"b.org"]),
    tls_name=st.sampled_from([b"", b"joe", b"jim"]),
    account=st.sampled_from([b"", b"joe@b.org", b"jim@b.org"]),
    recipient=st.sampled_from([b"", b"joe@b.org", b"jim@b.org"]),
    headers=PAIRS,
    attributes=st.dictionaries(
        st.sampled_from([b"x", b"y"]), few(st.sampled_from([b"1", b"2", b"12"])), max_size=2
    ),
    arguments=PAIRS,
    cookies=PAIRS,
)


@settings(max_examples=300, deadline=None)
@given(st.lists(MATCHES, max_size=8), st.lists(FACTS, min_size=1, max_size=6))
def test_the_table_finds_what_trying_every_rule_in_order_finds(
    matches: list[MatchSpec], several: list[PlainFacts]
) -> None:
    routes = routes_of(*matches)
    table = RoutingTable(routes)
    for facts in several:
        brute = next((r for _, r in in_order(routes, facts) if failure(r, facts) is None), None)
        assert table.match(facts) is brute
        trials = explain(table, facts)
        assert sorted(int(t.route.name) for t in trials) == list(range(len(routes)))
        assert [t.route for t in trials if t.matched] == ([brute] if brute else [])
        assert all(t.holds is (failure(t.route, facts) is None) for t in trials)
