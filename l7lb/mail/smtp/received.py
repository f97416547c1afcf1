"""The Received field that every message gets here (RFC 5321 §4.4)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import formatdate

_UNSAFE = re.compile(rb"[^!-'*-\[\]-~]")
"""What may not stand bare in a comment or a word."""


@dataclass(frozen=True, slots=True)
class Passage:
    """How one message came. Empty: not known."""

    hello: bytes
    source: str
    name: bytes
    """Ours."""
    queue_id: str
    extended: bool = True
    secure: bool = False
    account: bytes = b""
    recipient: bytes = b""
    """Named only when there is but one, lest others be given away (RFC 5321 §7.6)."""
    utf8: bool = False


def received(passage: Passage, wall_s: float) -> bytes:
    """The field, with its last CRLF."""
    lines = [
        b"Received: from %s (%s)" % (_word(passage.hello) or b"unknown", _literal(passage.source)),
        b"\tby %s (l7lb) with %s id %s"
        % (_word(passage.name), _protocol(passage), passage.queue_id.encode()),
    ]
    if passage.recipient and (passage.recipient.isascii() or passage.utf8):
        lines.append(b"\tfor <" + passage.recipient + b">")
    date = formatdate(wall_s).replace("-0000", "+0000")
    lines[-1] += b";"
    lines.append(b"\t" + date.encode())
    return b"\r\n".join(lines) + b"\r\n"


def new_queue_id(wall_s: float, random: float) -> str:
    """Unique enough to find a message in logs, and as the name of a file."""
    return f"{int(wall_s * 1000):x}{int(random * (1 << 32)):08x}"


def _word(text: bytes) -> bytes:
    return _UNSAFE.sub(b"?", text)


def _literal(source: str) -> bytes:
    """RFC 5321 §4.1.3."""
    return f"[IPv6:{source}]".encode() if ":" in source else f"[{source}]".encode()


def _protocol(passage: Passage) -> bytes:
    """RFC 3848, RFC 6531 §4.3."""
    if passage.utf8:
        base = b"UTF8SMTP"
    elif passage.extended:
        base = b"ESMTP"
    else:
        return b"SMTP"
    return base + b"S" * passage.secure + b"A" * bool(passage.account)
