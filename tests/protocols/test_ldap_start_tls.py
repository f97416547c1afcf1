"""The one message and its answer: whole, byte by byte, and what is none."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.ldap.start_tls import (
    ANSWER_LIMIT,
    REQUEST,
    BerError,
    answer_length,
    result_code,
)

GOOD = bytes.fromhex("300c02010178070a010004000400")
REFUSED = bytes.fromhex("300c02010178070a010204000400")
LONG_FORM = bytes.fromhex("30840000000c02010178070a010004000400")


def test_the_request() -> None:
    assert REQUEST.hex() == ("301d02010177188016312e332e362e312e342e312e313436362e3230303337")


@pytest.mark.parametrize(("message", "code"), [(GOOD, 0), (REFUSED, 2), (LONG_FORM, 0)])
def test_answers(message: bytes, code: int) -> None:
    assert answer_length(message) == len(message)
    assert answer_length(message + b"more") == len(message)
    assert result_code(message) == code
    lengths = [answer_length(message[:count]) for count in range(len(message))]
    assert set(lengths) == {None, len(message)}


@pytest.mark.parametrize(
    "head",
    [b"\x16\x03\x01", b"HTTP", b"\x30\x80", b"\x30\x85\0\0\0\0\1", b"\x30\x82\xff\xff"],
)
def test_no_heads(head: bytes) -> None:
    with pytest.raises(BerError):
        answer_length(head)


@pytest.mark.parametrize(
    "message",
    [
        bytes.fromhex("300c02010278070a010004000400"),
        bytes.fromhex("300c02010165070a010004000400"),
        bytes.fromhex("300c0201017807020100040004 00"),
        bytes.fromhex("300c02010178070a020000040004"),
        bytes.fromhex("3003020101"),
        bytes.fromhex("30050201017805"),
    ],
)
def test_no_answers(message: bytes) -> None:
    with pytest.raises(BerError):
        result_code(message)


@given(st.binary(max_size=30) | st.binary(max_size=20).map(lambda rest: b"\x30\x0c" + rest))
def test_only_ber_errors(data: bytes) -> None:
    with suppress(BerError):
        length = answer_length(data)
        assert length is None or length <= ANSWER_LIMIT
    with suppress(BerError):
        assert 0 <= result_code(data) <= 255
