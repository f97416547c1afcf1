"""Names of routes that were given none."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from l7lb.config.naming import LENGTH_LIMIT, path_text, route_name
from l7lb.model import MatchSpec, PathKind, PathMatch, ValueMatch

IMAGES = PathMatch(PathKind.PREFIX, b"/img")
PAGE = PathMatch(PathKind.REGEX, pattern=re.compile(rb"/p/(\d+)"))
BETA = ValueMatch(b"beta", b"1")
PHONE = ValueMatch(b"user-agent", pattern=re.compile(b"Mobile.*"))
DEBUG = ValueMatch(b"debug")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (PathMatch(), ""),
        (PathMatch(PathKind.EXACT, b"/a"), "/a"),
        (IMAGES, "/img/*"),
        (PathMatch(PathKind.PREFIX, b""), "/*"),
        (PAGE, r"~ /p/(\d+)"),
    ],
)
def test_paths_as_in_the_file(path: PathMatch, text: str) -> None:
    assert path_text(path) == text


@pytest.mark.parametrize(
    ("match", "name"),
    [
        (MatchSpec(), "*"),
        (MatchSpec(hosts=(b"a.org", b"*.b.org")), "a.org,*.b.org"),
        (MatchSpec(hosts=(b"a.org",), path=IMAGES), "a.org/img/*"),
        (MatchSpec(methods=(b"GET", b"HEAD")), "GET,HEAD"),
        (MatchSpec(path=PAGE, methods=(b"GET",)), r"~ /p/(\d+) GET"),
        (MatchSpec(headers=(PHONE, DEBUG)), "header:user-agent~Mobile.* header:debug"),
        (MatchSpec(query=(DEBUG,), cookies=(BETA,)), "query:debug cookie:beta=1"),
        (MatchSpec(headers=(ValueMatch(b"x", b""),)), "header:x="),
        (MatchSpec(sni=(b"a.org", b"b.org")), "sni:a.org,b.org"),
        (MatchSpec(tls_names=(b"ann*",)), "tls_name:ann*"),
        (MatchSpec(accounts=(b"ann",), recipients=(b"bob",)), "account:ann recipient:bob"),
        (MatchSpec(sources=("10.0.0.0/8", "::1/128")), "from:10.0.0.0/8,::1/128"),
    ],
)
def test_names(match: MatchSpec, name: str) -> None:
    assert route_name(match) == name


def test_conditions_stand_in_a_fixed_order() -> None:
    match = MatchSpec(
        sources=("10.0.0.0/8",),
        sni=(b"s",),
        cookies=(BETA,),
        query=(DEBUG,),
        headers=(PHONE,),
        methods=(b"GET",),
        path=IMAGES,
        hosts=(b"a.org",),
    )
    assert route_name(match) == (
        "a.org/img/* GET header:user-agent~Mobile.* query:debug cookie:beta=1 sni:s from:10.0.0.0/8"
    )


def test_what_would_disturb_a_terminal_is_escaped() -> None:
    match = MatchSpec(headers=(ValueMatch(b"x", "é\x1b[2J\n\u2028".encode()),))
    assert route_name(match) == r"header:x=é\x1b[2J\x0a\x2028"


def test_a_long_name_is_cut_and_stays_its_own() -> None:
    fits = MatchSpec(path=PathMatch(PathKind.EXACT, b"/" + b"a" * (LENGTH_LIMIT - 1)))
    assert route_name(fits) == "/" + "a" * (LENGTH_LIMIT - 1)
    names = [
        route_name(replace(fits, path=PathMatch(PathKind.EXACT, fits.path.text + end)))
        for end in (b"b", b"c")
    ]
    assert names[0] != names[1]
    for name in names:
        start, dots, digest = name.partition("…")
        assert (start, dots) == (route_name(fits), "…")
        assert re.fullmatch("[0-9a-f]{8}", digest)
