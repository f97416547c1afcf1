"""XCLIENT: xtext, limits, and the client's address there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.login.origin import Origin
from l7lb_protocols.pop3.errors import Pop3Refusal
from l7lb_protocols.pop3.xclient import (
    MAX_LINE_BYTES,
    build,
    decode_xtext,
    encode_xtext,
    parse,
)


def test_built() -> None:
    origin = Origin("2001:db8::1", 1234, "192.0.2.1", 110, b"a+b=c", 7)
    data = build(origin)
    assert data == b"XCLIENT ADDR=2001:db8::1 PORT=1234 SESSION=a+2Bb+3Dc TTL=7\r\n"
    assert parse(data[8:-2]) == Origin("2001:db8::1", 1234, session=b"a+b=c", hops_left=7)
    assert len(build(Origin("f" * 45, 65535, session=b"+" * 64))) < MAX_LINE_BYTES


def test_parsed() -> None:
    assert parse(b"addr=192.0.2.9 DESTADDR=192.0.2.1 DESTPORT=110 FORWARD=eA+3D+3D") == Origin(
        "192.0.2.9", 0, "192.0.2.1", 110
    )
    assert parse(b"ADDR=[UNAVAILABLE] PORT=[unavailable]") == Origin()


@pytest.mark.parametrize(
    "argument",
    [
        b"",
        b"ADDR",
        b"ADDR=joe",
        b"ADDR=1.2.3.4 ADDR=1.2.3.4",
        b"ADDR=1.2.3.4 addr=1.2.3.5",
        b"ADDR=1.2.3.4  PORT=1",
        b"PORT=99999",
        b"SESSION=a+2",
        b"SESSION=a+2b",
        b"SESSION=a=b",
        b"SESSION=+0D+0A",
        b"TTL=x",
        b"FORWARD=" + b"x" * 1010,
    ],
)
def test_refused(argument: bytes) -> None:
    with pytest.raises(Pop3Refusal):
        parse(argument)


@given(st.binary(max_size=40))
def test_xtext_there_and_back(value: bytes) -> None:
    text = encode_xtext(value)
    assert decode_xtext(text) == value
    assert text.isascii()
    assert not set(text) & set(b" =\r\n\0")


@given(st.binary(max_size=60))
def test_only_documented_errors(argument: bytes) -> None:
    try:
        parse(argument)
    except Pop3Refusal:
        return
