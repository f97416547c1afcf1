"""Builders: no value becomes syntax; stdlib imaplib reads what a server would say."""

import imaplib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.imap.grammar import Word, is_quotable, quote
from l7lb_protocols.imap.render import (
    Literals,
    command,
    continuation,
    tagged,
    untagged,
    untagged_list,
)

JOE = Word(b"joe", True)


@pytest.mark.parametrize(
    ("secret", "literals", "pieces"),
    [
        (b'a "b\\', Literals.ASK, (b'T LOGIN "joe" "a \\"b\\\\"\r\n',)),
        (b"a\r\nb", Literals.ASK, (b'T LOGIN "joe" {4}\r\n', b"a\r\nb\r\n")),
        (b"\xc3\xbc", Literals.PLUS, (b'T LOGIN "joe" {2+}\r\n\xc3\xbc\r\n',)),
        (b"\xc3\xbc", Literals.MINUS, (b'T LOGIN "joe" {2+}\r\n\xc3\xbc\r\n',)),
        (b"x" * 4097, Literals.MINUS, (b'T LOGIN "joe" {4097}\r\n', b"x" * 4097 + b"\r\n")),
        (b"", Literals.ASK, (b'T LOGIN "joe" ""\r\n',)),
    ],
)
def test_command(secret: bytes, literals: Literals, pieces: tuple[bytes, ...]) -> None:
    assert command(b"T", b"LOGIN", (JOE, Word(secret, True)), literals) == pieces


def test_list() -> None:
    assert command(b"T", b"ID", ((JOE, Word(b"NIL")),)) == (b'T ID ("joe" NIL)\r\n',)
    assert untagged_list(b"ID", Word(b"NIL")) == b"* ID NIL\r\n"
    assert untagged_list(b"ID", (JOE, Word(b"\xff", True))) == b'* ID ("joe" {1}\r\n\xff)\r\n'


def test_response() -> None:
    assert tagged(b"a1", b"NO", b"no", b"UNAVAILABLE") == b"a1 NO [UNAVAILABLE] no\r\n"
    assert untagged(b"CAPABILITY", b"IMAP4rev1") == b"* CAPABILITY IMAP4rev1\r\n"
    assert continuation(b"") == b"+ \r\n"


@pytest.mark.parametrize("text", [b"a\r\nb OK", b"a\nb", b"a\0b"])
def test_nothing_is_injected(text: bytes) -> None:
    for build in (
        lambda: tagged(b"a", b"OK", text),
        lambda: tagged(text, b"OK", b""),
        lambda: tagged(b"a", b"OK", b"", text),
        lambda: untagged(text, b""),
        lambda: continuation(text),
        lambda: command(b"a", text),
        lambda: command(text, b"NOOP"),
        lambda: command(b"a", b"X", (Word(text),)),
        lambda: quote(text),
        lambda: untagged_list(text, Word(b"NIL")),
    ):
        with pytest.raises(ValueError):
            build()


def test_other_refusals() -> None:
    for build in (
        lambda: tagged(b"a" * 65, b"OK", b""),
        lambda: tagged(b"a", b"OK", b"", b"X] y"),
        lambda: command(b"a", b"X", (Word(b"a\0b", True),)),
    ):
        with pytest.raises(ValueError):
            build()


class Canned(imaplib.IMAP4):
    """imaplib on data in memory."""

    def __init__(self, answers: bytes) -> None:
        self.answers = io.BytesIO(answers)
        self.sent = b""
        super().__init__()

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        self.host, self.port = host, port

    def read(self, size: int) -> bytes:
        return self.answers.read(size)

    def readline(self) -> bytes:
        tag = getattr(self, "tagpre", b"")
        return self.answers.readline().replace(b"TAG", tag)

    def send(self, data: bytes) -> None:  # type: ignore[override]
        self.sent += data

    def shutdown(self) -> None:
        pass


def test_imaplib_reads_our_answers() -> None:
    client = Canned(
        untagged(b"OK", b"ready")
        + untagged(b"CAPABILITY", b"IMAP4rev1 SASL-IR ID AUTH=PLAIN")
        + tagged(b"TAG0", b"OK", b"done")
        + tagged(b"TAG1", b"NO", b"wrong", b"AUTHENTICATIONFAILED")
    )
    assert client.capabilities == ("IMAP4REV1", "SASL-IR", "ID", "AUTH=PLAIN")
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        client.login("joe", "x")


@given(st.binary(max_size=30))
def test_quoted_is_one_word(value: bytes) -> None:
    if is_quotable(value):
        quoted = quote(value)
        assert quoted[1:-1].replace(b'\\"', b"").replace(b"\\\\", b"").count(b'"') == 0
    else:
        with pytest.raises(ValueError):
            quote(value)
