"""The queues of all resources, in memory: entries come, convert and go; grants come out.

It owns the order. It must not know time, leases' lives or where entries are kept.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from l7lb_storage import grant
from l7lb_storage.errors import LimitExceeded
from l7lb_storage.limits import QUEUE_ENTRIES
from l7lb_storage.model import Claim, Grant, LockView, Notice
from l7lb_storage.modes import Mode
from l7lb_storage.operations import Blocking, Granted


@dataclass(slots=True)
class Entry:
    """One place in a queue. `order` never changes; a conversion changes mode, and upwards token."""

    claim: Claim
    order: int
    token: int
    granted: bool = False

    @property
    def mode(self) -> Mode:
        return self.claim.mode

    @property
    def grant(self) -> Grant:
        return Grant(self.claim.mode, self.token)

    def view(self) -> LockView:
        claim = self.claim
        token = self.token if self.granted else 0
        return LockView(
            claim.resource,
            claim.mode,
            claim.holder,
            token,
            self.granted,
            claim.since_s,
            claim.lease,
        )


class LockTable:
    """`told` collects what holders and waiters are to hear; whoever drives the table empties it."""

    def __init__(self) -> None:
        self.told: list[Granted | Blocking] = []
        self._queues: dict[str, list[Entry]] = {}
        self._entries: dict[tuple[int, int], Entry] = {}
        self._of_lease: defaultdict[int, dict[int, Entry]] = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, lease: int, number: int) -> Entry | None:
        return self._entries.get((lease, number))

    def of_lease(self, lease: int) -> list[Entry]:
        return list(self._of_lease.get(lease, {}).values())

    def could_join(self, claim: Claim) -> bool:
        queue = self._queues.get(claim.resource, [])
        return grant.could_join([entry.mode for entry in queue], claim.mode)

    def add(self, entry: Entry) -> None:
        """At the end of its queue; `granted` says how it stands. Raises LimitExceeded."""
        queue = self._queues.setdefault(entry.claim.resource, [])
        if len(queue) >= QUEUE_ENTRIES:
            raise LimitExceeded(f"{QUEUE_ENTRIES} entries in the queue of {entry.claim.resource!r}")
        queue.append(entry)
        self._entries[entry.claim.id] = entry
        self._of_lease[entry.claim.lease][entry.claim.number] = entry
        modes = [other.mode for other in queue]
        entry.granted = grant.is_granted(modes, len(queue) - 1)
        if not entry.granted:
            for place in grant.blocked_by(modes, len(queue) - 1):
                self._notify(queue[place], entry)

    def restore(self, entries: Iterable[Entry]) -> None:
        """After a restart: entries in any order; nobody is told anything."""
        for entry in sorted(entries, key=lambda entry: entry.order):
            self.add(entry)
        self.told.clear()

    def remove(self, entry: Entry) -> None:
        claim = entry.claim
        queue = self._queues[claim.resource]
        queue.remove(entry)
        del self._entries[claim.id]
        del self._of_lease[claim.lease][claim.number]
        if not self._of_lease[claim.lease]:
            del self._of_lease[claim.lease]
        if queue:
            self._promote(queue)
        else:
            del self._queues[claim.resource]

    def convert(self, entry: Entry, mode: Mode, token: int) -> bool:
        """False: refused, nothing changed. `token` is for a stronger mode, which is a new grant."""
        queue = self._queues[entry.claim.resource]
        place = queue.index(entry)
        if not grant.may_convert([other.mode for other in queue], place, mode):
            return False
        if not grant.is_weaker(mode, entry.mode):
            entry.token = token
        entry.claim = replace(entry.claim, mode=mode)
        self._promote(queue)
        self.remind(entry)
        return True

    def remind(self, entry: Entry) -> None:
        """Tell a holder of the first who waits behind it, as when it had just come."""
        queue = self._queues[entry.claim.resource]
        waiter = grant.first_waiter([other.mode for other in queue], queue.index(entry))
        if entry.granted and waiter is not None:
            self._notify(entry, queue[waiter])

    def views(self, prefix: str) -> Iterator[LockView]:
        """By resource, each queue in its order."""
        for resource in sorted(self._queues):
            if resource.startswith(prefix):
                yield from (entry.view() for entry in self._queues[resource])

    def _promote(self, queue: list[Entry]) -> None:
        fresh = []
        for entry, holds in zip(queue, grant.granted([e.mode for e in queue]), strict=True):
            if holds and not entry.granted:
                entry.granted = True
                fresh.append(entry)
        for entry in fresh:
            self.told.append(Granted(*entry.claim.id, entry.grant))
            self.remind(entry)

    def _notify(self, holder: Entry, waiter: Entry) -> None:
        notice = Notice(holder.claim.resource, waiter.claim.holder, waiter.mode)
        self.told.append(Blocking(*holder.claim.id, notice))
