"""What happens to the queues, heard by one watch for the whole node.

One stream over all locks, rather than one for each lock that waits or is held: a node that holds
the locks of 100,000 users needs to hear of each who comes to wait behind one of them. It wakes
only those who wait for the very entry that changed, so there is no herd.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from l7lb_storage.errors import Unavailable
from l7lb_storage.etcd import wire
from l7lb_storage.etcd.follow import Follower
from l7lb_storage.etcd.gateway import Gateway
from l7lb_storage.etcd.names import Names, Place, place_of
from l7lb_storage.etcd.wire import Seen

RELOOK_S = 5.0
"""A waiter looks again by itself so often, whatever it heard."""
START_TIMEOUT_S = 5.0


@dataclass(eq=False, slots=True)
class Ear:
    """One waiter: revisions at which the entries of its queue changed since it listens."""

    touched: dict[bytes, int] = field(default_factory=dict)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    unsure: bool = False

    def note(self, key: bytes, revision: int) -> None:
        self.touched[key] = revision
        self.heard.set()

    async def change_of(self, keys: tuple[bytes, ...], since: int) -> None:
        """Returns when one of the keys changed after that revision, or at the latest soon."""
        try:
            async with asyncio.timeout(RELOOK_S):
                while not self._concerns(keys, since):
                    self.heard.clear()
                    await self.heard.wait()
        except TimeoutError:
            pass
        self.touched.clear()
        self.unsure = False

    def _concerns(self, keys: tuple[bytes, ...], since: int) -> bool:
        return self.unsure or any(self.touched.get(key, 0) > since for key in keys)


OnArrival = Callable[[Place], None]


class Feed:
    """`on_reset` is called when changes were missed, with the resources of all holders."""

    def __init__(
        self, gateway: Gateway, names: Names, on_reset: Callable[[list[str]], None]
    ) -> None:
        self._gateway = gateway
        self._names = names
        self._on_reset = on_reset
        self._ears: defaultdict[bytes, set[Ear]] = defaultdict(set)
        self._holders: defaultdict[bytes, dict[bytes, OnArrival]] = defaultdict(dict)
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns when changes are heard; at once if they are already. Raises Unavailable."""
        if self._task is None or self._task.done():
            follower = Follower(self._gateway, self._names.locks, self, None)
            self._task = asyncio.get_running_loop().create_task(follower.run())
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                await self._ready.wait()
        except TimeoutError as error:
            raise Unavailable("etcd's watch does not begin") from error

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @asynccontextmanager
    async def listen(self, resource: str) -> AsyncIterator[Ear]:
        """Read the queue after this: what changes later than that reading will be heard."""
        await self.start()
        queue, ear = self._names.queue(resource), Ear()
        self._ears[queue].add(ear)
        try:
            yield ear
        finally:
            self._ears[queue].discard(ear)
            if not self._ears[queue]:
                del self._ears[queue]

    def hold(self, resource: str, key: bytes, on_arrival: OnArrival) -> None:
        """`on_arrival` is called with each new entry of the queue."""
        self._holders[self._names.queue(resource)][key] = on_arrival

    def drop(self, resource: str, key: bytes) -> None:
        queue = self._names.queue(resource)
        holders = self._holders.get(queue)
        if holders is not None:
            holders.pop(key, None)
            if not holders:
                del self._holders[queue]

    async def begin(self) -> int:
        """For the follower: from now on. Whoever waits looks again."""
        body = wire.many(self._names.locks) | {"count_only": True}
        answer = await self._gateway.call("/v3/kv/range", body, repeatable=True)
        for ears in self._ears.values():
            for ear in ears:
                ear.unsure = True
                ear.heard.set()
        if self._ready.is_set():
            self._on_reset([self._names.resource(queue) for queue in self._holders])
        self._ready.set()
        return wire.read_range(answer).revision

    async def take(self, seen: Seen) -> None:
        for is_deletion, kv in seen.events:
            queue = kv.key[: kv.key.rfind(b"\0") + 1]
            for ear in self._ears.get(queue, ()):
                ear.note(kv.key, kv.modified)
            if not is_deletion and kv.created == kv.modified:
                for on_arrival in list(self._holders.get(queue, {}).values()):
                    on_arrival(place_of(kv))
