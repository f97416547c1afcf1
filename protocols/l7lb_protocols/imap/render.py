"""Builders of commands and responses: what is given is data and cannot become syntax.

Must not know any dialogue.
"""

from __future__ import annotations

import re
from enum import Enum

from l7lb_protocols.imap.grammar import (
    ATOM,
    MAX_TAG_BYTES,
    TAG,
    WORD,
    Argument,
    Word,
    is_quotable,
    quote,
)

MAX_LITERAL_MINUS_BYTES = 4096
"""RFC 7888 §5."""

_UNSAFE = re.compile(rb"[\r\n\0]")


class Literals(Enum):
    """How the server takes literals (RFC 9051 §4.3, RFC 7888)."""

    ASK = 0
    MINUS = 1
    PLUS = 2


def command(
    tag: bytes, name: bytes, arguments: tuple[Argument, ...] = (), literals: Literals = Literals.ASK
) -> tuple[bytes, ...]:
    """The command in pieces: send the first, and each other one after a continuation request.

    Raises ValueError for a NUL, or for what is neither string nor atom.
    """
    pieces = [_checked(TAG, tag) + b" " + _checked(ATOM, name)]
    for argument in arguments:
        pieces[-1] += b" "
        _add(pieces, argument, literals)
    pieces[-1] += b"\r\n"
    return tuple(pieces)


def _add(pieces: list[bytes], argument: Argument, literals: Literals) -> None:
    if isinstance(argument, Word):
        _add_word(pieces, argument, literals)
        return
    pieces[-1] += b"("
    for index, word in enumerate(argument):
        pieces[-1] += b" " if index else b""
        _add_word(pieces, word, literals)
    pieces[-1] += b")"


def _add_word(pieces: list[bytes], word: Word, literals: Literals) -> None:
    if not word.is_string:
        pieces[-1] += _checked(WORD, word.value)
    elif is_quotable(word.value):
        pieces[-1] += quote(word.value)
    elif b"\0" in word.value:
        raise ValueError("NUL fits no string")
    elif literals is Literals.PLUS or (
        literals is Literals.MINUS and len(word.value) <= MAX_LITERAL_MINUS_BYTES
    ):
        pieces[-1] += b"{%d+}\r\n%s" % (len(word.value), word.value)
    else:
        pieces[-1] += b"{%d}\r\n" % len(word.value)
        pieces.append(word.value)


def tagged(tag: bytes, status: bytes, text: bytes, code: bytes = b"") -> bytes:
    """A tagged result. `code` without brackets. Raises ValueError for CR, LF or NUL."""
    if len(tag) > MAX_TAG_BYTES:
        raise ValueError("tag too long")
    return _checked(TAG, tag) + b" " + _status(status, text, code)


def untagged(status: bytes, text: bytes, code: bytes = b"") -> bytes:
    """An untagged response: a status, or data such as CAPABILITY with its words as text."""
    return b"* " + _status(status, text, code)


def untagged_list(name: bytes, argument: Argument) -> bytes:
    """Untagged data with one argument, such as ID; literals need no asking in this direction."""
    pieces = [b"* " + _checked(ATOM, name) + b" "]
    _add(pieces, argument, Literals.ASK)
    return b"".join(pieces) + b"\r\n"


def continuation(text: bytes) -> bytes:
    """A continuation request; `text` is a challenge in Base64 or words for people."""
    return b"+ " + line(text)


def _status(status: bytes, text: bytes, code: bytes) -> bytes:
    if b"]" in code:
        raise ValueError("bracket in a response code")
    return _checked(ATOM, status) + b" " + line(b"[" + code + b"] " + text if code else text)


def line(text: bytes) -> bytes:
    """With its CRLF. Raises ValueError for CR, LF or NUL."""
    if _UNSAFE.search(text):
        raise ValueError("CR, LF or NUL in a line")
    return text + b"\r\n"


def _checked(pattern: re.Pattern[bytes], value: bytes) -> bytes:
    if not pattern.fullmatch(value):
        raise ValueError("not an atom")
    return value
