"""Rules that can never be told apart are found; rules that can are not."""

import re

import pytest

from l7lb.model import MatchSpec, PathKind, PathMatch, Place, RouteSpec, ValueMatch
from l7lb.routing.precedence import ADVANTAGES, Rank, advantage, entries, find_ties


def route(name: str, match: MatchSpec) -> RouteSpec:
    return RouteSpec(name, Place("cluster.yaml", 1, 1), match, pools=(("web", 1),))


def ties(*matches: MatchSpec) -> list[tuple[str, str]]:
    found = find_ties([route(str(n), match) for n, match in enumerate(matches)])
    return [(a.name, b.name) for a, b in found]


A = ValueMatch(b"a", b"1")
B = ValueMatch(b"b")
API = PathMatch(PathKind.PREFIX, b"/api")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (MatchSpec(), MatchSpec()),
        (MatchSpec(), MatchSpec(path=PathMatch(PathKind.PREFIX, b""))),
        (MatchSpec(hosts=(b"*",)), MatchSpec()),
        (MatchSpec(headers=(A, B)), MatchSpec(headers=(B, A))),
        (MatchSpec(methods=(b"GET", b"PUT")), MatchSpec(methods=(b"PUT",))),
        (MatchSpec(hosts=(b"a", b"b")), MatchSpec(hosts=(b"b", b"c"))),
        (MatchSpec(sources=("10.0.0.0/9", "10.128.0.0/9")), MatchSpec(sources=("10.0.0.0/8",))),
        (MatchSpec(sni=(b"a", b"b")), MatchSpec(sni=(b"b", b"a"))),
        (
            MatchSpec(path=PathMatch(PathKind.REGEX, pattern=re.compile(b"/a.*"))),
            MatchSpec(path=PathMatch(PathKind.REGEX, b"", re.compile(b"/a.*"))),
        ),
    ],
)
def test_equal_rules_tie(one: MatchSpec, other: MatchSpec) -> None:
    assert ties(one, other) == [("0", "1")]
    assert ties(other, one) == [("0", "1")]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (MatchSpec(hosts=(b"a",)), MatchSpec(hosts=(b"b",))),
        (MatchSpec(hosts=(b"*.a",)), MatchSpec(hosts=(b"a",))),
        (MatchSpec(path=API), MatchSpec(path=PathMatch(PathKind.EXACT, b"/api"))),
        (MatchSpec(methods=(b"GET",)), MatchSpec(methods=(b"PUT",))),
        (MatchSpec(methods=(b"GET",)), MatchSpec()),
        (MatchSpec(headers=(A,)), MatchSpec(headers=(B,))),
        (MatchSpec(headers=(A,)), MatchSpec(cookies=(A,))),
        (MatchSpec(headers=(A,)), MatchSpec(query=(A,))),
        (MatchSpec(sources=("10.0.0.0/8",)), MatchSpec(sources=("10.0.0.0/9",))),
        (MatchSpec(sources=("0.0.0.0/0",)), MatchSpec(sources=("::/0",))),
        (MatchSpec(accounts=(b"a",)), MatchSpec(recipients=(b"a",))),
        (MatchSpec(attributes=(A,)), MatchSpec(attributes=(B,))),
        (MatchSpec(attributes=(A,)), MatchSpec(headers=(A,))),
        (MatchSpec(sni=(b"a",)), MatchSpec(tls_names=(b"a",))),
        (
            MatchSpec(path=PathMatch(PathKind.REGEX, pattern=re.compile(b"/a"))),
            MatchSpec(path=PathMatch(PathKind.REGEX, pattern=re.compile(b"/a", re.IGNORECASE))),
        ),
    ],
)
def test_different_rules_do_not_tie(one: MatchSpec, other: MatchSpec) -> None:
    assert ties(one, other) == []


def test_a_pair_is_named_once_and_each_later_rule_with_the_first() -> None:
    both = MatchSpec(hosts=(b"a", b"b"), methods=(b"GET", b"PUT"))
    assert ties(both, both, MatchSpec(hosts=(b"c",)), both) == [("0", "1"), ("0", "3")]


def test_a_host_written_twice_in_one_rule_is_no_tie() -> None:
    assert ties(MatchSpec(hosts=(b"a", b"a"), methods=(b"GET", b"GET"))) == []
    assert len(entries([route("0", MatchSpec(hosts=(b"a", b"a")))])) == 1


def test_each_step_of_the_order_has_its_words() -> None:
    assert len(ADVANTAGES) == len(Rank._fields)
    equal = Rank(*([0] * len(ADVANTAGES)))
    for n, words in enumerate(ADVANTAGES):
        assert advantage(equal, equal._replace(**{Rank._fields[n]: 1})) == words
