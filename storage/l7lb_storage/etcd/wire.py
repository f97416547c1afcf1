"""The words of etcd's JSON gateway, without I/O: requests as dictionaries, answers as tuples.

Keys and values travel as base64, 64-bit numbers as strings, and what is zero or empty is left out.
It must not know HTTP, nor what the keys mean.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from l7lb_storage.errors import ProtocolViolation

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kv:
    """One key as etcd has it; of a deletion only `key` and `modified` mean something."""

    key: bytes
    value: bytes
    created: int
    modified: int
    lease: int


@dataclass(frozen=True, slots=True)
class Found:
    """Answer to a range. `term` is the raft term and `member` who answered."""

    kvs: tuple[Kv, ...]
    revision: int
    more: bool
    term: int
    member: int


@dataclass(frozen=True, slots=True)
class Done:
    """Answer to a transaction: one list of keys for each range that it asked for."""

    succeeded: bool
    revision: int
    ranges: tuple[tuple[Kv, ...], ...]


@dataclass(frozen=True, slots=True)
class Seen:
    """One message of a watch. `compacted`: the watch began too early and has ended."""

    revision: int
    events: tuple[tuple[bool, Kv], ...]
    """(is it a deletion, key)."""
    created: bool
    ended: bool
    compacted: bool


def prefix_end(prefix: bytes) -> bytes:
    """The first key behind all that begin so."""
    cut = prefix.rstrip(b"\xff")
    return cut[:-1] + bytes([cut[-1] + 1]) if cut else b"\0"


def encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def one(key: bytes) -> Body:
    return {"key": encode(key)}


def many(prefix: bytes, after: bytes = b"", limit: int = 0, revision: int = 0) -> Body:
    """Keys with the prefix, behind `after`; `revision`: as they were then."""
    body: Body = {"key": encode(max(prefix, after)), "range_end": encode(prefix_end(prefix))}
    if limit:
        body["limit"] = limit
    if revision:
        body["revision"] = str(revision)
    return body


def put(key: bytes, value: bytes, lease: int = 0) -> Body:
    return {"key": encode(key), "value": encode(value), "lease": str(lease)}


def is_modified_at(key: bytes, revision: int) -> Body:
    """0: the key is not there."""
    return {
        "key": encode(key),
        "target": "MOD",
        "result": "EQUAL",
        "mod_revision": str(revision),
    }


def is_created_at(key: bytes, revision: int) -> Body:
    return {
        "key": encode(key),
        "target": "CREATE",
        "result": "EQUAL",
        "create_revision": str(revision),
    }


def is_value(key: bytes, value: bytes) -> Body:
    return {"key": encode(key), "target": "VALUE", "result": "EQUAL", "value": encode(value)}


def is_there(key: bytes) -> Body:
    return {"key": encode(key), "target": "VERSION", "result": "GREATER", "version": "0"}


def is_quiet_since(prefix: bytes, revision: int) -> Body:
    """No key with the prefix was written after that revision; deletions do not count."""
    return {
        "key": encode(prefix),
        "range_end": encode(prefix_end(prefix)),
        "target": "MOD",
        "result": "LESS",
        "mod_revision": str(revision + 1),
    }


def transaction(checks: list[Body], then: list[Body], otherwise: list[Body]) -> Body:
    return {"compare": checks, "success": then, "failure": otherwise}


def then_put(key: bytes, value: bytes, lease: int = 0) -> Body:
    return {"request_put": put(key, value, lease)}


def then_delete(key: bytes) -> Body:
    return {"request_delete_range": one(key)}


def then_read(body: Body) -> Body:
    return {"request_range": body}


def watch(prefix: bytes, start: int) -> Body:
    request = many(prefix) | {"start_revision": str(start), "progress_notify": True}
    return {"create_request": request}


def read_range(body: Body) -> Found:
    """Raises ProtocolViolation, as all readers do."""
    header = _object(body.get("header", {}))
    return Found(
        _kvs(body),
        _number(header, "revision"),
        bool(body.get("more", False)),
        _number(header, "raft_term"),
        _number(header, "member_id"),
    )


def read_transaction(body: Body) -> Done:
    answers = body.get("responses", [])
    ranges = [_object(each)["response_range"] for each in answers if "response_range" in each]
    return Done(
        bool(body.get("succeeded", False)),
        _number(_object(body.get("header", {})), "revision"),
        tuple(_kvs(_object(each)) for each in ranges),
    )


def read_watch(line: bytes) -> Seen:
    """One line of the stream. Raises ProtocolViolation, also for an error that etcd tells."""
    body = read_json(line)
    if "result" not in body:
        raise ProtocolViolation(f"the watch has ended: {line[:200]!r}")
    result = _object(body["result"])
    compacted = _number(result, "compact_revision") > 0
    return Seen(
        _number(_object(result.get("header", {})), "revision"),
        tuple(_event(_object(each)) for each in result.get("events", ())),
        bool(result.get("created", False)),
        compacted or bool(result.get("canceled", False)),
        compacted,
    )


def read_lease(body: Body) -> tuple[int, int, int, int]:
    """(lease, remaining seconds, raft term, member) of a grant or a renewal; 0 s: it is gone."""
    result = _object(body.get("result", body))
    header = _object(result.get("header", {}))
    term, member = _number(header, "raft_term"), _number(header, "member_id")
    return _number(result, "ID"), _number(result, "TTL"), term, member


def read_json(text: bytes) -> Body:
    try:
        return _object(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise ProtocolViolation(f"this is no JSON: {text[:200]!r}") from error


def _event(event: Body) -> tuple[bool, Kv]:
    return event.get("type") == "DELETE", _kv(_object(event.get("kv", {})))


def _kvs(body: Body) -> tuple[Kv, ...]:
    return tuple(_kv(_object(each)) for each in body.get("kvs", ()))


def _kv(body: Body) -> Kv:
    numbers = (_number(body, "create_revision"), _number(body, "mod_revision"))
    return Kv(_data(body, "key"), _data(body, "value"), *numbers, _number(body, "lease"))


def _object(found: object) -> Body:
    if not isinstance(found, dict):
        raise ProtocolViolation("expected a JSON object")
    return found


def _number(body: Body, name: str) -> int:
    try:
        return int(body.get(name, 0))
    except (TypeError, ValueError) as error:
        raise ProtocolViolation(f"{name} is no number") from error


def _data(body: Body, name: str) -> bytes:
    try:
        return base64.b64decode(body.get(name, ""), validate=True)
    except (TypeError, ValueError, binascii.Error) as error:
        raise ProtocolViolation(f"{name} is no base64") from error
