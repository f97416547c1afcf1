"""The first head of an RTSP-over-HTTP tunnel (QuickTime's; RFC 2326 says nothing of it).

A GET for what the server says and a POST for what the client says, two connections that belong
together by their x-sessioncookie. Only the head is read; what follows is passed on unseen.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.path import normalise
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.message import Message, places
from l7lb_protocols.rtsp.reader import BLANK, Limits

LINE = re.compile(
    rb"(GET|POST) ((?i:(?:https?|rtsp)://[^/ ]+)?/[\x21-\x7e\x80-\xff]*|\*) HTTP/1\.[01]\r\n"
)
BEGINS = (b"GET ", b"POST ")
COOKIE = b"x-sessioncookie"
COOKIE_BYTES = 256


class TunnelHead(NamedTuple):
    method: bytes
    target: bytes
    host: bytes
    """Of the Host field, lower case, without port."""
    path: bytes
    cookie: bytes
    message: Message
    """Its fields."""
    length: int
    """Bytes of the head."""


def may_begin(data: bytes) -> bool | None:
    """Whether these first bytes are a tunnel's; None: too few to say."""
    if any(data.startswith(begin) for begin in BEGINS):
        return True
    return None if any(begin.startswith(data) for begin in BEGINS) else False


def read(data: bytes, limits: Limits) -> TunnelHead | None:
    """None: the head is not whole. Raises RtspRefusal, to be answered in HTTP."""
    end = data.find(BLANK, 0, limits.head_bytes + len(BLANK))
    if end < 0:
        if len(data) > limits.head_bytes:
            raise RtspRefusal(400, "the tunnel's head is too long")
        return None
    head = data[: end + len(BLANK)]
    match = LINE.match(head)
    if match is None:
        raise RtspRefusal(400, "this is neither RTSP nor a tunnel of it")
    message = Message(head, places(head, match.end(), limits.fields), b"")
    cookie = message.get(COOKIE) or b""
    if not cookie or len(cookie) > COOKIE_BYTES:
        raise RtspRefusal(400, "a tunnel needs an x-sessioncookie")
    host = (message.get(b"host") or b"").lower()
    name = host.rpartition(b":")[0] if re.search(rb":[0-9]+$", host) else host
    return TunnelHead(match[1], match[2], name, _path(match[2]), cookie, message, len(head))


def _path(target: bytes) -> bytes:
    if target == b"*":
        return b"*"
    path = re.sub(rb"^[A-Za-z]+://[^/]+", b"", target).partition(b"?")[0]
    try:
        return normalise(path or b"/")
    except HttpRefusal as refusal:
        raise RtspRefusal(400, refusal.reason, refusal.clause) from None


def refusal(status: int) -> bytes:
    """The answer to a tunnel that is not let in."""
    return b"HTTP/1.0 %d Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % status
