"""What is learnt of a message in passing does not depend on how it is cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.smtp.errors import SmtpRefusal
from l7lb_protocols.smtp.message_watch import MessageWatch
from support.smtp_rules import bytewise

PART = st.sampled_from(
    [
        b"Received: x",
        b"received:",
        b"Receive",
        b"d: y",
        b"X-Received: z",
        b"\r\n",
        b"",
        b"\xe4",
        b":",
    ]
)


def hops_of(message: bytes) -> int:
    """In plain words: lines of the header that begin with the field's name."""
    header, _, _ = (b"\r\n" + message).partition(b"\r\n\r\n")
    return len(re.findall(rb"\r\nreceived:", header.lower()))


@given(st.lists(PART, max_size=12).map(b"".join), st.integers(1, 9))
def test_hops_by_any_cut(message: bytes, size: int) -> None:
    for pieces in ([message], list(bytewise(message)), [message[:size], message[size:]]):
        watch = MessageWatch()
        for piece in pieces:
            watch.feed(piece)
        assert watch.hops == hops_of(message)
        assert watch.is_ascii == message.isascii()


def passes(pieces: list[bytes], max_line: int) -> bool:
    watch = MessageWatch(max_line=max_line)
    try:
        for piece in pieces:
            watch.feed(piece)
    except SmtpRefusal as refusal:
        return refusal.clause != "RFC 5322 §2.1.1"
    return True


@given(st.lists(st.integers(0, 12), max_size=8), st.integers(4, 12), st.integers(1, 40))
def test_line_limit_by_any_cut(lengths: list[int], limit: int, size: int) -> None:
    message = b"".join(b"x" * length + b"\r\n" for length in lengths)
    expected = max(lengths, default=0) <= limit
    chunks = [message[at : at + size] for at in range(0, len(message), size)]
    assert passes([message], limit) is expected
    assert passes(list(bytewise(message)), limit) is expected
    assert passes(chunks, limit) is expected


def test_line_without_end() -> None:
    assert passes([b"x" * 10] * 10, 100)
    assert not passes([b"x" * 10] * 10 + [b"x"], 100)
    assert not passes([b"x\r\n", b"x" * 101], 100)


def test_loop() -> None:
    watch = MessageWatch(max_hops=2)
    watch.feed(b"RECEIVED: a\r\nReceived: b\r\n")
    with pytest.raises(SmtpRefusal, match="loop"):
        watch.feed(b"received: c\r\n")
