"""Replies written and read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.smtp.errors import BadReply, Misuse, SmtpRefusal
from l7lb_protocols.smtp.replies import (
    MAX_LINES,
    MAX_TEXT,
    Reply,
    fits,
    refusal_reply,
    reply,
    split_enhanced,
)
from l7lb_protocols.smtp.reply_reader import ReplyReader
from support.smtp_rules import bytewise, check_replies, replies_of
from support.smtp_seeds import FRAGMENTS, REPLIES


@pytest.mark.parametrize(
    ("answer", "sent"),
    [
        (Reply(250, (b"ok",), b"2.0.0"), b"250 2.0.0 ok\r\n"),
        (Reply(354, (b"go",)), b"354 go\r\n"),
        (Reply(250, (b"",)), b"250 \r\n"),
        (Reply(550, (b"a", b"b"), b"5.1.1"), b"550-5.1.1 a\r\n550 5.1.1 b\r\n"),
        (Reply(250, (b"x" * 600,)), b"250 " + b"x" * MAX_TEXT + b"\r\n"),
    ],
)
def test_encoded(answer: Reply, sent: bytes) -> None:
    assert answer.encode() == sent


@pytest.mark.parametrize("code", [199, 600, 0, -250])
def test_no_such_code(code: int) -> None:
    with pytest.raises(Misuse):
        Reply(code, (b"x",))


@pytest.mark.parametrize(
    "enhanced", [b"5.1.1", b"2.1", b"2.1.1 x", b"2.1.1\r\n", b"2.1000.1", b"x"]
)
def test_enhanced_of_another_kind(enhanced: bytes) -> None:
    with pytest.raises(Misuse):
        Reply(250, (b"x",), enhanced)


@pytest.mark.parametrize("text", [b"a\r\n250 b", b"a\nb", b"a\rb", b"\0", b"\x7f", b"\x1b[0m"])
def test_never_two_replies(text: bytes) -> None:
    with pytest.raises(Misuse):
        Reply(250, (text,))
    sent = reply(250, b"2.0.0", text).encode()
    assert sent.count(b"\r\n") == 1
    assert sent.count(b"\n") == sent.count(b"\r") == 1


def test_nothing_said_is_no_reply() -> None:
    with pytest.raises(Misuse):
        Reply(250, ())
    with pytest.raises(Misuse):
        reply(250, b"")


def test_many_lines_are_cut() -> None:
    assert len(reply(250, b"", *(["x"] * 500)).lines) == MAX_LINES


def test_kinds() -> None:
    kinds = [
        (answer.is_positive, answer.is_intermediate, answer.is_temporary, answer.is_permanent)
        for answer in (reply(code, b"", "x") for code in (250, 354, 451, 550))
    ]
    assert kinds == [tuple(at == here for at in range(4)) for here in range(4)]
    assert str(reply(250, b"2.0.0", "a", "b")) == "250 2.0.0 a b"


def test_refusal() -> None:
    refusal = SmtpRefusal(501, b"5.5.4", "bad", "RFC 5321 §4.1")
    assert refusal_reply(refusal).encode() == b"501 5.5.4 bad\r\n"
    assert str(refusal) == "501 5.5.4 bad (RFC 5321 §4.1)"
    assert str(BadReply("x", "y")) == "x (y)"


def test_enhanced_codes() -> None:
    assert split_enhanced(250, b"2.1.5 ok") == (b"2.1.5", b"ok")
    assert split_enhanced(250, b"2.1.5") == (b"2.1.5", b"")
    assert split_enhanced(250, b"5.1.5 ok") == (b"", b"5.1.5 ok")
    assert split_enhanced(250, b"2.1.5ok") == (b"", b"2.1.5ok")
    assert fits(b"4.2.1", 451)
    assert not fits(b"3.0.0", 354)


GOOD = {
    b"250 ok\r\n": Reply(250, (b"ok",)),
    b"250\r\n": Reply(250, (b"",)),
    b"250 \r\n": Reply(250, (b"",)),
    b"250-a\r\n250-b\r\n250 c\r\n": Reply(250, (b"a", b"b", b"c")),
    b"250-\r\n250\r\n": Reply(250, (b"", b"")),
    b"550-5.1.1 a\r\n550 5.1.1 b\r\n": Reply(550, (b"a", b"b"), b"5.1.1"),
    b"550-5.1.1 a\r\n550 b\r\n": Reply(550, (b"a", b"b"), b"5.1.1"),
    b"550-5.1.1 a\r\n550 5.1.2 b\r\n": Reply(550, (b"a", b"5.1.2 b"), b"5.1.1"),
    b"250 2.0.0 \xc3\xa4\t.\r\n": Reply(250, (b"\xc3\xa4\t.",), b"2.0.0"),
}
BAD = [
    b"\r\n",
    b"ok\r\n",
    b"25 ok\r\n",
    b"2500 ok\r\n",
    b"150 ok\r\n",
    b"650 ok\r\n",
    b"250_ok\r\n",
    b" 250 ok\r\n",
    b"250 ok\n",
    b"250 o\rk\r\n",
    b"250 o\0k\r\n",
    b"250 o\x1bk\r\n",
    b"250-a\r\n251 b\r\n",
    b"250-a\r\n\r\n",
    b"\xb2\xb5\xb0 ok\r\n",
    b"250 " + b"x" * 195 + b"\r\n",
    b"250-" + b"x" * 500,
    b"250-x\r\n" * 9,
    b"+OK\r\n",
    b"* OK IMAP\r\n",
    b"HTTP/1.1 200 OK\r\n",
]


@pytest.mark.parametrize("data", GOOD)
def test_read(data: bytes) -> None:
    assert replies_of([data]) == ([GOOD[data]], False)
    assert replies_of(bytewise(data)) == ([GOOD[data]], False)
    assert replies_of([data + b"421 x\r\n"])[0][0] == GOOD[data]


@pytest.mark.parametrize("data", BAD)
def test_nonsense(data: bytes) -> None:
    assert replies_of([data]) == ([], True)
    assert replies_of(bytewise(data)) == ([], True)


def test_clean_between_replies() -> None:
    reader = ReplyReader()
    reader.push(b"250 a\r\n250-")
    assert reader.next() == Reply(250, (b"a",))
    assert not reader.is_clean
    reader.push(b"\r\n")
    assert reader.next() is None
    assert not reader.is_clean
    reader.push(b"250 x\r\n")
    assert reader.next() == Reply(250, (b"", b"x"))
    assert reader.is_clean


@pytest.mark.parametrize("data", REPLIES)
def test_seeds(data: bytes) -> None:
    check_replies(data)


@given(st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=9), max_size=9).map(b"".join))
def test_only_bad_reply(data: bytes) -> None:
    check_replies(data)


@given(st.integers(200, 599), st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_written_and_read_again(code: int, texts: list[str]) -> None:
    found, bad = replies_of([reply(code, b"", *texts).encode()])
    assert not bad
    assert [one.code for one in found] == [code]
