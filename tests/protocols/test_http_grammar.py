"""The tables against the RFCs' own words; paths, cookies, arguments; trailers and nominations."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.http import grammar
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.path import normalise
from l7lb_protocols.http.query import argument_value, cookie_value, set_cookie_value


def members(bit: int) -> bytes:
    return bytes(octet for octet in range(256) if grammar.OCTETS[octet] & bit)


def matching(pattern: bytes) -> bytes:
    return bytes(octet for octet in range(256) if re.fullmatch(pattern, bytes((octet,))))


@pytest.mark.parametrize(
    ("bit", "pattern"),
    [
        (grammar.TOKEN, rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"),
        (grammar.LETTERS, rb"[!#$%&'*+\-.^`|~0-9A-Za-z]"),
        (grammar.VALUE, rb"[\t\x20-\x7e\x80-\xff]"),
        (grammar.PLAIN, rb"[A-Za-z0-9\-_~!$&'()*+,;=:@/\[\]|^]"),
        (grammar.QUERY, rb"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%\[\]{}|^`\\]"),
        (grammar.NAME, rb"[A-Za-z0-9\-._~]"),
        (grammar.HEX, rb"[0-9A-Fa-f]"),
    ],
)
def test_class(bit, pattern):
    assert members(bit) == matching(pattern)


def test_hex_values_know_ascii_digits_only():
    assert {octet: value for octet, value in enumerate(grammar.HEX_VALUES) if value != 255} == {
        octet: int(chr(octet), 16) for octet in b"0123456789abcdefABCDEF"
    }


def test_every_known_name_is_found_in_its_slot():
    found = {}
    for name in grammar.KINDS:
        at = grammar.slot(len(name), name[0], name[-1])
        found[grammar.SLOT_NAMES[at]] = grammar.SLOT_KINDS[at]
    assert found == grammar.KINDS


def test_kinds_are_single_bits_and_lower_case():
    for name, kind in grammar.KINDS.items():
        assert name == name.lower()
        assert kind & (kind - 1) == 0


@pytest.mark.parametrize("name", [b"host", b"content-length", b"cookie", b"x-forwarded-for"])
def test_connection_may_not_nominate(name):
    assert not grammar.may_nominate(name)


@pytest.mark.parametrize("name", [b"x-custom", b"keep-alive", b"te", b"forwarded-by"])
def test_connection_may_nominate(name):
    assert grammar.may_nominate(name)


@pytest.mark.parametrize(
    "name",
    b"transfer-encoding content-length host content-type set-cookie cookie authorization te trailer"
    b" connection keep-alive upgrade proxy-authorization x-forwarded-for if-match x_y date".split(),
)
def test_not_in_trailers(name):
    assert not grammar.may_trail(name)


@pytest.mark.parametrize("name", [b"digest", b"server-timing", b"grpc-status", b"x-checksum"])
def test_in_trailers(name):
    assert grammar.may_trail(name)


# --------------------------------------------------------------------------- paths


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        (b"/", b"/"),
        (b"/a/b", b"/a/b"),
        (b"/%41%7a%2D%5f%7E", b"/Az-_~"),
        (b"/%e2%82%ac", b"/%E2%82%AC"),
        (b"/a%20b%3fc%23", b"/a%20b%3Fc%23"),
        (b"/%252e%252e/", b"/%252e%252e/"),
        (b"//a//b/", b"//a//b/"),
        (b"/.well-known/..a/a../...", b"/.well-known/..a/a../..."),
        (b"/a;v=1/b", b"/a;v=1/b"),
    ],
)
def test_normal_form(path, normal):
    assert normalise(path) == normal
    assert normalise(normal) == normal


@pytest.mark.parametrize(
    "path",
    [
        b"/%",
        b"/%4",
        b"/%4g",
        b"/%zz",
        b"/% 41",
        b"/%+1",
        b"/%\n1",
        b"/%00",
        b"/a%00.html",
        b"/a%2fb",
        b"/a%2Fb",
        b"/a%5cb",
        b"/a\\b",
        b"/.",
        b"/..",
        b"/./a",
        b"/a/../b",
        b"/a/..",
        b"/%2e%2e/a",
        b"/a/.%2E",
        b"/a/%2e",
        b"/..;/a",
        b"/a/..;x=1/b",
        b"/.;",
        b"/..%3b/a",
    ],
)
def test_refused_path(path):
    with pytest.raises(HttpRefusal) as refusal:
        normalise(path)
    assert refusal.value.status == 400


def test_encoded_slash_where_it_is_allowed():
    assert normalise(b"/a%2fb%5Cc", encoded_slash=True) == b"/a%2Fb%5Cc"
    for path in (b"/a%2f..%2Fb", b"/a%5c..", b"/a%2f.", b"/%2e%2e%2fa", b"/a\\b", b"/%00"):
        with pytest.raises(HttpRefusal):
            normalise(path, encoded_slash=True)


@given(st.text("/.%2eEfF5cC0aA;\\", max_size=12), st.booleans())
def test_normal_form_is_stable(text, encoded_slash):
    path = b"/" + text.encode()
    try:
        normal = normalise(path, encoded_slash)
    except HttpRefusal:
        return
    assert normalise(normal, encoded_slash) == normal
    segments = re.split(rb"/|%2F|%5C", normal)
    assert not {segment.partition(b";")[0] for segment in segments} & {b".", b".."}
    assert not re.search(rb"%(?![0-9A-F]{2})|%00|\\", normal)


# --------------------------------------------------------------------------- cookies, arguments


@pytest.mark.parametrize(
    ("cookies", "value"),
    [
        (b"a=1", b"1"),
        (b"b=2; a=1; a=3", b"1"),
        (b"b=2;a=1", b"1"),
        (b"b=2;\ta=1 ", b"1"),
        (b'a="q"', b"q"),
        (b'a="', b'"'),
        (b"a=", b""),
        (b"a=x=y", b"x=y"),
        (b"aa=2; ba=3; A=4; a", None),
        (b"b=a=1", None),
        (b"b=2 a=1", None),
        (b"", None),
    ],
)
def test_cookie(cookies, value):
    assert cookie_value(cookies, b"a") == value


def test_cookie_without_a_name():
    assert cookie_value(b"a=1; =2", b"") == b"2"
    assert cookie_value(b"a=1; b", b"") is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"a=1; Path=/; HttpOnly", b"1"),
        (b" a=1", b"1"),
        (b"b=1; a=2", None),
        (b"a", None),
    ],
)
def test_set_cookie(field, value):
    assert set_cookie_value(field, b"a") == value


@pytest.mark.parametrize(
    ("query", "value"),
    [
        (b"q=1&q=2", b"1"),
        (b"x=0&q=%41%2f", b"A/"),
        (b"%71=1", b"1"),
        (b"q", b""),
        (b"q=", b""),
        (b"q=a=b", b"a=b"),
        (b"q=100%", b"100%"),
        (b"Q=1&qq=2", None),
        (b"", None),
    ],
)
def test_argument(query, value):
    assert argument_value(query, b"q") == value
