"""The end of a message, by the letter: nothing can be smuggled behind a false one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.smtp.data_reader import DataLimits, DataReader
from l7lb_protocols.smtp.errors import SmtpRefusal
from support.smtp_rules import bytewise, check_message, read_message
from support.smtp_seeds import MESSAGES

FALSE_ENDS = {
    "LF dot LF": b"\n.\n",
    "LF dot CRLF": b"\n.\r\n",
    "CRLF dot LF": b"\r\n.\n",
    "CR dot CR": b"\r.\r",
    "CR dot CRLF": b"\r.\r\n",
    "CRLF dot CR": b"\r\n.\r",
    "CR dot LF": b"\r.\n",
    "LF dot CR": b"\n.\r",
    "CR CRLF dot CRLF CR": b"\r\r\n.\r\r\n",
    "CRLF dot CR CRLF": b"\r\n.\r\r\n",
    "CRLF dot CR CR LF": b"\r\n.\r\r\n",
    "CRLF CR dot CRLF": b"\r\n\r.\r\n",
    "CRLF LF dot CRLF": b"\r\n\n.\r\n",
    "LF CR dot LF CR": b"\n\r.\n\r",
    "CRLF dot LF CR": b"\r\n.\n\r",
    "LF LF dot LF": b"\n\n.\n",
    "LF dot LF LF": b"\n.\n\n",
    "NUL between CR and LF, first": b"\r\0\n.\r\n",
    "NUL between CR and LF, last": b"\r\n.\r\0\n",
    "NUL before dot": b"\r\n\0.\r\n",
    "NUL behind dot": b"\r\n.\0\r\n",
    "NUL before CRLF": b"\0\r\n.\0\r\n",
    "NUL before LF": b"\n\0.\n",
    "NUL instead of LF": b"\r\0.\r\0",
    "LF alone": b"\n",
    "CR alone": b"\rx",
    "two CR": b"\r\r\n",
    "NUL alone": b"\0",
    "LF dot dot LF": b"\n..\n",
    "LF dot space LF": b"\n. \n",
    "LF dot LF with hidden commands": b"\n.\nMAIL FROM:<e@x>\nRCPT TO:<v@x>\nDATA\nhi",
    "CRLF dot LF with hidden commands": b"\r\n.\nMAIL FROM:<e@x>\r\nRCPT TO:<v@x>\r\nDATA\r\nhi",
    "CR dot CR with hidden commands": b"\r.\rMAIL FROM:<e@x>\rRCPT TO:<v@x>\rDATA\rhi",
}
"""What others have taken for an end of data, or for a line end on the way to one."""
NO_ENDS = {
    "dot space": b"\r\n. \r\n",
    "dot tab": b"\r\n.\t\r\n",
    "space dot": b"\r\n .\r\n",
    "two dots": b"\r\n..\r\n",
    "dot text": b"\r\n.a\r\n",
    "NEL": b"\xc2\x85.\xc2\x85",
    "LS": b"\xe2\x80\xa8.\xe2\x80\xa8",
    "vertical tab": b"\x0b.\x0b",
    "form feed": b"\x0c.\x0c",
    "fullwidth stop": b"\r\n\xef\xbc\x8e\r\n",
    "written out": b"\\r\\n.\\r\\n",
    "quoted-printable": b"=0D=0A.=0D=0A",
}
"""Lawful text."""
HIDDEN = b"MAIL FROM:<evil@x>\r\n"


def cuts(data: bytes) -> list[list[bytes]]:
    """Every way to give it in two pieces, in one, and byte by byte."""
    two = [[data[:at], data[at:]] for at in range(1, len(data))]
    return [[data], list(bytewise(data)), *two]


@pytest.mark.parametrize("end", FALSE_ENDS.values(), ids=FALSE_ENDS)
def test_false_end_spoils_the_message(end: bytes) -> None:
    data = b"hello" + end + HIDDEN + b"\r\n.\r\nQUIT\r\n"
    for pieces in cuts(data):
        reader = read_message(pieces, DataLimits())
        assert reader.done
        assert reader.problem is not None
        assert reader.problem.fatal
        assert reader.problem.code == 550
        assert reader.pieces[1] == b"QUIT\r\n"
        assert HIDDEN not in reader.pieces[0]


@pytest.mark.parametrize("end", FALSE_ENDS.values(), ids=FALSE_ENDS)
def test_false_end_does_not_end(end: bytes) -> None:
    for pieces in cuts(b"hello" + end):
        assert not read_message(pieces, DataLimits()).done


@pytest.mark.parametrize("text", NO_ENDS.values(), ids=NO_ENDS)
def test_lawful_text_is_kept(text: bytes) -> None:
    data = b"hello" + text + b"more\r\n.\r\nQUIT\r\n"
    for pieces in cuts(data):
        reader = read_message(pieces, DataLimits())
        assert reader.problem is None
        assert reader.pieces == [
            (b"hello" + text + b"more\r\n").replace(b"\r\n.", b"\r\n"),
            b"QUIT\r\n",
        ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b".\r\n", b""),
        (b"\r\n.\r\n", b"\r\n"),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"..a\r\n..\r\n...\r\n.\r\n", b".a\r\n.\r\n..\r\n"),
        (b".a\r\n.\r\n", b"a\r\n"),
        (b"a\r\n\r\n\r\n.\r\n", b"a\r\n\r\n\r\n"),
        (b"a\r\n. \r\n.\r\n", b"a\r\n \r\n"),
    ],
)
def test_dots(data: bytes, message: bytes) -> None:
    for pieces in cuts(data + b".\r\n"):
        reader = read_message(pieces, DataLimits())
        assert reader.done
        assert reader.pieces == [message, b".\r\n"]
        assert reader.size == len(message)


def test_plain_pieces_are_not_copied() -> None:
    reader = DataReader()
    data = b"x" * 70 + b"\r\n" + b"y" * 70
    assert reader.feed(data) == len(data)
    assert reader.pieces[0] is data


def test_size_is_watched_while_it_comes() -> None:
    reader = DataReader(DataLimits(max_bytes=10))
    reader.feed(b"12345678\r\n")
    assert reader.problem is None
    reader.feed(b"1")
    assert reader.problem is not None
    assert (reader.problem.code, reader.problem.fatal) == (552, False)
    assert reader.pieces == []
    assert reader.feed(b"23\r\n.\r\nQUIT") == 7
    assert reader.done


def test_added_dots_do_not_count() -> None:
    reader = read_message([b"..345678\r\n.\r\n"], DataLimits(max_bytes=9))
    assert reader.problem is None
    assert reader.size == 9


def test_large_and_spoilt_is_spoilt() -> None:
    reader = read_message([b"1234567890", b"a\n.\n", b"\r\n.\r\n"], DataLimits(max_bytes=5))
    assert reader.done
    assert reader.problem is not None
    assert reader.problem.fatal


def test_no_patience_without_end() -> None:
    reader = DataReader(DataLimits(max_bytes=5, max_excess=100))
    for _ in range(11):
        assert reader.feed(b"1234567890") == 10
    with pytest.raises(SmtpRefusal) as caught:
        reader.feed(b"1")
    assert caught.value.fatal
    assert caught.value.code == 552


def test_hops_and_lines() -> None:
    header = b"Received: by x\r\n" * 3 + b"\r\nReceived: in the body\r\n.\r\n"
    reader = read_message([header], DataLimits(max_hops=3))
    assert reader.problem is None
    assert reader.watch.hops == 3
    for pieces in cuts(header):
        problem = read_message(pieces, DataLimits(max_hops=2)).problem
        assert problem is not None
        assert (problem.code, problem.enhanced, problem.fatal) == (554, b"5.4.6", False)
    for pieces in cuts(b"a" * 20 + b"\r\n.\r\n"):
        assert read_message(pieces, DataLimits(max_line=20)).problem is None
        problem = read_message(pieces, DataLimits(max_line=19)).problem
        assert problem is not None
        assert problem.code == 554


@pytest.mark.parametrize("data", MESSAGES)
def test_seeds(data: bytes) -> None:
    check_message(data)


ODDS = st.sampled_from(
    [b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"\r\n.\r\n", b"\0", b"ab", b"received:"]
)


@given(st.lists(ODDS, max_size=24).map(b"".join))
def test_against_the_plain_words(data: bytes) -> None:
    check_message(data)


@given(st.lists(ODDS, max_size=24), st.lists(st.integers(0, 8), max_size=8))
def test_any_cut_alike(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts) + b"\r\n.\r\n!"
    pieces = []
    rest = data
    for size in sizes:
        pieces.append(rest[:size])
        rest = rest[size:]
    whole = read_message([data], DataLimits())
    cut = read_message([*pieces, rest], DataLimits())
    assert cut.pieces[1] == whole.pieces[1]
    assert (cut.problem is None) is (whole.problem is None)
    assert cut.pieces[0] == whole.pieces[0] or whole.problem is not None
