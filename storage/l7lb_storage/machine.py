"""Locks and store as one state machine without I/O: operations in, answers and news out.

The memory engine and lockd are both this machine. Time is passed in (monotonic seconds), random
lease numbers come from the caller, and every change is noted in `records` for whoever keeps them.
A machine that is given what was kept is the one that it was; leases then get a full TTL again,
which is longer than any holder believes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from l7lb_storage import limits, tokens
from l7lb_storage.errors import ConversionRefused, LeaseLost, NotGranted
from l7lb_storage.keyspace import Keyspace
from l7lb_storage.lock_table import Entry, LockTable
from l7lb_storage.model import Changed, Grant, Item, Lease, LockView, Outcome, Page, WatchEvent
from l7lb_storage.operations import (
    Acquire,
    CloseLease,
    Convert,
    LeaseGone,
    OpenLease,
    Operation,
    RaiseEpoch,
    ReadKey,
    ReadRange,
    Release,
    Remind,
    RenewLease,
    StartWatch,
    StopWatch,
    Told,
    Transact,
    ViewLocks,
    Watched,
    Withdraw,
)

Answer = Lease | Grant | Outcome | Page | Item | list[LockView] | bool | int | None


@dataclass(slots=True)
class LiveLease:
    """`expires_s` is the engine's: a full TTL from when the last renewal came."""

    id: int
    ttl_s: float
    holder: str
    expires_s: float


@dataclass(frozen=True, slots=True)
class Gone:
    """A record: the lease or entry with this name is no more."""

    what: tuple[int, ...]


Record = LiveLease | Entry | Changed | Gone


@dataclass(slots=True)
class Kept:
    """What a machine is made from again."""

    epoch: int = tokens.FIRST_EPOCH
    revision: int = 0
    leases: list[LiveLease] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)


class Machine:
    """`apply` is the whole interface; `told` and `records` are emptied by the driver."""

    def __init__(self, history_limit: int = limits.WATCH_EVENTS) -> None:
        self.epoch = tokens.FIRST_EPOCH
        self.revision = 0
        self.told: list[Told] = []
        self.records: list[Record] = []
        self.keys = Keyspace(history_limit)
        self.locks = LockTable()
        self._leases: dict[int, LiveLease] = {}
        self._watches: dict[tuple[int, int], str] = {}
        self._origin = 0
        self._look_s = float("-inf")
        """No lease expires before."""

    def restore(self, kept: Kept, now_s: float) -> None:
        """Once, before anything else."""
        self.epoch, self.revision = kept.epoch, kept.revision
        for lease in kept.leases:
            lease.expires_s = now_s + lease.ttl_s
            self._leases[lease.id] = lease
        self.locks.restore(kept.entries)
        self.keys.restore(kept.items, kept.revision)

    def apply(self, operation: Operation, now_s: float, origin: int = 0) -> Answer:
        """One operation, whole or not at all. Raises the errors of StorageError that it names.

        `origin` says whose watches are meant, for operations that start or stop one.
        """
        self.expire(now_s)
        self._origin = origin
        answer = HANDLERS[type(operation)](self, operation, now_s)
        self._gather()
        return answer

    def expire(self, now_s: float) -> None:
        """Leases that are over go with all they held."""
        if now_s < self._look_s:
            return
        self._drop([each for each in self._leases.values() if each.expires_s <= now_s])
        soonest_s = self.next_expiry_s()
        self._look_s = float("inf") if soonest_s is None else soonest_s
        self._gather()

    def next_expiry_s(self) -> float | None:
        return min((lease.expires_s for lease in self._leases.values()), default=None)

    def grant_grace(self, seconds: float) -> None:
        """The engine itself stood still: leases that could not be renewed live so much longer."""
        for lease in self._leases.values():
            lease.expires_s += seconds

    def forget_origin(self, origin: int) -> None:
        """Its watches go."""
        self._watches = {
            name: prefix for name, prefix in self._watches.items() if name[0] != origin
        }

    def open_lease(self, asked: OpenLease, now_s: float) -> Lease:
        limits.check_ttl(asked.ttl_s)
        limits.check_holder(asked.holder)
        lease = self._leases.get(asked.lease)
        if lease is None:
            lease = LiveLease(asked.lease, asked.ttl_s, asked.holder, 0.0)
            self._leases[asked.lease] = lease
            self.records.append(lease)
        lease.expires_s = now_s + lease.ttl_s
        self._look_s = min(self._look_s, lease.expires_s)
        return Lease(lease.id, lease.ttl_s)

    def renew_lease(self, asked: RenewLease, now_s: float) -> Lease:
        lease = self._lease(asked.lease)
        lease.expires_s = now_s + lease.ttl_s
        return Lease(lease.id, lease.ttl_s)

    def close_lease(self, asked: CloseLease, _now_s: float) -> bool:
        lease = self._leases.get(asked.lease)
        if lease is not None:
            self._drop([lease])
        return lease is not None

    def acquire(self, asked: Acquire, _now_s: float) -> Grant | None:
        """None: queued, `Granted` will be told."""
        claim = asked.claim
        limits.check_key(claim.resource)
        limits.check_holder(claim.holder)
        self._lease(claim.lease)
        entry = self.locks.find(*claim.id)
        if entry is not None:
            self.locks.remind(entry)
            return entry.grant if entry.granted else None
        if asked.try_only and not self.locks.could_join(claim):
            raise NotGranted(f"{claim.resource!r} cannot be had in mode {claim.mode.value} now")
        return self._enter(claim.id, asked)

    def withdraw(self, asked: Withdraw, _now_s: float) -> bool:
        entry = self.locks.find(asked.lease, asked.number)
        if entry is not None:
            self._leave(entry)
        return entry is not None

    def convert(self, asked: Convert, _now_s: float) -> Grant:
        entry = self.locks.find(asked.lease, asked.number)
        if entry is None or not entry.granted or entry.token < asked.token:
            raise LeaseLost("this lock is not held any more")
        token = tokens.compose(self.epoch, self.revision + 1)
        if not self.locks.convert(entry, asked.mode, token):
            raise ConversionRefused(
                f"{entry.mode.value} cannot become {asked.mode.value} while others hold it"
            )
        self.revision += 1
        self.records.append(entry)
        return entry.grant

    def release(self, asked: Release, _now_s: float) -> bool:
        """False: not held; nothing was changed.

        The entry's token may be higher than the asker's, who missed the answer to a conversion.
        """
        entry = self.locks.find(asked.lease, asked.number)
        if entry is None or not entry.granted or entry.token < asked.token:
            return False
        self._leave(entry)
        return True

    def remind(self, asked: Remind, _now_s: float) -> bool:
        entry = self.locks.find(asked.lease, asked.number)
        if entry is None or not entry.granted:
            return False
        self.locks.remind(entry)
        return True

    def view_locks(self, asked: ViewLocks, _now_s: float) -> list[LockView]:
        limits.check_page(asked.limit)
        found = []
        for view in self.locks.views(asked.prefix):
            found.append(view)
            if len(found) == asked.limit:
                break
        return found

    def read_key(self, asked: ReadKey, _now_s: float) -> Item | None:
        return self.keys.get(asked.key)

    def read_range(self, asked: ReadRange, _now_s: float) -> Page:
        limits.check_page(asked.limit)
        return self.keys.page(asked.prefix, asked.after, asked.limit, self.revision)

    def transact(self, asked: Transact, _now_s: float) -> Outcome:
        transaction = asked.transaction
        limits.check_transaction(transaction)
        for put in transaction.puts:
            if put.lease:
                self._lease(put.lease)
        if not self.keys.holds(transaction.checks):
            return Outcome(False, self.revision)
        if self._publish(self.keys.apply(transaction, self.revision + 1)):
            self.revision += 1
        return Outcome(True, self.revision)

    def start_watch(self, asked: StartWatch, _now_s: float) -> int:
        """The first events, if there are any, are told at once."""
        name = (self._origin, asked.watch)
        limits.check_key(asked.prefix, empty=True)
        events: list[WatchEvent] | None = None
        if asked.after is not None:
            missed = self.keys.since(asked.prefix, asked.after, self.revision)
            events = None if missed is None else list(missed)
        if events is None:
            events = [self.keys.snapshot(asked.prefix, self.revision)]
        self._watches[name] = asked.prefix
        if events:
            self.told.append(Watched(*name, tuple(events)))
        return self.revision

    def stop_watch(self, asked: StopWatch, _now_s: float) -> bool:
        return self._watches.pop((self._origin, asked.watch), None) is not None

    def raise_epoch(self, asked: RaiseEpoch, _now_s: float) -> int:
        if asked.at_least is not None:
            self.epoch = tokens.raised(self.epoch, asked.at_least)
        return self.epoch

    def _lease(self, lease: int) -> LiveLease:
        found = self._leases.get(lease)
        if found is None:
            raise LeaseLost(f"lease {lease:x} is not known")
        return found

    def _enter(self, name: tuple[int, int], asked: Acquire) -> Grant | None:
        revision = self.revision + 1
        entry = Entry(asked.claim, revision, tokens.compose(self.epoch, revision))
        self.locks.add(entry)
        self.revision = revision
        self.records.append(entry)
        found = self.locks.find(*name)
        assert found is entry
        return entry.grant if entry.granted else None

    def _leave(self, entry: Entry) -> None:
        self.locks.remove(entry)
        self.records.append(Gone(entry.claim.id))

    def _drop(self, leases: list[LiveLease]) -> None:
        """Entries from the last to the first, so that none of the dying is granted on the way."""
        entries = [entry for lease in leases for entry in self.locks.of_lease(lease.id)]
        for entry in sorted(entries, key=lambda entry: entry.order, reverse=True):
            self._leave(entry)
        self._gather()
        for lease in leases:
            del self._leases[lease.id]
            if self._publish(self.keys.drop_lease(lease.id, self.revision + 1)):
                self.revision += 1
            self.records.append(Gone((lease.id,)))
            self.told.append(LeaseGone(lease.id))

    def _publish(self, changes: Iterable[Changed]) -> bool:
        changes = list(changes)
        self.records.extend(changes)
        if changes:
            for name, prefix in self._watches.items():
                seen = tuple(change for change in changes if change.key.startswith(prefix))
                if seen:
                    self.told.append(Watched(*name, seen))
        return bool(changes)

    def _gather(self) -> None:
        self.told.extend(self.locks.told)
        self.locks.told.clear()


HANDLERS: dict[type[Any], Callable[[Machine, Any, float], Answer]] = {
    OpenLease: Machine.open_lease,
    RenewLease: Machine.renew_lease,
    CloseLease: Machine.close_lease,
    Acquire: Machine.acquire,
    Withdraw: Machine.withdraw,
    Convert: Machine.convert,
    Release: Machine.release,
    Remind: Machine.remind,
    ViewLocks: Machine.view_locks,
    ReadKey: Machine.read_key,
    ReadRange: Machine.read_range,
    Transact: Machine.transact,
    StartWatch: Machine.start_watch,
    StopWatch: Machine.stop_watch,
    RaiseEpoch: Machine.raise_epoch,
}
