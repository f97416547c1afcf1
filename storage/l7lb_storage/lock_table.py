"""The queues of all resources, in memory: entries come, convert and go; grants come out.

It owns the order. It must not know time, leases' lives or where entries are kept.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import dropwhile

from l7lb_storage import grant
from l7lb_storage.errors import LimitExceeded
from l7lb_storage.limits import QUEUE_ENTRIES
from l7lb_storage.model import Claim, Grant, LockView, Notice
from l7lb_storage.modes import Mode, compatible
from l7lb_storage.operations import Blocking, Granted


@dataclass(slots=True, eq=False)
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


Queue = dict[tuple[int, int], Entry]
"""In the order of arrival."""


class LockTable:
    """`told` collects what holders and waiters are to hear; whoever drives the table empties it."""

    def __init__(self) -> None:
        self.told: list[Granted | Blocking] = []
        self._queues: dict[str, Queue] = {}
        self._entries: Queue = {}
        self._of_lease: defaultdict[int, Queue] = defaultdict(dict)
        self._modes: defaultdict[str, Counter[Mode]] = defaultdict(Counter)

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, lease: int, number: int) -> Entry | None:
        return self._entries.get((lease, number))

    def of_lease(self, lease: int) -> list[Entry]:
        return list(self._of_lease.get(lease, {}).values())

    def could_join(self, claim: Claim) -> bool:
        return grant.could_join(self._modes.get(claim.resource, ()), claim.mode)

    def add(self, entry: Entry) -> None:
        """At the end of its queue; `granted` says how it stands. Raises LimitExceeded."""
        claim = entry.claim
        queue = self._queues.setdefault(claim.resource, {})
        if len(queue) >= QUEUE_ENTRIES:
            raise LimitExceeded(f"{QUEUE_ENTRIES} entries in the queue of {claim.resource!r}")
        entry.granted = self.could_join(claim)
        queue[claim.id] = self._entries[claim.id] = entry
        self._of_lease[claim.lease][claim.id] = entry
        self._modes[claim.resource][claim.mode] += 1
        if not entry.granted:
            for holder in self._holders(queue):
                if not compatible(holder.mode, entry.mode):
                    self._notify(holder, entry)

    def restore(self, entries: Iterable[Entry]) -> None:
        """After a restart: entries in any order; nobody is told anything."""
        for entry in sorted(entries, key=lambda entry: entry.order):
            self.add(entry)
        self.told.clear()

    def remove(self, entry: Entry) -> None:
        claim = entry.claim
        queue = self._queues[claim.resource]
        del queue[claim.id], self._entries[claim.id], self._of_lease[claim.lease][claim.id]
        if not self._of_lease[claim.lease]:
            del self._of_lease[claim.lease]
        self._count_out(claim)
        if queue:
            self._promote(queue)
        else:
            del self._queues[claim.resource], self._modes[claim.resource]

    def convert(self, entry: Entry, mode: Mode, token: int) -> bool:
        """False: refused, nothing changed. `token` is for a stronger mode, which is a new grant."""
        claim = entry.claim
        is_weaker = grant.is_weaker(mode, entry.mode)
        if not is_weaker and not self._excludes_nobody(claim, mode):
            return False
        if not is_weaker:
            entry.token = token
        self._count_out(claim)
        self._modes[claim.resource][mode] += 1
        entry.claim = replace(claim, mode=mode)
        self._promote(self._queues[claim.resource])
        self.remind(entry)
        return True

    def remind(self, entry: Entry) -> None:
        """Tell a holder of the first who waits behind it, as when it had just come."""
        if not entry.granted:
            return
        queue = self._queues[entry.claim.resource].values()
        behind = dropwhile(lambda other: other is not entry, queue)
        waiter = next((each for each in behind if _excludes(entry, each)), None)
        if waiter is not None:
            self._notify(entry, waiter)

    def views(self, prefix: str) -> Iterator[LockView]:
        """By resource, each queue in its order."""
        for resource in sorted(self._queues):
            if resource.startswith(prefix):
                yield from (entry.view() for entry in self._queues[resource].values())

    def _excludes_nobody(self, claim: Claim, mode: Mode) -> bool:
        """The rule of `grant.may_convert`, upwards, on the counted modes."""
        others = self._modes[claim.resource] - Counter([claim.mode])
        return grant.could_join(others, mode)

    def _count_out(self, claim: Claim) -> None:
        modes = self._modes[claim.resource]
        modes[claim.mode] -= 1
        if not modes[claim.mode]:
            del modes[claim.mode]

    def _holders(self, queue: Queue) -> list[Entry]:
        """In order; those of NL behind an EX are left out."""
        places = grant.holders(entry.mode for entry in queue.values())
        entries = enumerate(queue.values())
        return [next(entry for at, entry in entries if at == place) for place in places]

    def _promote(self, queue: Queue) -> None:
        fresh = [entry for entry in self._holders(queue) if not entry.granted]
        for entry in fresh:
            entry.granted = True
            self.told.append(Granted(*entry.claim.id, entry.grant))
            self.remind(entry)

    def _notify(self, holder: Entry, waiter: Entry) -> None:
        notice = Notice(holder.claim.resource, waiter.claim.holder, waiter.mode)
        self.told.append(Blocking(*holder.claim.id, notice))


def _excludes(holder: Entry, other: Entry) -> bool:
    return other is not holder and not compatible(holder.mode, other.mode)
