"""The words of etcd's gateway, and what is in a lock's key: read strictly, written exactly."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_storage.errors import ProtocolViolation
from l7lb_storage.etcd import names, wire
from l7lb_storage.etcd.names import Names
from l7lb_storage.etcd.wire import Kv
from l7lb_storage.model import Claim
from l7lb_storage.modes import Mode

CLAIM = Claim(0xABC, 3, "user/1", Mode.PW, "node ä", 12.5)


@given(st.binary(max_size=6), st.binary(max_size=6))
def test_prefix_end_is_behind_all_that_begin_so(prefix: bytes, rest: bytes) -> None:
    end = wire.prefix_end(prefix)
    if prefix.strip(b"\xff"):
        assert prefix + rest < end
        assert prefix + b"\xff" * 9 < end
        assert not end.startswith(prefix)
    else:
        assert end == b"\0"


def test_large_numbers_travel_as_strings() -> None:
    assert wire.put(b"k", b"v", 1 << 62)["lease"] == str(1 << 62)
    assert wire.is_modified_at(b"k", 1 << 60)["mod_revision"] == str(1 << 60)
    assert wire.is_quiet_since(b"k", 7)["mod_revision"] == "8"


def test_answers_leave_out_what_is_zero() -> None:
    found = wire.read_range({"header": {"revision": "7", "raft_term": "2", "member_id": "9"}})
    assert found == wire.Found((), 7, False, 2, 9)
    done = wire.read_transaction({"header": {"revision": "7"}})
    assert done == wire.Done(False, 7, ())
    assert wire.read_lease({"result": {"ID": "5"}})[:2] == (5, 0)


def test_transactions_answer_each_range() -> None:
    kv = {"key": "aw==", "create_revision": "3", "mod_revision": "4", "lease": "5", "value": "dg=="}
    body = {
        "header": {"revision": "9"},
        "succeeded": True,
        "responses": [
            {"response_put": {}},
            {"response_range": {"kvs": [kv]}},
            {"response_range": {}},
        ],
    }
    assert wire.read_transaction(body).ranges == ((Kv(b"k", b"v", 3, 4, 5),), ())


def line(**result: object) -> bytes:
    return json.dumps({"result": {"header": {"revision": "9"}, **result}}).encode()


def test_watch_lines() -> None:
    assert wire.read_watch(line(created=True)) == wire.Seen(9, (), True, False, False)
    deleted = {"type": "DELETE", "kv": {"key": "aw==", "mod_revision": "8"}}
    seen = wire.read_watch(line(events=[deleted, {"kv": {"key": "aw=="}}]))
    assert seen.events == ((True, Kv(b"k", b"", 0, 8, 0)), (False, Kv(b"k", b"", 0, 0, 0)))
    compacted = wire.read_watch(line(canceled=True, compact_revision="5"))
    assert compacted.ended
    assert compacted.compacted
    cancelled = wire.read_watch(line(canceled=True))
    assert cancelled.ended
    assert not cancelled.compacted


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 100_000,
        b'{"error": {"message": "etcdserver: no leader"}}',
        b'{"result": []}',
        b'{"result": {"header": 5}}',
        b'{"result": {"header": {"revision": "x"}}}',
        b'{"result": {"events": [5]}}',
        b'{"result": {"events": [{"kv": {"key": "?"}}]}}',
        b'{"result": {"events": [{"kv": {"key": 5}}]}}',
    ],
)
def test_what_is_no_watch_line(text: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        wire.read_watch(text)


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_refused(text: bytes) -> None:
    try:
        wire.read_watch(text)
    except ProtocolViolation:
        return


def test_names_of_two_resources_do_not_meet() -> None:
    found = Names("l7lb/")
    assert found.entry(CLAIM) == b"l7lb/lk/user/1\0abc-3"
    assert not found.queue("user/11").startswith(found.queue("user/1"))
    assert not found.queue("user/1/pop3").startswith(found.queue("user/1"))
    assert found.resource(found.entry(CLAIM)) == "user/1"
    assert found.plain(found.key("a/ä")) == "a/ä"
    assert found.session(0xABC) == b"l7lb/se/abc"


def test_entry_says_what_its_holder_knows() -> None:
    kv = Kv(b"k", names.entry_value(CLAIM, 4), 10, 10, 0xABC)
    place = names.place_of(kv)
    assert (place.mode, place.holder, place.since_s) == (Mode.PW, "node ä", 12.5)
    assert place.grant.token == 4 << 48 | 10
    weaker = Kv(b"k", names.entry_value(CLAIM, 4, revision=10), 10, 17, 0xABC)
    assert names.place_of(weaker).grant == place.grant, "a down-conversion keeps the token"


@pytest.mark.parametrize("value", [b"", b"[]", b'{"mode": "XX"}', b'{"mode": "PR"}', b"\xff"])
def test_strange_entries_count_as_exclusive(value: bytes) -> None:
    place = names.place_of(Kv(b"k", value, 10, 10, 0))
    assert place.mode is Mode.EX


def test_order_is_that_of_creation() -> None:
    kvs = tuple(Kv(bytes([n]), b"", created, created, 0) for n, created in ((1, 9), (2, 4)))
    queue = names.in_order(kvs)
    assert [place.created for place in queue] == [4, 9]
    assert names.index_of(queue, b"\x01") == 1
    assert names.index_of(queue, b"\x01", 9) == 1
    assert names.index_of(queue, b"\x01", 8) is None
    assert names.index_of(queue, b"\x03") is None


def test_epoch() -> None:
    assert names.parse_epoch(()) == (1, None)
    assert names.parse_epoch((Kv(b"e", b"7", 1, 1, 0),)) == (7, b"7")
    with pytest.raises(ProtocolViolation):
        names.parse_epoch((Kv(b"e", b"x", 1, 1, 0),))
