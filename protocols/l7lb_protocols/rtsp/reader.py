"""Bytes of one direction of an RTSP connection to messages and runs of frames (RFC 2326 §10.12).

A run is every whole interleaved frame at hand, and what is there of one that is not whole yet, as
one piece: its packets are not looked at. It must not know sessions; limits are given.
"""

from __future__ import annotations

from dataclasses import dataclass

from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.frames import run_end
from l7lb_protocols.rtsp.grammar import DIGITS, FRAME, REQUEST_LINE, STATUS_LINE
from l7lb_protocols.rtsp.message import Message, Request, Response, places

BLANK = b"\r\n\r\n"
CR = 0x0D


@dataclass(frozen=True, slots=True)
class Limits:
    head_bytes: int = 16384
    """A description's base and a Digest fit many times."""
    fields: int = 100
    body_bytes: int = 262144
    """SDP; gst-rtsp-server takes as much."""
    blank_lines: int = 8
    """Empty lines before a message (RFC 9112 §2.2 has the same tolerance)."""


class Frames:
    """A run of interleaved frames, or a part of one frame."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


Event = Message | Frames


class Reader:
    """`feed` what came, then `next` until None. After a RtspRefusal it reads no more."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._data = b""
        self._at = 0
        self._inside = 0
        """Bytes that the frame under way still has."""
        self._searched = 0
        self._blank = 0
        self._open: Message | None = None
        """Its body is not whole yet."""
        self._parts: list[bytes] = []
        self._missing = 0

    @property
    def held(self) -> int:
        """Bytes that were fed and not read yet, but for an open body."""
        return len(self._data) - self._at

    @property
    def is_between(self) -> bool:
        """Neither a message nor a frame has begun."""
        return self._inside == 0 and self.held == 0 and self._open is None

    def feed(self, data: bytes) -> None:
        if self._at < len(self._data):
            self._data = self._data[self._at :] + data
            self._searched = max(0, self._searched - self._at)
        else:
            self._data = data
            self._searched = 0
        self._at = 0

    def take_rest(self) -> bytes:
        """What was fed and not read, for whoever goes on with it."""
        rest, self._data, self._at = self._data[self._at :], b"", 0
        return rest

    def next(self) -> Event | None:
        """The next event; None: more bytes are needed. Raises RtspRefusal."""
        if self._inside:
            return self._rest_of_frame()
        if self._open is not None:
            return self._body(self._open)
        self._skip_blank()
        if self._at >= len(self._data):
            return None
        if self._data[self._at] == FRAME:
            return self._frames()
        return self._message()

    def _rest_of_frame(self) -> Frames | None:
        if self.held == 0:
            return None
        end = min(self._at + self._inside, len(self._data))
        self._inside -= end - self._at
        if self._inside:
            return self._cut(end)
        return self._cut(run_end(self._data, end))

    def _frames(self) -> Frames | None:
        end = run_end(self._data, self._at)
        return None if end == self._at else self._cut(end)

    def _cut(self, end: int) -> Frames:
        """A run up to `end`, which may lie beyond what has come."""
        size = len(self._data)
        if end > size:
            self._inside = end - size
            end = size
        data = self._data[self._at : end]
        self._at = end
        return Frames(data)

    def _skip_blank(self) -> None:
        data = self._data
        while self._at < len(data) and data[self._at] == CR:
            pair = data[self._at : self._at + 2]
            if pair != b"\r\n":
                if len(pair) == 1:
                    self._data, self._at = pair, 0
                    return
                raise RtspRefusal(400, "a bare CR", "RFC 2326 §15.1")
            self._blank += 1
            if self._blank > self._limits.blank_lines:
                raise RtspRefusal(400, "nothing but empty lines")
            self._at += 2

    def _message(self) -> Message | None:
        data, limits = self._data, self._limits
        found = data.find(BLANK, max(self._at, self._searched - 3))
        if found < 0:
            self._searched = len(data)
            self._check_begin()
            if self.held > limits.head_bytes:
                raise RtspRefusal(400, "the head is too long")
            return None
        end = found + len(BLANK)
        if end - self._at > limits.head_bytes:
            raise RtspRefusal(400, "the head is too long")
        message = parse(data[self._at : end], limits)
        self._missing = _body_length(message, limits.body_bytes)
        self._at = end
        self._searched = end
        self._blank = 0
        return self._body(message) if self._missing else message

    def _body(self, message: Message) -> Message | None:
        """Gathered in pieces, so that one that comes byte by byte costs no more than its length."""
        end = min(self._at + self._missing, len(self._data))
        self._parts.append(self._data[self._at : end])
        self._missing -= end - self._at
        self._at = end
        self._searched = end
        if self._missing:
            self._open = message
            return None
        message.body = b"".join(self._parts)
        self._parts = []
        self._open = None
        return message

    def _check_begin(self) -> None:
        """Garbage is refused at its first line, not when it has filled the limit."""
        data, at = self._data, self._at
        line = data.find(b"\n", at)
        if line >= 0 and (line == at or data[line - 1] != CR):
            raise RtspRefusal(400, "a bare LF", "RFC 2326 §15.1")
        begin = data[at : at + 64] if line < 0 else data[at : min(at + 64, line)]
        if any(octet < 0x20 and octet != CR for octet in begin):
            raise RtspRefusal(400, "this is no RTSP", "RFC 2326 §6")


def parse(head: bytes, limits: Limits | None = None) -> Message:
    """A head with its blank line. Raises RtspRefusal."""
    fields = (limits or Limits()).fields
    if head.startswith(b"RTSP/"):
        match = STATUS_LINE.match(head)
        if match is None:
            raise RtspRefusal(400, "the status line is malformed", "RFC 2326 §7.1")
        return Response(int(match[2]), head, places(head, match.end(), fields), b"")
    match = REQUEST_LINE.match(head)
    if match is None or not match[3].startswith(b"RTSP/"):
        raise RtspRefusal(400, "the request line is malformed", "RFC 2326 §6.1")
    line = (match[1], match[2], match[3])
    return Request(line, head, places(head, match.end(), fields), b"")


def _body_length(message: Message, limit: int) -> int:
    value = message.get(b"content-length")
    if value is None:
        return 0
    if not DIGITS.fullmatch(value):
        raise RtspRefusal(400, "Content-Length is no number", "RFC 2326 §12.14")
    length = int(value)
    if length > limit:
        raise RtspRefusal(413, "the body is too long", "RFC 2326 §12.14")
    return length
