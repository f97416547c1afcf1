"""XCLIENT both ways."""

from __future__ import annotations

import pytest

from l7lb_protocols.smtp.errors import Misuse, SmtpRefusal
from l7lb_protocols.smtp.xclient import (
    ATTRIBUTES,
    LINE_LIMIT,
    Attributes,
    parse_xclient,
    xclient_lines,
)

GOOD: dict[bytes, Attributes] = {
    b"ADDR=192.0.2.1": {b"ADDR": b"192.0.2.1"},
    b"addr=IPV6:2001:DB8::1 PORT=25": {b"ADDR": b"2001:db8::1", b"PORT": b"25"},
    b"NAME=[UNAVAILABLE] ADDR=[TEMPUNAVAIL]": {b"NAME": b"", b"ADDR": b""},
    b"PROTO=esmtp HELO=a+2Bb": {b"PROTO": b"ESMTP", b"HELO": b"a+b"},
    b"LOGIN=ann+40example.org TTL=3": {b"LOGIN": b"ann@example.org", b"TTL": b"3"},
}
BAD = [
    b"",
    b"ADDR",
    b"FOO=1",
    b"ADDR=1.2.3.4 ADDR=1.2.3.4",
    b"ADDR=1.2.3",
    b"ADDR=IPV6:zz",
    b"ADDR=\xff",
    b"PORT=x",
    b"PORT=123456",
    b"TTL=-1",
    b"PROTO=HTTP",
    b"LOGIN=a+0D+0AMAIL",
    b"HELO=" + b"x" * 256,
]


@pytest.mark.parametrize("argument", GOOD)
def test_read(argument: bytes) -> None:
    assert parse_xclient(argument) == GOOD[argument]


@pytest.mark.parametrize("argument", BAD)
def test_refused(argument: bytes) -> None:
    with pytest.raises(SmtpRefusal, match="501"):
        parse_xclient(argument)


@pytest.mark.parametrize("argument", GOOD)
def test_written_and_read_again(argument: bytes) -> None:
    attributes = GOOD[argument]
    (line,) = xclient_lines(attributes, frozenset(ATTRIBUTES))
    assert line.startswith(b"XCLIENT ")
    assert line.endswith(b"\r\n")
    assert parse_xclient(line[8:-2]) == attributes


def test_only_what_the_server_wants() -> None:
    attributes: Attributes = {b"ADDR": b"::1", b"TTL": b"4", b"LOGIN": b"a=b c"}
    assert xclient_lines(attributes, frozenset()) == []
    offered = frozenset((b"ADDR", b"LOGIN", b"HELO"))
    assert xclient_lines(attributes, offered) == [b"XCLIENT ADDR=IPV6:::1 LOGIN=a+3Db+20c\r\n"]


def test_long_ones_are_split_and_over_long_ones_are_unknown() -> None:
    names = (b"NAME", b"HELO", b"LOGIN")
    lines = xclient_lines(dict.fromkeys(names, b"x" * 250), frozenset(names))
    assert len(lines) == 3
    assert all(len(line) <= LINE_LIMIT for line in lines)
    assert xclient_lines({b"NAME": b"=" * 100}, frozenset(names)) == [
        b"XCLIENT NAME=[UNAVAILABLE]\r\n"
    ]


def test_misuse() -> None:
    with pytest.raises(Misuse):
        xclient_lines({b"FOO": b"1"}, frozenset((b"FOO",)))
