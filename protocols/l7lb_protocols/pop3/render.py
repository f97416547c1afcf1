"""Builders of commands and responses: what is given is data and cannot become syntax.

Must not know any dialogue.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_UNSAFE = re.compile(rb"[\r\n\0]")
_NAME = re.compile(rb"[A-Z0-9]{3,8}")
_CODE = re.compile(rb"[A-Z0-9/-]+")


def command(name: bytes, argument: bytes | None = None) -> bytes:
    """One command. Raises ValueError for CR, LF or NUL."""
    if not _NAME.fullmatch(name):
        raise ValueError("not a command's name")
    return line(name if argument is None else name + b" " + argument)


def ok(text: bytes) -> bytes:
    """A positive answer; `text` may begin with the server's response code."""
    return line(b"+OK " + text)


def err(text: bytes, code: bytes = b"") -> bytes:
    """A negative answer. `code` without brackets (RFC 2449 §8, RFC 3206)."""
    if code and not _CODE.fullmatch(code):
        raise ValueError("not a response code")
    return line(b"-ERR " + (b"[" + code + b"] " if code else b"") + text)


def body(text: bytes, lines: Iterable[bytes]) -> bytes:
    """A positive answer of several lines (RFC 1939 §3): dots are stuffed."""
    stuffed = (line(b"." + one if one.startswith(b".") else one) for one in lines)
    return ok(text) + b"".join(stuffed) + b".\r\n"


def continuation(text: bytes) -> bytes:
    """A challenge in Base64 (RFC 5034 §4)."""
    return line(b"+ " + text)


def line(text: bytes) -> bytes:
    """Raises ValueError for CR, LF or NUL."""
    if _UNSAFE.search(text):
        raise ValueError("CR, LF or NUL in a line")
    return text + b"\r\n"
