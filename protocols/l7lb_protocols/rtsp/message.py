"""Requests and responses of RTSP 1.0, kept as the bytes that came (RFC 2326 §4 to §7).

Fields are remembered as places in the head; what goes on is cut from the original, and only what
is edited is new. It must not know sockets or sessions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.grammar import DIGITS, FIELD, REASONS, VERSION

Place = tuple[bytes, int, int, int, int]
"""Name in lower case; where the line begins, the value begins, the value ends, the line ends."""
Edits = Mapping[bytes, bytes | None]
"""By name in lower case: the new value, or None to take the field out. A field that is not there
is not added; of several lines of one name the first gets the value and the others go."""
ONCE = frozenset((b"cseq", b"content-length", b"session"))
"""Fields that two readers could take from different lines."""
MAX_CSEQ = 0xFFFFFFFF


class Message:
    """A whole message: head, with its blank line, and body."""

    __slots__ = ("body", "fields", "head")

    def __init__(self, head: bytes, fields: list[Place], body: bytes) -> None:
        self.head = head
        self.fields = fields
        self.body = body

    def get(self, name: bytes) -> bytes | None:
        """Value of the field `name` (lower case), lines joined by `, `; None: absent."""
        found = self.all(name)
        return b", ".join(found) if found else None

    def all(self, name: bytes) -> list[bytes]:
        return [self.head[begin:end] for key, _, begin, end, _ in self.fields if key == name]

    def encode(self, edits: Edits | None = None, body: bytes | None = None) -> bytes:
        """The message with these fields, and perhaps another body, whose length is put right."""
        if body is not None and body != self.body:
            edits = {**(edits or {}), b"content-length": b"%d" % len(body)}
        else:
            body = self.body
        return (self._edited(edits) if edits else self.head) + body

    def _edited(self, edits: Edits) -> bytes:
        parts: list[bytes] = []
        done = 0
        seen: set[bytes] = set()
        for name, line, begin, end, line_end in self.fields:
            if name not in edits:
                continue
            value = edits[name]
            if value is None or name in seen:
                parts.append(self.head[done:line])
                done = line_end
            else:
                parts += (self.head[done:begin], value)
                done = end
            seen.add(name)
        parts.append(self.head[done:])
        return b"".join(parts)

    @property
    def cseq(self) -> int:
        """RFC 2326 §12.17. Raises RtspRefusal(400)."""
        value = self.get(b"cseq")
        if value is None or not DIGITS.fullmatch(value) or int(value) > MAX_CSEQ:
            raise RtspRefusal(400, "no usable CSeq", "RFC 2326 §12.17")
        return int(value)


class Request(Message):
    __slots__ = ("method", "target", "version")

    def __init__(
        self, line: tuple[bytes, bytes, bytes], head: bytes, fields: list[Place], body: bytes
    ) -> None:
        super().__init__(head, fields, body)
        self.method, self.target, self.version = line


class Response(Message):
    __slots__ = ("status",)

    def __init__(self, status: int, head: bytes, fields: list[Place], body: bytes) -> None:
        super().__init__(head, fields, body)
        self.status = status


def places(head: bytes, start: int, limit: int) -> list[Place]:
    """The fields from `start` to the blank line. Raises RtspRefusal(400)."""
    found: list[Place] = []
    seen: set[bytes] = set()
    end = len(head) - 2
    while start < end:
        match = FIELD.match(head, start)
        if match is None:
            raise RtspRefusal(400, "a header line is malformed", "RFC 2326 §15.1")
        name = match[1].lower()
        if name in ONCE and name in seen:
            raise RtspRefusal(400, f"{name.decode()} stands twice", "RFC 2326 §12")
        seen.add(name)
        begin, stop = match.span(2)
        while stop > begin and head[stop - 1] in b" \t":
            stop -= 1
        found.append((name, start, begin, stop, match.end()))
        start = match.end()
        if len(found) > limit:
            raise RtspRefusal(400, "too many header fields")
    return found


def response(status: int, cseq: int | None, fields: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """One of our own, without a body."""
    lines = [b"%s %d %s" % (VERSION, status, REASONS.get(status, b"Status"))]
    if cseq is not None:
        lines.append(b"CSeq: %d" % cseq)
    lines += [b"%s: %s" % pair for pair in fields]
    return b"\r\n".join([*lines, b"", b""])


def request(
    method: bytes, target: bytes, cseq: int, fields: Sequence[tuple[bytes, bytes]] = ()
) -> bytes:
    """One of our own, without a body."""
    lines = [b"%s %s %s" % (method, target, VERSION), b"CSeq: %d" % cseq]
    lines += [b"%s: %s" % pair for pair in fields]
    return b"\r\n".join([*lines, b"", b""])
