"""SASL messages in lines of text: strict Base64, `=` for an empty message, `*` to give up.

The same in IMAP (RFC 9051 §6.2.2), POP3 (RFC 5034 §4) and SMTP (RFC 4954 §4). Must not know the
line around it.
"""

from __future__ import annotations

import base64
import re

from l7lb_protocols.sasl.errors import SaslCancelled, SaslMalformed

MAX_MESSAGE_BYTES = 2048
"""Decoded. Two names of 255 bytes and a secret of 1024 fit (RFC 4616 §2 asks for 255 each)."""

_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?")


def encode(message: bytes) -> bytes:
    """Base64 without line breaks (RFC 4648 §4)."""
    return base64.b64encode(message)


def decode(text: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
    """The message. Raises SaslMalformed for whatever `encode` would not have written: white space,
    missing padding, bits beyond the end (RFC 4648 §3.5), more than `max_bytes`.
    """
    if len(text) > (max_bytes + 2) // 3 * 4:
        raise SaslMalformed("message over the limit")
    if not _BASE64.fullmatch(text):
        raise SaslMalformed("message is not Base64", "RFC 4648 §4")
    message = base64.b64decode(text)
    if len(message) > max_bytes:
        raise SaslMalformed("message over the limit")
    if base64.b64encode(message) != text:
        raise SaslMalformed("Base64 with bits beyond its end", "RFC 4648 §3.5")
    return message


def read_initial(argument: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
    """The initial response of a command's argument; `=` alone is the empty one (RFC 4959 §3).

    Raises SaslMalformed.
    """
    if argument == b"=":
        return b""
    if not argument:
        raise SaslMalformed("initial response is missing", "RFC 4959 §3")
    return decode(argument, max_bytes)


def read_response(line: bytes, max_bytes: int = MAX_MESSAGE_BYTES) -> bytes:
    """The message of a line without its CRLF. Raises SaslMalformed, SaslCancelled."""
    if line == b"*":
        raise SaslCancelled("the client gave up")
    return decode(line, max_bytes)
