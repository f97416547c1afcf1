"""Tokens of SMTP as regular expressions over bytes, and xtext. It must not know any command.

RFC 5321 §4.1.2 and §4.1.3, with octets above 127 where RFC 6531 §3.3 allows them; whether they are
allowed in one transaction is decided by those who parse it.
"""

from __future__ import annotations

import re

from l7lb_protocols.smtp.errors import Misuse, SmtpRefusal

ATOM = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\x80-\xff-]+"
DOTTED = rb"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\x80-\xff-]+"
"""Dots anywhere: addresses with two in a row exist, and are passed on quoted."""
QUOTED = rb'"(?:[ !#-\[\]-~\x80-\xff]|\\[ -~])*"'
LITERAL = rb"\[[!-Z^-~]+\]"
NAME = rb"[A-Za-z0-9_\x80-\xff](?:[A-Za-z0-9_.\x80-\xff-]*)"
DOMAIN = rb"(?:" + NAME + rb"|" + LITERAL + rb")"
ROUTE = rb"@" + DOMAIN + rb"(?:,@" + DOMAIN + rb")*:"

IS_ATOMS = re.compile(ATOM + rb"(?:\." + ATOM + rb")*").fullmatch
IS_KEYWORD = re.compile(rb"[A-Za-z0-9][A-Za-z0-9-]*").fullmatch
IS_VALUE = re.compile(rb"[!-<>-~\x80-\xff]+").fullmatch
IS_TEXT = re.compile(rb"[\t -~\x80-\xff]*").fullmatch
"""What a line may hold besides its end: no control character but TAB."""

_XTEXT = re.compile(rb"(?:[!-*,-<>-~]|\+[0-9A-Fa-f]{2})*").fullmatch
_ENCODED = re.compile(rb"\+([0-9A-Fa-f]{2})")
_SPECIAL = re.compile(rb"[^!-*,-<>-~]")
_LABEL = re.compile(rb"[A-Za-z0-9_\x80-\xff](?:[A-Za-z0-9_\x80-\xff-]*[A-Za-z0-9_\x80-\xff])?")

MAX_DOMAIN = 255
MAX_LABEL = 63


def is_utf8(text: bytes) -> bool:
    """Whether the octets are UTF-8 in its shortest form and without surrogates (RFC 3629)."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def is_host_name(name: bytes) -> bool:
    """Labels of letters, digits, hyphen and, as the world has it, underscore (RFC 5321 §2.3.5)."""
    labels = name.removesuffix(b".").split(b".")
    return len(name) <= MAX_DOMAIN and all(
        len(label) <= MAX_LABEL and _LABEL.fullmatch(label) for label in labels
    )


def xtext_encode(text: bytes) -> bytes:
    """RFC 3461 §4: everything but printable ASCII, `+` and `=` becomes `+XX`."""
    return _SPECIAL.sub(lambda found: b"+%02X" % found[0][0], text)


def xtext_decode(text: bytes) -> bytes:
    """RFC 3461 §4. Raises SmtpRefusal(501) for what is no xtext, or hides a control character."""
    if not _XTEXT(text):
        raise SmtpRefusal(501, b"5.5.4", "invalid xtext", "RFC 3461 §4")
    plain = _ENCODED.sub(lambda found: bytes([int(found[1], 16)]), text)
    if not IS_TEXT(plain):
        raise SmtpRefusal(501, b"5.5.4", "control character in xtext", "RFC 3461 §4")
    return plain


def require_text(text: bytes) -> bytes:
    """`text`, safe to be part of a line that we send. Raises Misuse."""
    if not IS_TEXT(text):
        raise Misuse("control character in text for the wire")
    return text
