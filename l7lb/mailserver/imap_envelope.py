"""ENVELOPE of a message and quoted strings in answers (RFC 3501 §7.4.2). Pure."""

from __future__ import annotations

import re
from email.utils import getaddresses

from l7lb.mailserver.message import raw_fields
from l7lb_protocols.imap.grammar import is_quotable, quote

NIL = b"NIL"
ADDRESSES = 500
VALUE_BYTES = 64 << 10
"""Of a field with addresses; what is over is not shown."""
_FOLD = re.compile(rb"\r\n(?=[ \t])")


def string(value: bytes) -> bytes:
    """As quoted string where that can be, else as a literal."""
    return quote(value) if is_quotable(value) else b"{%d}\r\n%s" % (len(value), value)


def envelope(head: bytes) -> bytes:
    """Encoded words stay as they are: clients decode them."""
    fields: dict[bytes, bytes] = {}
    for name, raw in raw_fields(head):
        fields.setdefault(name, _FOLD.sub(b"", raw.partition(b":")[2]).strip())
    sender = _addresses(fields.get(b"from"))
    parts = [
        _text(fields.get(b"date")),
        _text(fields.get(b"subject")),
        sender,
        _addresses(fields.get(b"sender")) if fields.get(b"sender") else sender,
        _addresses(fields.get(b"reply-to")) if fields.get(b"reply-to") else sender,
        *(_addresses(fields.get(name)) for name in (b"to", b"cc", b"bcc")),
        _text(fields.get(b"in-reply-to")),
        _text(fields.get(b"message-id")),
    ]
    return b"(" + b" ".join(parts) + b")"


def _text(value: bytes | None) -> bytes:
    return NIL if value is None else string(value)


def _addresses(value: bytes | None) -> bytes:
    if not value:
        return NIL
    found = getaddresses([value[:VALUE_BYTES].decode("utf-8", "surrogateescape")])[:ADDRESSES]
    rendered = [_address(name, address) for name, address in found if address]
    return b"(" + b"".join(rendered) + b")" if rendered else NIL


def _address(name: str, address: str) -> bytes:
    local, at, domain = address.rpartition("@")
    if not at:
        local, domain = address, ""
    words = [_optional(name), NIL, _optional(local), _optional(domain)]
    return b"(" + b" ".join(words) + b")"


def _optional(text: str) -> bytes:
    return string(text.encode("utf-8", "surrogateescape")) if text else NIL
