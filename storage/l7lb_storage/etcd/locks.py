"""The lock recipe on etcd: queues of keys that are bound to leases, never etcd's own lock service.

An entry is a key; its create revision is its place. It is granted by the same rule as everywhere
(`grant`), read from the queue itself. Who waits watches only the last entry that excludes it, and
after every wait reads its own key again: an expired waiter finds it gone. Every change is a
transaction that names what it relies on, so nothing that comes late does harm.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial

from l7lb_storage import grant as rule
from l7lb_storage import tokens
from l7lb_storage.chores import Chores
from l7lb_storage.engine import OnBlocking
from l7lb_storage.errors import (
    ConversionRefused,
    InDoubt,
    LeaseLost,
    LimitExceeded,
    NotGranted,
    Unavailable,
)
from l7lb_storage.etcd import wire
from l7lb_storage.etcd.feed import Feed
from l7lb_storage.etcd.gateway import Gateway
from l7lb_storage.etcd.leases import Leases
from l7lb_storage.etcd.names import (
    Names,
    Place,
    entry_value,
    in_order,
    index_of,
    parse_epoch,
)
from l7lb_storage.etcd.wire import Body, Done
from l7lb_storage.limits import QUEUE_ENTRIES
from l7lb_storage.model import Claim, Grant, Notice
from l7lb_storage.modes import Mode, compatible

ATTEMPTS = 20
"""Tries of a transaction whose ground moved meanwhile."""
LOOK_S = 60.0
"""How long it is tried to look at the queues of all holders after a gap."""
PATIENCE_S = 1.0
"""How long a cancelled wait for a lock waits for its entry to be gone before it lets go."""


@dataclass(frozen=True, slots=True)
class Queue:
    places: list[Place]
    revision: int

    @property
    def modes(self) -> list[Mode]:
        return [place.mode for place in self.places]


@dataclass(slots=True)
class Holder:
    """Who wants to hear of those who come behind it. `created` is known when it has entered."""

    claim: Claim
    notify: OnBlocking
    created: int | None = None
    early: list[Place] = field(default_factory=list)

    def arrived(self, place: Place) -> None:
        """Somebody new in the queue; those before us and those we go with do not matter."""
        if self.created is None:
            self.early.append(place)
        elif place.created > self.created and not compatible(place.mode, self.claim.mode):
            self.notify(Notice(self.claim.resource, place.holder, place.mode))

    def entered(self, created: int) -> None:
        self.created = created
        early, self.early = self.early, []
        for place in early:
            self.arrived(place)


class Locks:
    def __init__(self, gateway: Gateway, names: Names, leases: Leases, chores: Chores) -> None:
        self._gateway = gateway
        self._names = names
        self._leases = leases
        self._chores = chores
        self._feed = Feed(gateway, names, self._remind_all)
        self._epoch: tuple[int, bytes | None] = (tokens.FIRST_EPOCH, None)
        self._holders: dict[bytes, Holder] = {}
        self._held: dict[bytes, Place] = {}

    async def close(self) -> None:
        await self._feed.close()

    def forget_lease(self, lease: int) -> None:
        """It is closed, and all that was held under it is free."""
        for place in [each for each in self._held.values() if each.lease == lease]:
            del self._held[place.key]
        for key, holder in list(self._holders.items()):
            if holder.claim.lease == lease:
                self._forget(holder.claim, key)

    async def acquire(self, claim: Claim, *, try_only: bool, notify: OnBlocking | None) -> Grant:
        self._leases.own(claim.lease)
        key = self._names.entry(claim)
        if notify is not None:
            await self._listen(claim, key, notify)
        try:
            enter = self._enter_if_free if try_only else self._enter
            queue = await enter(claim, key)
            index = index_of(queue.places, key)
            if index is not None and key in self._holders:
                self._holders[key].entered(queue.places[index].created)
            place = self._held[key] = await self._wait(claim, key, queue)
            return place.grant
        except BaseException as error:
            self._forget(claim, key)
            if not isinstance(error, NotGranted | LeaseLost):
                await self._settle(claim, PATIENCE_S)
            raise

    async def convert(self, claim: Claim, held: Grant, mode: Mode) -> Grant:
        key = self._names.entry(claim)
        for _ in range(ATTEMPTS):
            queue = await self._read(claim.resource)
            index = index_of(queue.places, key)
            if key not in self._held or index is None:
                raise LeaseLost("this lock is not held any more")
            own = queue.places[index]
            if own.mode is mode:
                return self._converted(own, claim)
            if not rule.may_convert(queue.modes, index, mode):
                raise ConversionRefused(
                    f"{held.mode.value} cannot become {mode.value} while others hold it or wait"
                )
            converted = await self._convert(claim, own, mode, queue)
            if converted is not None:
                return self._converted(converted, claim)
        raise Unavailable(f"the queue of {claim.resource!r} is too busy to convert")

    async def release(self, claim: Claim, held: Grant) -> bool:
        key = self._names.entry(claim)
        place = self._held.get(key)
        if place is None or place.grant.token != held.token:
            return False
        self._forget(claim, key)
        try:
            return await self._release(place)
        except BaseException as error:
            if not isinstance(error, LeaseLost):
                retry_s = self._leases.retry_s(claim.lease)
                self._chores.start(partial(self._release, place), retry_s)
            raise

    async def _enter(self, claim: Claim, key: bytes) -> Queue:
        """The entry is in its queue, and there only once, whatever was lost on the way."""
        for _ in range(ATTEMPTS):
            try:
                done = await self._put_entry(claim, key, [])
            except InDoubt:
                await self._leases.void(claim.lease)
                continue
            if done.succeeded:
                return Queue(in_order(done.ranges[0]), done.revision)
            if self._learn(claim, done):
                return await self._read(claim.resource)
        raise Unavailable(f"the queue of {claim.resource!r} cannot be entered")

    async def _enter_if_free(self, claim: Claim, key: bytes) -> Queue:
        """Only if it is granted at once. Nobody sees an entry that is not."""
        for _ in range(ATTEMPTS):
            queue = await self._read(claim.resource)
            if index_of(queue.places, key) is not None:
                return queue
            if not rule.could_join(queue.modes, claim.mode):
                raise NotGranted(f"{claim.resource!r} cannot be had in mode {claim.mode.value} now")
            quiet = wire.is_quiet_since(self._names.queue(claim.resource), queue.revision)
            try:
                done = await self._put_entry(claim, key, [quiet])
            except InDoubt:
                await self._leases.void(claim.lease)
                continue
            if done.succeeded:
                return Queue(in_order(done.ranges[0]), done.revision)
            self._learn(claim, done)
        raise NotGranted(f"{claim.resource!r} is too much in demand to be had at once")

    async def _put_entry(self, claim: Claim, key: bytes, more: list[Body]) -> Done:
        epoch, _ = self._epoch
        queue = self._names.queue(claim.resource)
        session = self._names.session(claim.lease)
        checks = [*self._ground(claim.lease), wire.is_modified_at(key, 0), *more]
        then = [
            wire.then_put(key, entry_value(claim, epoch), claim.lease),
            wire.then_read(wire.many(queue)),
        ]
        otherwise = [wire.then_read(wire.one(each)) for each in (key, session, self._names.epoch)]
        return await self._transact(checks, then, otherwise)

    def _ground(self, lease: int) -> list[Body]:
        """What every change of a queue relies on: our lease lives, and the epoch is this one."""
        _, value = self._epoch
        own = self._leases.own(lease)
        epoch = self._names.epoch
        return [
            wire.is_modified_at(self._names.session(lease), own.key_revision),
            wire.is_modified_at(epoch, 0) if value is None else wire.is_value(epoch, value),
        ]

    def _learn(self, claim: Claim, done: Done) -> bool:
        """Why it failed; True: the entry is there already. Raises LeaseLost."""
        own, session, epoch = done.ranges
        if not session:
            raise LeaseLost("the lease is gone")
        self._leases.own(claim.lease).saw(session[0].modified)
        self._epoch = parse_epoch(epoch)
        return bool(own)

    async def _wait(self, claim: Claim, key: bytes, queue: Queue) -> Place:
        index = index_of(queue.places, key)
        if index is not None and rule.is_granted(queue.modes, index):
            return queue.places[index]
        if len(queue.places) > QUEUE_ENTRIES:
            raise LimitExceeded(f"{QUEUE_ENTRIES} entries in the queue of {claim.resource!r}")
        created = None if index is None else queue.places[index].created
        async with self._feed.listen(claim.resource) as ear:
            while True:
                queue = await self._read(claim.resource)
                index = index_of(queue.places, key, created)
                if index is None:
                    raise LeaseLost("the entry is gone: its lease has expired")
                obstacle = rule.last_obstacle(queue.modes, index)
                if obstacle is None:
                    self._remind(key, queue)
                    return queue.places[index]
                keys = (key, queue.places[obstacle].key)
                await ear.change_of(keys, queue.revision)

    def _converted(self, place: Place, claim: Claim) -> Grant:
        """A stronger mode excludes nobody who is there, so there is nobody to be reminded of."""
        self._held[place.key] = place
        if place.key in self._holders:
            self._holders[place.key].claim = replace(claim, mode=place.mode)
        return place.grant

    async def _convert(self, claim: Claim, own: Place, mode: Mode, queue: Queue) -> Place | None:
        """None: the ground moved."""
        epoch, _ = self._epoch
        checks = [*self._ground(claim.lease), wire.is_modified_at(own.key, own.modified)]
        if rule.is_weaker(mode, own.mode):
            epoch, kept = own.epoch, own.revision
        else:
            kept = 0
            prefix = self._names.queue(claim.resource)
            checks.append(wire.is_quiet_since(prefix, queue.revision))
        value = entry_value(replace(claim, mode=mode), epoch, kept)
        then = [wire.then_put(own.key, value, claim.lease)]
        session = self._names.session(claim.lease)
        otherwise = [
            wire.then_read(wire.one(each)) for each in (own.key, session, self._names.epoch)
        ]
        try:
            done = await self._transact(checks, then, otherwise)
        except InDoubt:
            await self._leases.void(claim.lease)
            return None
        if done.succeeded:
            revision = kept or done.revision
            return replace(own, modified=done.revision, epoch=epoch, mode=mode, revision=revision)
        self._learn(claim, done)
        return None

    async def _release(self, place: Place) -> bool:
        check = wire.is_created_at(place.key, place.created)
        then = [wire.then_delete(place.key)]
        return (await self._transact([check], then, [], repeatable=True)).succeeded

    async def _withdraw(self, claim: Claim) -> None:
        """First nothing may come late, then it can be taken away."""
        await self._leases.void(claim.lease)
        body = wire.one(self._names.entry(claim))
        await self._gateway.call("/v3/kv/deleterange", body, repeatable=True)

    async def _settle(self, claim: Claim, patience_s: float) -> None:
        retry_s = self._leases.retry_s(claim.lease)
        await self._chores.settle(lambda: self._withdraw(claim), retry_s, patience_s)

    async def _read(self, resource: str) -> Queue:
        body = wire.many(self._names.queue(resource))
        found = wire.read_range(await self._gateway.call("/v3/kv/range", body, repeatable=True))
        return Queue(in_order(found.kvs), found.revision)

    async def _transact(
        self,
        checks: list[Body],
        then: list[Body],
        otherwise: list[Body],
        *,
        repeatable: bool = False,
    ) -> Done:
        body = wire.transaction(checks, then, otherwise)
        answer = await self._gateway.call("/v3/kv/txn", body, repeatable=repeatable)
        return wire.read_transaction(answer)

    async def _listen(self, claim: Claim, key: bytes, notify: OnBlocking) -> None:
        """From before the entry is made, so that nobody who comes behind it is missed."""
        holder = self._holders[key] = Holder(claim, notify)
        self._feed.hold(claim.resource, key, holder.arrived)
        try:
            await self._feed.start()
        except BaseException:
            self._forget(claim, key)
            raise

    def _forget(self, claim: Claim, key: bytes) -> None:
        self._held.pop(key, None)
        self._holders.pop(key, None)
        self._feed.drop(claim.resource, key)

    def _remind(self, key: bytes, queue: Queue) -> None:
        """Tell the holder of the first who waits behind it already."""
        holder, index = self._holders.get(key), index_of(queue.places, key)
        if holder is None or index is None:
            return
        waiter = rule.first_waiter(queue.modes, index)
        if waiter is not None:
            holder.arrived(queue.places[waiter])

    def _remind_all(self, resources: list[str]) -> None:
        """The feed has a gap: look at the queues of all that are held."""
        self._chores.start(partial(self._look, resources), LOOK_S)

    async def _look(self, resources: list[str]) -> None:
        """Begun again it goes on with those that are left."""
        while resources:
            queue = await self._read(resources[-1])
            prefix = self._names.queue(resources.pop())
            for place in queue.places:
                if place.key.startswith(prefix):
                    self._remind(place.key, queue)
