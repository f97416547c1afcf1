"""XCLIENT: what a trusted front tells of its client, both ways.

The attributes of Postfix (NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT) and those that
Dovecot adds (TTL, a hop count that ends loops, and SESSION). It must not know whom to trust.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from l7lb_protocols.smtp.commands import command_line
from l7lb_protocols.smtp.errors import Misuse, SmtpRefusal
from l7lb_protocols.smtp.grammar import xtext_decode, xtext_encode

ATTRIBUTES = tuple(b"NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT TTL SESSION".split())
UNKNOWN = (b"[UNAVAILABLE]", b"[TEMPUNAVAIL]")
MAX_VALUE = 255
LINE_LIMIT = 512
"""Of one XCLIENT command with CRLF, as Postfix documents it."""

Attributes = dict[bytes, bytes]

_NUMBER = re.compile(rb"[0-9]{1,5}")
_PROTOCOLS = frozenset((b"SMTP", b"ESMTP", b"LMTP"))


def parse_xclient(argument: bytes) -> Attributes:
    """Names in upper case to decoded values; empty: the front does not know.

    Addresses come without their `IPV6:`. Raises SmtpRefusal(501).
    """
    found: Attributes = {}
    for part in argument.split():
        name, equals, value = part.partition(b"=")
        name = name.upper()
        if name not in ATTRIBUTES or not equals or name in found:
            raise _refused("malformed XCLIENT")
        found[name] = _value(name, value)
    if not found:
        raise _refused("XCLIENT without attributes")
    return found


def _value(name: bytes, value: bytes) -> bytes:
    if value.upper() in UNKNOWN:
        return b""
    text = xtext_decode(value)
    if len(text) > MAX_VALUE:
        raise _refused("XCLIENT value too long")
    if name in (b"ADDR", b"DESTADDR"):
        return _plain_address(text)
    if name in (b"PORT", b"DESTPORT", b"TTL") and not _NUMBER.fullmatch(text):
        raise _refused("XCLIENT number expected")
    if name == b"PROTO" and text.upper() not in _PROTOCOLS:
        raise _refused("XCLIENT protocol not known")
    return text.upper() if name == b"PROTO" else text


def _plain_address(text: bytes) -> bytes:
    if text[:5].upper() == b"IPV6:":
        text = text[5:]
    try:
        return str(ip_address(text.decode("ascii"))).encode()
    except ValueError:
        raise _refused("malformed XCLIENT address") from None


def xclient_lines(attributes: Attributes, offered: frozenset[bytes]) -> list[bytes]:
    """The commands that tell a server those attributes which it `offered`, none longer than
    LINE_LIMIT; empty: it wants none of them. Raises Misuse for an attribute that nobody knows."""
    if not set(attributes) <= set(ATTRIBUTES):
        raise Misuse("no such XCLIENT attribute")
    parts = [
        b"%s=%s" % (name, _written(name, attributes[name]))
        for name in ATTRIBUTES
        if name in attributes and name in offered
    ]
    lines: list[list[bytes]] = []
    for part in parts:
        if lines and len(b" ".join([b"XCLIENT", *lines[-1], part])) + 2 <= LINE_LIMIT:
            lines[-1].append(part)
        else:
            lines.append([part])
    return [command_line(b"XCLIENT", b" ".join(line)) for line in lines]


def _written(name: bytes, value: bytes) -> bytes:
    if not value or len(xtext_encode(value)) > MAX_VALUE:
        return UNKNOWN[0]
    if name in (b"ADDR", b"DESTADDR") and b":" in value:
        return b"IPV6:" + value
    return xtext_encode(value)


def _refused(reason: str) -> SmtpRefusal:
    return SmtpRefusal(501, b"5.5.4", reason, "XCLIENT")
