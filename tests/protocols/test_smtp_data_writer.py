"""Messages as sent: what is written can be read, by us and by others, and ends where it ends."""

from __future__ import annotations

import smtplib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.smtp.data_writer import DataWriter
from l7lb_protocols.smtp.errors import Misuse
from support.smtp_rules import bytewise, check_written


def written(pieces: list[bytes]) -> bytes:
    writer = DataWriter()
    return b"".join([writer.write(piece) for piece in pieces]) + writer.end()


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (b"", b".\r\n"),
        (b"a\r\n", b"a\r\n.\r\n"),
        (b"a", b"a\r\n.\r\n"),
        (b".", b"..\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b"a\r\n.\r\n.b\r\n", b"a\r\n..\r\n..b\r\n.\r\n"),
        (b"a.b\r\n", b"a.b\r\n.\r\n"),
        (b"\r\n\r\n.", b"\r\n\r\n..\r\n.\r\n"),
    ],
)
def test_written(message: bytes, sent: bytes) -> None:
    assert written([message]) == sent
    assert written(list(bytewise(message))) == sent
    for at in range(len(message)):
        assert written([message[:at], message[at:]]) == sent


@pytest.mark.parametrize("message", [b"a\nb", b"a\rb", b"\n.\n", b"\r\n.\n", b"\r.\r", b"a\r\r\n"])
def test_no_bare_line_end_leaves(message: bytes) -> None:
    for pieces in ([message], list(bytewise(message))):
        with pytest.raises(Misuse):
            written(pieces)


def test_no_end_after_half_a_line_end() -> None:
    with pytest.raises(Misuse):
        written([b"a\r"])


LINES = st.lists(st.sampled_from([b".", b"..", b"a", b"", b".a", b"\xff", b" "]), max_size=12)


@given(LINES)
def test_read_again(lines: list[bytes]) -> None:
    check_written(b"".join(line + b"\r\n" for line in lines))


@given(LINES)
def test_same_dots_as_smtplib(lines: list[bytes]) -> None:
    message = b"".join(line + b"\r\n" for line in lines)
    assert written([message]) == smtplib._quote_periods(message) + b".\r\n"  # type: ignore[attr-defined]
