"""Characters and words of IMAP (RFC 3501 §9, RFC 9051 §9). Must not know any command."""

from __future__ import annotations

import re
from dataclasses import dataclass

ATOM_CHARS = rb"!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~"
"""All of ASCII but `( ) { SP CTL % * " \\ ]`, as part of a character class."""

ATOM = re.compile(rb"[" + ATOM_CHARS + rb"]+")
WORD = re.compile(rb"[" + ATOM_CHARS + rb"\]]+")
"""What an unquoted argument may be: an atom that may also have `]` (ASTRING-CHAR)."""
TAG = re.compile(rb"[" + ATOM_CHARS.replace(rb"+", rb"", 1) + rb"\]]+")
"""As an atom, with `]` and without `+`."""

MAX_TAG_BYTES = 64
"""Nobody's client needs more, and every reply repeats it."""
MAX_QUOTED_BYTES = 1000
"""Longer strings are sent as literals: some servers limit the line (RFC 2683 §3.2.1.5)."""


@dataclass(frozen=True, slots=True)
class Word:
    """One argument. `is_string`: came, or is to be sent, as quoted string or literal."""

    value: bytes
    is_string: bool = False

    @property
    def is_nil(self) -> bool:
        return not self.is_string and self.value.upper() == b"NIL"


Argument = Word | tuple[Word, ...]
"""A word, or a list in parentheses; before login nothing nests deeper (RFC 2971 §3.1)."""


def is_quotable(value: bytes) -> bool:
    """Whether a quoted string can carry it: printable ASCII, not too long."""
    return (
        len(value) <= MAX_QUOTED_BYTES and value.isascii() and value.decode("ascii").isprintable()
    )


def quote(value: bytes) -> bytes:
    """As a quoted string. Raises ValueError for what `is_quotable` denies."""
    if not is_quotable(value):
        raise ValueError("not for a quoted string")
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
