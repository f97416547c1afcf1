"""Where things are in etcd, and what is in a lock's key.

    PREFIX epoch                        the cluster's epoch
    PREFIX se/LEASE                     a lease, with its holder's name: there while it lives
    PREFIX lk/RESOURCE NUL LEASE-N      an entry of a queue; place = create revision,
                                        token = epoch and revision in the value, or else its
                                        own modification revision
    PREFIX kv/KEY                       the store

All but the epoch and the store are bound to their lease. No I/O.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from l7lb_storage import tokens
from l7lb_storage.errors import ProtocolViolation
from l7lb_storage.etcd.wire import Kv, read_json
from l7lb_storage.model import Claim, Grant, LockView
from l7lb_storage.modes import Mode


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of a queue as it is in etcd."""

    key: bytes
    created: int
    modified: int
    epoch: int
    mode: Mode
    holder: str
    since_s: float
    lease: int
    revision: int
    """Of the token: `modified`, unless a down-conversion has kept an older one."""

    @property
    def grant(self) -> Grant:
        return Grant(self.mode, tokens.compose(self.epoch, self.revision))

    def view(self, resource: str, *, granted: bool) -> LockView:
        token = self.grant.token if granted else 0
        return LockView(resource, self.mode, self.holder, token, granted, self.since_s, self.lease)


class Names:
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix.encode()
        self.epoch = self._prefix + b"epoch"
        self.locks = self._prefix + b"lk/"
        self.keys = self._prefix + b"kv/"

    def session(self, lease: int) -> bytes:
        return self._prefix + b"se/%x" % lease

    def queue(self, resource: str) -> bytes:
        """Prefix of all entries of one resource, and of no other."""
        return self.locks + resource.encode() + b"\0"

    def entry(self, claim: Claim) -> bytes:
        return self.queue(claim.resource) + b"%x-%x" % claim.id

    def resource(self, key: bytes) -> str:
        return key[len(self.locks) :].partition(b"\0")[0].decode("utf-8", "replace")

    def key(self, key: str) -> bytes:
        return self.keys + key.encode()

    def plain(self, key: bytes) -> str:
        return key[len(self.keys) :].decode("utf-8", "replace")


def entry_value(claim: Claim, epoch: int, revision: int = 0) -> bytes:
    """With the epoch, so that everybody sees the token that the holder has. `revision` keeps it."""
    value = {
        "mode": claim.mode.value,
        "epoch": epoch,
        "revision": revision,
        "holder": claim.holder,
        "since": claim.since_s,
    }
    return json.dumps(value, ensure_ascii=False).encode()


def place_of(kv: Kv) -> Place:
    """What is not ours counts as an exclusive holder: better to wait than to be wrong."""
    try:
        body = read_json(kv.value)
        mode, epoch = Mode(body["mode"]), int(body["epoch"])
        holder, since_s = str(body["holder"]), float(body["since"])
        revision = int(body["revision"]) or kv.modified
    except (ProtocolViolation, KeyError, TypeError, ValueError):
        mode, epoch, holder, since_s = Mode.EX, tokens.FIRST_EPOCH, "?", 0.0
        revision = kv.modified
    numbers = (kv.created, kv.modified, epoch)
    return Place(kv.key, *numbers, mode, holder, since_s, kv.lease, revision)


def in_order(kvs: tuple[Kv, ...]) -> list[Place]:
    """A queue in the order of arrival."""
    return sorted(map(place_of, kvs), key=lambda place: place.created)


def index_of(queue: list[Place], key: bytes, created: int | None = None) -> int | None:
    """Where an entry stands; None: it is gone, or it is another one of that name."""
    for index, place in enumerate(queue):
        if place.key == key and created in (None, place.created):
            return index
    return None


def parse_epoch(kvs: tuple[Kv, ...]) -> tuple[int, bytes | None]:
    """The epoch and its value in etcd; None: it was never raised."""
    if not kvs:
        return tokens.FIRST_EPOCH, None
    try:
        return int(kvs[0].value), kvs[0].value
    except ValueError as error:
        raise ProtocolViolation(f"{kvs[0].key!r} holds no epoch") from error
