"""Lines end in CRLF alone; everything else that looks like an end is refused, however it comes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.smtp.errors import SmtpRefusal
from l7lb_protocols.smtp.lines import LineBuffer
from support.smtp_rules import bytewise, check_commands, lines_of

BAD = {
    "bare LF": (b"NOOP\nQUIT\r\n", "bare LF"),
    "only LF": (b"\n", "bare LF"),
    "bare CR": (b"NOOP\rQUIT\r\n", "bare CR"),
    "two CR": (b"NOOP\r\r\n", "bare CR"),
    "CR alone, unfinished": (b"NOOP\rQ", "bare CR"),
    "NUL": (b"NOOP\0\r\n", "NUL"),
    "NUL, unfinished": (b"NO\0OP", "NUL"),
    "NUL before LF": (b"NOOP\r\0\n", "bare LF"),
    "too long and ended": (b"A" * 63 + b"\r\n", "too long"),
    "too long and never ended": (b"A" * 64, "too long"),
}


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD)
def test_refused_and_fatal(data: bytes, reason: str) -> None:
    buffer = LineBuffer()
    buffer.push(data)
    with pytest.raises(SmtpRefusal, match=reason) as caught:
        buffer.line(64)
    assert caught.value.code == 500
    assert caught.value.fatal


@pytest.mark.parametrize(("data", "reason"), BAD.values(), ids=BAD)
def test_refused_byte_by_byte(data: bytes, reason: str) -> None:
    assert lines_of(bytewise(data), 64) == ([], True)


def test_longest_line_with_its_end() -> None:
    assert lines_of([b"A" * 62 + b"\r\nB\r\n"], 64) == ([b"A" * 62, b"B"], False)


def test_unfinished_line_waits() -> None:
    buffer = LineBuffer()
    buffer.push(b"NOOP\r")
    assert buffer.line() is None
    buffer.push(b"\nQU")
    assert buffer.line() == b"NOOP"
    assert buffer.line() is None
    assert len(buffer) == 2


def test_take_leaves_nothing() -> None:
    buffer = LineBuffer()
    buffer.push(b"a\r\nrest")
    buffer.line()
    assert buffer.take() == b"rest"
    assert len(buffer) == 0
    assert buffer.line() is None


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\0", b"NOOP", b"x" * 40])).map(b"".join))
def test_whole_and_bytewise_alike(data: bytes) -> None:
    check_commands(data)
