"""One rule for RTSP's codec, for the fuzz target and for Hypothesis alike.

Whatever comes, only RtspRefusal comes out; the same is read whole and byte by byte; what goes on
unedited is what came; and what is written is read again with the same meaning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from l7lb_protocols.rtsp import http_tunnel, session_id, transport, url
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.message import Message, Request, Response
from l7lb_protocols.rtsp.reader import Frames, Limits, Reader

LIMITS = Limits(head_bytes=2048, fields=20, body_bytes=4096)
T = TypeVar("T")
Seen = list[tuple[str, bytes]]
TAGS = session_id.Tags(b"secret", "video", [("media", "one"), ("media", "two")])


def seen(pieces: Iterable[bytes], limits: Limits = LIMITS) -> Seen:
    """What a reader makes of it; frames that follow each other are one; a refusal is the end."""
    reader = Reader(limits)
    found: Seen = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (event := reader.next()) is not None:
                _note(found, event)
    except RtspRefusal as refusal:
        found.append(("refused", b"%d" % refusal.status))
    return found


def _note(found: Seen, event: Message | Frames) -> None:
    match event:
        case Frames() if found and found[-1][0] == "frames":
            found[-1] = ("frames", found[-1][1] + event.data)
        case Frames():
            found.append(("frames", event.data))
        case Message():
            assert event.encode() == event.head + event.body
            found.append((type(event).__name__.lower(), event.encode()))


def bytewise(data: bytes) -> Iterable[bytes]:
    return (data[at : at + 1] for at in range(len(data)))


def check_stream(data: bytes) -> None:
    whole = seen([data])
    if ("refused", b"400") not in whole[-1:]:
        assert whole == seen(bytewise(data))
    else:
        assert whole[:-1] == seen(bytewise(data))[: len(whole) - 1]
    for _, message in (entry for entry in whole if entry[0] in ("request", "response")):
        _check_message(message)


def _check_message(data: bytes) -> None:
    reader = Reader(LIMITS)
    reader.feed(data)
    message = reader.next()
    assert isinstance(message, (Request, Response))
    again = message.encode({b"session": b"x", b"transport": b"y"}, message.body + b"z")
    second = Reader(Limits(body_bytes=5000))
    second.feed(again)
    edited = second.next()
    assert isinstance(edited, type(message))
    for name, value in ((b"session", b"x"), (b"transport", b"y")):
        assert edited.get(name) == (None if message.get(name) is None else value)
    if message.get(b"content-length") is not None:
        assert edited.body == message.body + b"z"


def check_transport(data: bytes) -> None:
    found = _refusing(lambda: transport.parse(data), {400})
    if found is None:
        return
    again = transport.parse(transport.encode(found))
    assert [(one.spec, one.parameters) for one in again] == [
        (one.spec, one.parameters) for one in found
    ]
    for one in found:
        assert [one.is_tcp, one.is_udp, one.is_multicast].count(True) == 1
        for name in (b"client_port", b"server_port", b"port"):
            _refusing(partial(one.ports, name), {400})
        _refusing(one.channels, {400})
        one.address(b"destination")


def _refusing(call: Callable[[], T], statuses: set[int]) -> T | None:
    """None: refused with one of these."""
    status = 0
    try:
        return call()
    except RtspRefusal as refusal:
        status = refusal.status
    assert status in statuses
    return None


def check_texts(data: bytes) -> None:
    """Everything that is read of a field or a first line by itself."""
    readers: tuple[Callable[[bytes], object], ...] = (
        url.read,
        session_id.parse,
        lambda text: http_tunnel.read(text, LIMITS),
    )
    for read in readers:
        _refusing(partial(read, data), {400, 454})
    opened = TAGS.open(data)
    assert opened is None or TAGS.seal(opened.id, opened.place, b"abcdef").startswith(opened.id)


def check(data: bytes) -> None:
    check_stream(data)
    check_transport(data)
    check_texts(data)
