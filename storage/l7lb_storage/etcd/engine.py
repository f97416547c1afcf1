"""The etcd engine: the store's part, and the parts put together.

It must not know how HTTP works (`gateway`), nor how a lock is got (`locks`).
"""

from __future__ import annotations

from l7lb_storage import grant as rule
from l7lb_storage import tokens
from l7lb_storage.chores import Chores
from l7lb_storage.engine import OnBlocking
from l7lb_storage.errors import Unavailable
from l7lb_storage.etcd import wire
from l7lb_storage.etcd.gateway import EtcdSpec, Gateway
from l7lb_storage.etcd.leases import Leases
from l7lb_storage.etcd.locks import ATTEMPTS, Locks
from l7lb_storage.etcd.names import Names, Place, parse_epoch, place_of
from l7lb_storage.etcd.watching import EtcdWatch, item_of
from l7lb_storage.etcd.wire import Body
from l7lb_storage.limits import check_key, check_page, check_transaction
from l7lb_storage.model import (
    Claim,
    Delete,
    Grant,
    Item,
    Lease,
    LockView,
    Outcome,
    Page,
    Put,
    Transaction,
)
from l7lb_storage.modes import Mode


class EtcdEngine:
    name = "etcd"

    def __init__(self, spec: EtcdSpec) -> None:
        self._gateway = Gateway(spec)
        self._names = Names(spec.prefix)
        self._chores = Chores()
        self._leases = Leases(self._gateway, self._names)
        self._locks = Locks(self._gateway, self._names, self._leases, self._chores)

    async def open(self) -> None:
        await self._gateway.open()
        await self.epoch()

    async def close(self) -> None:
        await self._locks.close()
        await self._chores.close()
        await self._gateway.close()

    async def open_lease(self, ttl_s: float, holder: str, *, renewed: bool = True) -> Lease:
        return await self._leases.open(ttl_s, holder, renewed=renewed)

    async def renew_lease(self, lease: int) -> None:
        await self._leases.renew(lease)

    async def close_lease(self, lease: int) -> None:
        await self._leases.close(lease)
        self._locks.forget_lease(lease)

    async def acquire(
        self, claim: Claim, *, try_only: bool = False, on_blocking: OnBlocking | None = None
    ) -> Grant:
        return await self._locks.acquire(claim, try_only=try_only, notify=on_blocking)

    async def convert(self, claim: Claim, grant: Grant, mode: Mode) -> Grant:
        return await self._locks.convert(claim, grant, mode)

    async def release(self, claim: Claim, grant: Grant) -> bool:
        return await self._locks.release(claim, grant)

    async def locks(self, prefix: str = "", limit: int = 1000) -> list[LockView]:
        """A queue that the limit would cut is left out, unless it is the only one."""
        check_page(limit)
        body = wire.many(self._names.locks + prefix.encode(), limit=limit)
        found = wire.read_range(await self._gateway.call("/v3/kv/range", body, repeatable=True))
        queues: dict[str, list[Place]] = {}
        for kv in found.kvs:
            queues.setdefault(self._names.resource(kv.key), []).append(place_of(kv))
        if found.more and len(queues) > 1:
            queues.popitem()
        return [view for name, queue in queues.items() for view in _views(name, queue)]

    async def get(self, key: str) -> Item | None:
        body = wire.one(self._names.key(key))
        found = wire.read_range(await self._gateway.call("/v3/kv/range", body, repeatable=True))
        return item_of(self._names, found.kvs[0]) if found.kvs else None

    async def range(self, prefix: str, *, after: str = "", limit: int = 100) -> Page:
        check_page(limit)
        behind = self._names.key(after) + b"\0" if after else b""
        body = wire.many(self._names.key(prefix), behind, limit)
        found = wire.read_range(await self._gateway.call("/v3/kv/range", body, repeatable=True))
        items = tuple(item_of(self._names, kv) for kv in found.kvs)
        return Page(items, found.revision, found.more)

    async def transact(self, transaction: Transaction) -> Outcome:
        check_transaction(transaction)
        checks = [
            wire.is_modified_at(self._names.key(check.key), check.revision)
            for check in transaction.checks
        ]
        then = [self._step(edit) for edit in transaction.edits]
        body = wire.transaction(checks, then, [])
        done = wire.read_transaction(await self._gateway.call("/v3/kv/txn", body, repeatable=False))
        return Outcome(done.succeeded, done.revision)

    async def watch(self, prefix: str, after: int | None = None) -> EtcdWatch:
        check_key(prefix, empty=True)
        return EtcdWatch(self._gateway, self._names, prefix, after)

    async def epoch(self) -> int:
        return (await self._read_epoch())[0]

    async def raise_epoch(self, at_least: int = 0) -> int:
        key = self._names.epoch
        for _ in range(ATTEMPTS):
            epoch, value = await self._read_epoch()
            raised = tokens.raised(epoch, at_least)
            check = wire.is_modified_at(key, 0) if value is None else wire.is_value(key, value)
            body = wire.transaction([check], [wire.then_put(key, b"%d" % raised)], [])
            answer = await self._gateway.call("/v3/kv/txn", body, repeatable=False)
            if wire.read_transaction(answer).succeeded:
                return raised
        raise Unavailable("others raise the epoch too")

    async def _read_epoch(self) -> tuple[int, bytes | None]:
        body = wire.one(self._names.epoch)
        found = wire.read_range(await self._gateway.call("/v3/kv/range", body, repeatable=True))
        return parse_epoch(found.kvs)

    def _step(self, edit: Put | Delete) -> Body:
        if isinstance(edit, Put):
            return wire.then_put(self._names.key(edit.key), edit.value, edit.lease)
        return wire.then_delete(self._names.key(edit.key))


def _views(resource: str, queue: list[Place]) -> list[LockView]:
    queue.sort(key=lambda place: place.created)
    granted = rule.granted([place.mode for place in queue])
    return [
        place.view(resource, granted=holds) for place, holds in zip(queue, granted, strict=True)
    ]
