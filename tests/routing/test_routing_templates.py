"""Captures and templates: what they hold, and that no value can leave its place in a line."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.model import MatchSpec, PathKind, PathMatch, Place, RouteSpec
from l7lb.routing.captures import capture_count, captures
from l7lb.routing.templates import TemplateError, check, expand, expand_path
from l7lb_protocols.facts import PlainFacts

FACTS = PlainFacts(host=b"www.example.org", path=b"/old/a", query=b"v=1&w=2")


def regex(text: bytes) -> PathMatch:
    return PathMatch(PathKind.REGEX, pattern=re.compile(text))


@pytest.mark.parametrize(
    ("match", "path", "found"),
    [
        (PathMatch(PathKind.PREFIX, b"/old"), b"/old/a/b", (b"a/b",)),
        (PathMatch(PathKind.PREFIX, b"/old"), b"/old/", (b"",)),
        (PathMatch(PathKind.PREFIX, b"/old"), b"/old", (b"",)),
        (PathMatch(PathKind.PREFIX, b"/old"), b"/older", ()),
        (PathMatch(PathKind.PREFIX, b""), b"/a/b", (b"a/b",)),
        (PathMatch(PathKind.EXACT, b"/old"), b"/old", ()),
        (PathMatch(), b"/old", ()),
        (regex(b"/u/([^/]+)/(x)?(.*)"), b"/u/joe/rest", (b"joe", b"", b"rest")),
        (regex(b"/u/(a)"), b"/u/b", ()),
        (regex(b"/u/.*"), b"/u/b", ()),
    ],
)
def test_captures(match: PathMatch, path: bytes, found: tuple[bytes, ...]) -> None:
    route = RouteSpec("r", Place("f", 1, 1), MatchSpec(path=match))
    assert captures(route, PlainFacts(path=path)) == found
    assert not found or capture_count(match) == len(found)


@pytest.mark.parametrize(
    ("template", "caught", "result"),
    [
        (b"/new/{1}", (b"a/b",), b"/new/a/b"),
        (b"/{2}/{1}", (b"a", b"b"), b"/b/a"),
        (b"https://{host}{path}?{query}", (), b"https://www.example.org/old/a?v=1&w=2"),
        (b"/x{{1}", (b"a",), b"/x%7B1%7D"),
        (b"/x}", (), b"/x%7D"),
        (b"/{1}", (b"/evil.example",), b"/evil.example"),
        (b"{1}", (b"//evil.example/x",), b"/evil.example/x"),
        (b"//cdn.example.org/{1}", (b"a",), b"//cdn.example.org/a"),
        (b"/{1}", (b"a\r\nSet-Cookie: x=1",), b"/a%0D%0ASet-Cookie:%20x=1"),
        (b"/{1}", (b"\\evil",), b"/%5Cevil"),
        (b"/{1}", (b"%41\xff",), b"/%41%FF"),
        (b"/", (), b"/"),
    ],
)
def test_expand(template: bytes, caught: tuple[bytes, ...], result: bytes) -> None:
    assert check(template, len(caught)) is None
    assert expand(template, caught, FACTS) == result


def test_a_question_mark_goes_with_an_empty_query() -> None:
    assert expand(b"/a?{query}", (), PlainFacts()) == b"/a"
    assert expand(b"/a?x=1&{query}", (), PlainFacts()) == b"/a?x=1&"
    assert expand(b"/a?{query}", (), PlainFacts(query=b"q")) == b"/a?q"


@pytest.mark.parametrize(
    ("template", "caught", "result"),
    [
        (b"{1}", (b"a",), b"/a"),
        (b"//{1}", (b"/a",), b"/a"),
        (b"/x/{1}", (b"a#b",), b"/x/a%23b"),
    ],
)
def test_a_path_starts_with_one_slash(
    template: bytes, caught: tuple[bytes, ...], result: bytes
) -> None:
    assert expand_path(template, caught, FACTS) == result


@pytest.mark.parametrize(
    ("template", "groups", "problem"),
    [
        (b"/{1}", 0, "{1} is not there: the path match has no captures"),
        (b"/{0}", 1, "{0} is not there: the path match has only 1 captures"),
        (b"/{3}", 2, "{3} is not there: the path match has only 2 captures"),
        (b"/{99999999999999999999}", 2, "{0} is not there"),
        (b"/{hots}", 1, "{hots} is unknown; known are {1} …, {host}, {path}, {query}"),
        (b"/{}", 1, "{} is unknown"),
        (b"/{\xc2\xb2}", 1, "is unknown"),
        (b"/{host", 1, "a brace is not closed; write {{ for a brace itself"),
        (b"/a b", 1, "byte b' ' may not stand in a URI; percent-encode it"),
        (b"/a\r\nX: y", 1, "may not stand in a URI"),
        ("/ä".encode(), 1, "may not stand in a URI"),
    ],
)
def test_check_says_what_is_wrong(template: bytes, groups: int, problem: str) -> None:
    assert problem in (check(template, groups) or "nothing")
    with pytest.raises(TemplateError):
        expand(template, (b"x",) * groups, FACTS)


@given(
    st.lists(
        st.sampled_from([b"/", b"a", b"{1}", b"{2}", b"{host}", b"{path}", b"{query}", b"?", b"{{"])
    ).map(b"".join),
    st.tuples(st.binary(), st.binary()),
    st.builds(PlainFacts, host=st.binary(), path=st.binary(), query=st.binary()),
)
def test_whatever_is_put_in_the_result_is_bytes_of_a_uri(
    template: bytes, caught: tuple[bytes, ...], facts: PlainFacts
) -> None:
    for result in (expand(template, caught, facts), expand_path(template, caught, facts)):
        assert re.fullmatch(rb"[!#-;=?-\[\]_a-z~]*", result)
        assert not result.startswith(b"//") or template.startswith(b"//")
    assert expand_path(template, caught, facts).startswith(b"/")
