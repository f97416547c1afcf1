"""The one rule of lockd's codec, for tests and fuzzing: what it takes it can say again alike, in
whatever pieces it comes; the rest is ProtocolViolation."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator

from l7lb_storage.errors import ProtocolViolation, StorageError
from l7lb_storage.lockd import wire
from l7lb_storage.lockd.shapes import Json, encode

LIMIT = 4096


def frames(pieces: Iterable[bytes], limit: int = LIMIT) -> list[Json | None]:
    """What comes out; None at the end: it was refused."""
    decoder = wire.Frames(limit)
    found: list[Json | None] = []
    try:
        for piece in pieces:
            found.extend(decoder.feed(piece))
    except ProtocolViolation:
        found.append(None)
    return found


def check_bytes(data: bytes) -> None:
    """As one piece and byte by byte alike; what is understood goes out and in again."""
    whole = frames([data])
    assert whole == frames(bytes([byte]) for byte in data)
    for found in whole:
        check_message(found, wire.read_request, lambda request: encode(request.operation))
        check_message(found, wire.read_answer, _answer)


def check_message(
    found: Json | None,
    read: Callable[[Json], object],
    write: Callable[..., Json],
) -> None:
    try:
        message = read(found)
    except ProtocolViolation:
        return
    assert isinstance(found, list)
    again = write(message)
    assert _same(found, again), (found, again)


def _answer(message: wire.Reply | wire.News) -> Json:
    if isinstance(message, wire.News):
        return encode(message.told)
    if isinstance(message.answer, StorageError):
        return str(message.answer)
    return encode(message.answer)


def _same(found: list[Json], again: Json) -> bool:
    """The content stands at the second or third place; a whole number may be a float."""
    return any(json.dumps(_plain(part)) == json.dumps(_plain(again)) for part in found[1:])


def _plain(value: Json) -> Json:
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return value


def seeds() -> Iterator[bytes]:
    """One frame of each kind."""
    from support.lockd_samples import OPERATIONS, REPLIES, TOLD

    for operation in OPERATIONS:
        yield wire.request(7, operation)
    for answer in REPLIES:
        yield wire.reply(7, answer)
    for told in TOLD:
        yield from wire.news(told)
