"""Watches of the store on etcd: a follower of one prefix that fills a bounded queue.

A watcher that reads slowly slows the stream down, and etcd keeps what comes meanwhile.
"""

from __future__ import annotations

import asyncio

from l7lb_storage.errors import LimitExceeded
from l7lb_storage.etcd import wire
from l7lb_storage.etcd.follow import Follower
from l7lb_storage.etcd.gateway import Compacted, Gateway
from l7lb_storage.etcd.names import Names
from l7lb_storage.etcd.wire import Kv, Seen
from l7lb_storage.limits import PAGE_ITEMS, SNAPSHOT_ITEMS
from l7lb_storage.model import Changed, Item, Reset, WatchEvent

EVENTS = 1000
"""Events that wait for the watcher; more wait in etcd."""


def item_of(names: Names, kv: Kv) -> Item:
    return Item(names.plain(kv.key), kv.value, kv.created, kv.modified, kv.lease)


class EtcdWatch:
    def __init__(self, gateway: Gateway, names: Names, prefix: str, after: int | None) -> None:
        self._gateway = gateway
        self._names = names
        self._prefix = names.key(prefix)
        self._events: asyncio.Queue[WatchEvent | None] = asyncio.Queue(EVENTS)
        follower = Follower(gateway, self._prefix, self, after)
        self._closed = False
        self._task = asyncio.get_running_loop().create_task(follower.run())
        self._task.add_done_callback(self._wake)

    def __aiter__(self) -> EtcdWatch:
        return self

    async def __anext__(self) -> WatchEvent:
        if self._closed:
            raise StopAsyncIteration
        event = await self._events.get()
        if event is None:
            if not self._closed and not self._task.cancelled():
                self._task.result()
            raise StopAsyncIteration
        return event

    async def close(self) -> None:
        self._closed = True
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def begin(self) -> int:
        """For the follower: everything there is, as of one revision."""
        while True:
            try:
                reset = await self._snapshot()
            except Compacted:
                continue
            await self._events.put(reset)
            return reset.revision

    async def take(self, seen: Seen) -> None:
        for is_deletion, kv in seen.events:
            item = None if is_deletion else item_of(self._names, kv)
            await self._events.put(Changed(self._names.plain(kv.key), item, kv.modified))

    async def _snapshot(self) -> Reset:
        items: list[Item] = []
        after, revision, more = b"", 0, True
        while more:
            body = wire.many(self._prefix, after, PAGE_ITEMS, revision)
            found = wire.read_range(await self._gateway.call("/v3/kv/range", body, repeatable=True))
            items += (item_of(self._names, kv) for kv in found.kvs)
            if len(items) > SNAPSHOT_ITEMS:
                raise LimitExceeded(f"a watch begins with at most {SNAPSHOT_ITEMS} items")
            revision, more = revision or found.revision, found.more
            after = found.kvs[-1].key + b"\0" if more else b""
        return Reset(tuple(items), revision)

    def _wake(self, _task: asyncio.Task[None]) -> None:
        """Whoever waits for an event that cannot come any more."""
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(None)
