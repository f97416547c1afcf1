"""The protocol of lockd, without I/O: frames and what is in them.

A frame is four bytes of length, most significant first, and so many bytes of JSON in UTF-8.

    server  ["hello", 1, nonce]                     it begins
    client  ["hello", client, nonce, proof]         `auth` says what the proofs are
    server  ["welcome", proof]
    client  [id, operation]
    server  [id, "ok", answer]                      in the order of the requests
    server  [id, "error", name, text]
    server  [0, "told", told, more]                 `more`: the events go on in the next one

It must not know sockets, secrets or the machine.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from l7lb_storage import errors
from l7lb_storage.errors import ProtocolViolation, StorageError
from l7lb_storage.lockd.shapes import Json, decode, encode
from l7lb_storage.machine import Answer
from l7lb_storage.model import Grant, Item, Lease, LockView, Outcome, Page, Reset
from l7lb_storage.operations import Operation, Told, Watched

VERSION = 1
LENGTH = struct.Struct(">I")
GREETING_BYTES = 1024
"""A frame before the other side is known."""
REQUEST_BYTES = 1 << 20
"""A frame to the server: a transaction of 512 KiB grows by a third in base64."""
REPLY_BYTES = 4 << 20
EVENTS = 256
"""Events, or items of a snapshot, in one frame."""
EVENT_BYTES = 1 << 20
ANSWER = Lease | Grant | Outcome | Page | Item | list[LockView] | bool | int | None
NAMED = {
    cls.__name__: cls
    for cls in (
        errors.Unavailable,
        errors.LeaseLost,
        errors.NotGranted,
        errors.ConversionRefused,
        errors.LimitExceeded,
        errors.AuthenticationFailed,
        errors.ProtocolViolation,
    )
}


@dataclass(frozen=True, slots=True)
class Request:
    id: int
    operation: Operation


@dataclass(frozen=True, slots=True)
class Reply:
    """`answer` may be an error that the caller is to raise."""

    id: int
    answer: Answer | StorageError


@dataclass(frozen=True, slots=True)
class News:
    told: Told
    more: bool


class Frames:
    """Bytes in, JSON out. `limit` may be raised when the other side is known."""

    def __init__(self, limit: int = GREETING_BYTES) -> None:
        self.limit = limit
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Json]:
        """All whole frames. Raises ProtocolViolation at the first that is none."""
        self._buffer += data
        while len(self._buffer) >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._buffer)
            if not 0 < size <= self.limit:
                raise ProtocolViolation(f"a frame of {size} bytes; at most {self.limit}")
            end = LENGTH.size + size
            if len(self._buffer) < end:
                return
            text = bytes(self._buffer[LENGTH.size : end])
            del self._buffer[:end]
            yield _parse(text)


def frame(content: Json) -> bytes:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return LENGTH.pack(len(text)) + text


def request(number: int, operation: Operation) -> bytes:
    """Raises LimitExceeded when it is too large for the server."""
    found = frame([number, encode(operation)])
    if len(found) - LENGTH.size > REQUEST_BYTES:
        raise errors.LimitExceeded(f"a request has at most {REQUEST_BYTES} bytes")
    return found


def read_request(found: Json) -> Request:
    number, content = _fields(found, 2)
    return Request(decode(int, number), decode(Operation, content))


def reply(number: int, answer: Answer | StorageError) -> bytes:
    if isinstance(answer, StorageError):
        name = type(answer).__name__
        return frame(
            [number, "error", name if name in NAMED else "Unavailable", str(answer)[:1000]]
        )
    return frame([number, "ok", encode(answer)])


def news(told: Told) -> Iterator[bytes]:
    """One frame, or several for many events."""
    if not isinstance(told, Watched):
        yield frame([0, "told", encode(told), False])
        return
    parts = list(_parts(told))
    for part in parts:
        yield frame([0, "told", encode(part), part is not parts[-1]])


def read_answer(found: Json) -> Reply | News:
    """What a client gets."""
    if not isinstance(found, list) or len(found) < 3:
        raise ProtocolViolation("this is no reply")
    number = decode(int, found[0])
    match found[1:]:
        case ["ok", answer]:
            return Reply(number, decode(ANSWER, answer))
        case ["error", str(name), str(text)] if name in NAMED:
            return Reply(number, NAMED[name](text))
        case ["told", told, bool(more)] if number == 0:
            return News(decode(Told, told), more)
    raise ProtocolViolation("this is no reply")


def join(parts: list[Watched]) -> Watched:
    """The parts of one `Watched`, whole again."""
    events = [event for part in parts for event in part.events]
    if isinstance(events[0], Reset):
        pieces = [event for event in events if isinstance(event, Reset)]
        items = tuple(item for piece in pieces for item in piece.items)
        return replace(parts[0], events=(replace(pieces[0], items=items),))
    return replace(parts[0], events=tuple(events))


def _parts(told: Watched) -> Iterator[Watched]:
    """A snapshot is told alone; its items may fill many frames."""
    first = told.events[0]
    if isinstance(first, Reset):
        for items in _pieces(first.items, lambda item: len(item.value)):
            yield replace(told, events=(replace(first, items=tuple(items)),))
    else:
        sized = _pieces(told.events, lambda event: len(event.item.value) if event.item else 0)
        for events in sized:
            yield replace(told, events=tuple(events))


def _pieces(values: tuple[Any, ...], size_of: Any) -> Iterator[list[Any]]:
    piece: list[Any] = []
    size = 0
    for value in values:
        if len(piece) == EVENTS or size > EVENT_BYTES:
            yield piece
            piece, size = [], 0
        piece.append(value)
        size += size_of(value)
    yield piece


def _fields(found: Json, count: int) -> list[Json]:
    if not isinstance(found, list) or len(found) != count:
        raise ProtocolViolation(f"expected a list of {count}")
    return found


def _parse(text: bytes) -> Json:
    try:
        found: Json = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation("this is no JSON") from error
    return found


def _refuse_constant(name: str) -> None:
    raise ProtocolViolation(f"{name} is no JSON")
