"""MIME parts of a message, and BODYSTRUCTURE (RFC 3501 §6.4.5, §7.4.2). Pure.

Cuts parts out of the original bytes: what a client fetches is what was sent. Parts nest DEPTH
deep; what lies deeper, or is broken, is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser

from l7lb.mailserver import message
from l7lb.mailserver.imap_envelope import NIL, envelope, string

DEPTH = 20
PARTS = 1000
"""In one multipart; the rest is not shown."""


@dataclass(frozen=True, slots=True)
class Entity:
    head: bytes
    body: bytes
    fields: Message

    @property
    def kind(self) -> tuple[str, str]:
        major, _, minor = self.fields.get_content_type().partition("/")
        return major, minor


def entity(data: bytes) -> Entity:
    head, body = message.split(data)
    return Entity(head, body, BytesHeaderParser().parsebytes(head))


def parts(found: Entity, depth: int = 0) -> list[Entity]:
    """Of a multipart; empty for anything else (RFC 2046 §5.1)."""
    boundary = found.fields.get_boundary()
    if found.kind[0] != "multipart" or not boundary or depth >= DEPTH:
        return []
    mark = re.escape(boundary.encode("utf-8", "surrogateescape"))
    # The line end before a mark belongs to it, and one may serve two marks: hence the look ahead.
    line = re.compile(rb"(?:\A|\r\n)--" + mark + rb"(--)?[ \t]*(?=\r\n|\Z)")
    cut: list[Entity] = []
    here = line.search(found.body)
    while here is not None and not here[1] and len(cut) < PARTS:
        following = line.search(found.body, here.end())
        end = following.start() if following else len(found.body)
        cut.append(entity(found.body[here.end() + 2 : end]))
        here = following
    return cut


def part(data: bytes, numbers: tuple[int, ...], *, is_mime: bool) -> bytes:
    """The bytes of one part, or its own head; empty when there is none.

    For a part that is a message, the message (its HEADER and TEXT can be cut from that).
    """
    found = entity(data)
    for depth, number in enumerate(numbers):
        if depth and found.kind == ("message", "rfc822"):
            found = entity(found.body)
        inside = parts(found)
        if not inside and number == 1:
            continue  # what has no parts is its own first part
        if not 0 < number <= len(inside):
            return b""
        found = inside[number - 1]
    return found.head if is_mime else found.body


def structure(data: bytes, *, is_extended: bool) -> bytes:
    return _structure(entity(data), 0, is_extended=is_extended)


def _structure(found: Entity, depth: int, *, is_extended: bool) -> bytes:
    inside = parts(found, depth)
    if inside:
        listed = [_structure(each, depth + 1, is_extended=is_extended) for each in inside]
        tail = b" " + string(found.kind[1].upper().encode())
        if is_extended:
            tail += b" " + _parameters(found.fields) + b" NIL NIL NIL"
        return b"(" + b"".join(listed) + tail + b")"
    major, minor = found.kind
    if major == "multipart":  # without a part that could be found
        major, minor = "text", "plain"
    words = [
        string(major.upper().encode()),
        string(minor.upper().encode()),
        _parameters(found.fields),
        _field(found, "Content-ID"),
        _field(found, "Content-Description"),
        _field(found, "Content-Transfer-Encoding", b"7BIT"),
        b"%d" % len(found.body),
    ]
    if (major, minor) == ("message", "rfc822") and depth < DEPTH:
        inner = entity(found.body)
        words += [envelope(inner.head), _structure(inner, depth + 1, is_extended=is_extended)]
    if major == "text" or (major, minor) == ("message", "rfc822"):
        words.append(b"%d" % found.body.count(b"\r\n"))
    if is_extended:
        words += [NIL, NIL, NIL, NIL]
    return b"(" + b" ".join(words) + b")"


def _parameters(fields: Message) -> bytes:
    found = fields.get_params([], "content-type", unquote=True)[1:]
    words = [word for pair in found if isinstance(pair[1], str) for word in pair]
    encoded = [string(word.encode("utf-8", "surrogateescape")) for word in words]
    return b"(" + b" ".join(encoded) + b")" if encoded else NIL


def _field(found: Entity, name: str, default: bytes = b"") -> bytes:
    value = str(found.fields.get(name, "")).replace("\r", "").replace("\n", "").strip()
    encoded = value.encode("utf-8", "surrogateescape") or default
    return string(encoded) if encoded else NIL
