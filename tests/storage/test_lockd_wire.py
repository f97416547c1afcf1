"""lockd's codec: every message whole, byte by byte and with what follows; what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_storage.errors import InDoubt, LimitExceeded, ProtocolViolation, StorageError, Unavailable
from l7lb_storage.lockd import shapes, wire
from l7lb_storage.lockd.shapes import Json
from l7lb_storage.model import Changed, Item, Page, Put, Reset, Transaction
from l7lb_storage.operations import Operation, Transact, Watched
from support.lockd_rules import check_bytes, frames, seeds
from support.lockd_samples import ITEM, OPERATIONS, REPLIES, TOLD


def parsed(data: bytes, limit: int = wire.REPLY_BYTES) -> list[Json]:
    return list(wire.Frames(limit).feed(data))


@pytest.mark.parametrize("operation", OPERATIONS, ids=repr)
def test_requests_go_through(operation: Operation) -> None:
    data = wire.request(7, operation)
    (found,) = parsed(data)
    assert wire.read_request(found) == wire.Request(7, operation)
    assert parsed(data + data) == [found, found]
    assert frames(bytes([byte]) for byte in data + b"\0") == [found]


@pytest.mark.parametrize("answer", REPLIES, ids=repr)
def test_replies_go_through(answer: object) -> None:
    (found,) = parsed(wire.reply(7, answer))  # type: ignore[arg-type]
    reply = wire.read_answer(found)
    assert isinstance(reply, wire.Reply)
    assert reply.id == 7
    if isinstance(answer, StorageError):
        assert type(reply.answer) is type(answer)
        assert str(reply.answer) == str(answer)
    else:
        assert reply.answer == answer
        assert type(reply.answer) is type(answer)


@pytest.mark.parametrize("told", TOLD, ids=repr)
def test_news_go_through(told: object) -> None:
    (data,) = wire.news(told)  # type: ignore[arg-type]
    assert wire.read_answer(*parsed(data)) == wire.News(told, more=False)  # type: ignore[arg-type]


def split_and_joined(told: Watched) -> Watched:
    parts: list[Watched] = []
    for data in wire.news(told):
        assert len(data) <= wire.REPLY_BYTES
        news = wire.read_answer(*parsed(data))
        assert isinstance(news, wire.News)
        assert isinstance(news.told, Watched)
        parts.append(news.told)
        assert news.more is (len(parts) < len(list(wire.news(told))))
    return wire.join(parts)


def items(count: int, size: int) -> Iterable[Item]:
    return (replace(ITEM, key=f"k{number}", value=b"x" * size) for number in range(count))


@pytest.mark.parametrize(("count", "size"), [(0, 0), (1, 1), (600, 1), (40, 60_000)])
def test_snapshots_and_many_events_fill_many_frames(count: int, size: int) -> None:
    snapshot = Watched(1, 2, (Reset(tuple(items(count, size)), 9),))
    assert split_and_joined(snapshot) == snapshot
    if count:
        changes = tuple(Changed(item.key, item, 9) for item in items(count, size))
        assert split_and_joined(Watched(1, 2, changes)) == Watched(1, 2, changes)


def test_errors_of_other_kinds_travel_as_unavailable() -> None:
    (found,) = parsed(wire.reply(1, InDoubt("x" * 5000)))
    reply = wire.read_answer(found)
    assert isinstance(reply, wire.Reply)
    assert type(reply.answer) is Unavailable
    assert len(str(reply.answer)) == 1000


def test_requests_that_are_too_large_do_not_go_out() -> None:
    edits = tuple(Put(f"k{number}", b"x" * 60_000) for number in range(20))
    with pytest.raises(LimitExceeded):
        wire.request(1, Transact(Transaction(edits=edits)))


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\0",
        b"\0\0\x10\x01",
        b"\xff\xff\xff\xff",
        b"\0\0\0\1\xff",
        b"\0\0\0\2{]",
        b"\0\0\0\3NaN",
        b"\0\0\0\x08Infinity",
        wire.LENGTH.pack(4000) + b"[" * 4000,
    ],
)
def test_frames_that_are_refused(data: bytes) -> None:
    assert frames([data]) == [None]
    assert frames(bytes([byte]) for byte in data) == [None]


OK = json.loads(wire.request(7, OPERATIONS[3])[4:])


@pytest.mark.parametrize(
    "found",
    [
        None,
        5,
        [],
        {},
        [1],
        [1, ["ReadKey", "k"], 3],
        [-1, ["ReadKey", "k"]],
        [True, ["ReadKey", "k"]],
        [1 << 63, ["ReadKey", "k"]],
        [1.0, ["ReadKey", "k"]],
        [1, ["ReadKey"]],
        [1, ["ReadKey", "k", "l"]],
        [1, ["ReadKey", 5]],
        [1, ["ReadKey", None]],
        [1, ["ReadKey", "x" * 5000]],
        [1, ["ReadKey", "\ud800"]],
        [1, ["Claim", *OK[1][1][1:]]],
        [1, ["NoSuchThing"]],
        [1, [["ReadKey"], "k"]],
        [1, ["OpenLease", 1, "15", "n"]],
        [1, ["OpenLease", 1, -1, "n"]],
        [1, ["OpenLease", 1, True, "n"]],
        [1, ["Convert", 1, 2, 3, "XX"]],
        [1, ["Convert", 1, 2, 3, []]],
        [1, ["Acquire", OK[1][1], 1]],
        [1, ["Acquire", None, True]],
        [1, ["Transact", ["Transaction", [], [["Put", "k", "?", 0]]]]],
        [1, ["Transact", ["Transaction", [], [["Put", "k", "QQ=", 0]]]]],
        [1, ["Transact", ["Transaction", [], [["Put", "k", "QR==", 0]]]]],
        [1, ["Transact", ["Transaction", [], [["Check", "k", 0]]]]],
        [1, ["Transact", ["Transaction", {}, []]]],
    ],
)
def test_requests_that_are_refused(found: Json) -> None:
    with pytest.raises(ProtocolViolation):
        wire.read_request(found)


@pytest.mark.parametrize(
    "found",
    [
        None,
        [1, "ok"],
        [1, "ok", ["NoSuchThing"]],
        [1, "ok", "text"],
        [1, "error", "KeyboardInterrupt", "x"],
        [1, "error", "LeaseLost", 5],
        [1, "told", ["LeaseGone", 1], False],
        [0, "told", ["LeaseGone", 1], 0],
        [0, "told", ["ReadKey", "k"], False],
        ["0", "ok", None],
    ],
)
def test_replies_that_are_refused(found: Json) -> None:
    with pytest.raises(ProtocolViolation):
        wire.read_answer(found)


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    check_bytes(data)


@given(st.data())
def test_damaged_messages(data: st.DataObject) -> None:
    frame = bytearray(data.draw(st.sampled_from(list(seeds()))))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(frame) - 1))
        frame[place] = data.draw(st.integers(0, 255))
    check_bytes(bytes(frame))


def test_every_class_has_a_sample() -> None:
    """Who adds a message adds its sample, and so its tests."""
    seen = {type(sample) for sample in (*OPERATIONS, *TOLD)}
    assert seen >= {cls for cls in shapes.CLASSES if cls.__module__.endswith("operations")}


def test_a_page_of_the_largest_values_fits_a_frame() -> None:
    """`PAGE_BYTES` and one value more, in base64, with the longest keys."""
    page = Page(tuple(replace(ITEM, key="k" * 1024, value=b"x" * 65536) for _ in range(9)), 1, True)
    assert len(wire.reply(1, page)) < wire.REPLY_BYTES
