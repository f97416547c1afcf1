"""The keys of the store in memory: revisions, transactions, ranges, and a bounded history.

The history lets a watcher go on where it was; who comes too late is told to begin anew.
It must not know leases' lives, time, or where keys are kept.
"""

from bisect import bisect_left, bisect_right, insort
from collections import defaultdict, deque
from collections.abc import Iterable
from itertools import takewhile

from l7lb_storage.errors import LimitExceeded
from l7lb_storage.limits import PAGE_BYTES, SNAPSHOT_ITEMS, WATCH_EVENTS
from l7lb_storage.model import ABSENT, Changed, Check, Item, Page, Put, Reset, Transaction


class Keyspace:
    """`revision` is that of the last change; who changes something gives the next one."""

    def __init__(self, history_limit: int = WATCH_EVENTS) -> None:
        self._items: dict[str, Item] = {}
        self._order: list[str] = []
        self._of_lease: defaultdict[int, set[str]] = defaultdict(set)
        self._history: deque[Changed] = deque()
        self._history_limit = history_limit
        self._forgotten = 0
        """The newest revision of which a change is no longer in the history."""

    def __len__(self) -> int:
        return len(self._items)

    def get(self, key: str) -> Item | None:
        return self._items.get(key)

    def page(self, prefix: str, after: str, limit: int, revision: int) -> Page:
        """Keys with the prefix, behind the key `after`, at most `limit`."""
        start = max(bisect_left(self._order, prefix), bisect_right(self._order, after))
        items: list[Item] = []
        size = 0
        for place in range(start, len(self._order)):
            item = self._items[self._order[place]]
            if not item.key.startswith(prefix):
                break
            size += len(item.value)
            if len(items) == limit or (items and size > PAGE_BYTES):
                return Page(tuple(items), revision, more=True)
            items.append(item)
        return Page(tuple(items), revision, more=False)

    def snapshot(self, prefix: str, revision: int) -> Reset:
        """Raises LimitExceeded when it is too large to begin a watch with."""
        start = bisect_left(self._order, prefix)
        found = takewhile(lambda key: key.startswith(prefix), self._order[start:])
        items = tuple(self._items[key] for key in found)
        if len(items) > SNAPSHOT_ITEMS:
            raise LimitExceeded(f"a watch begins with at most {SNAPSHOT_ITEMS} items")
        return Reset(items, revision)

    def holds(self, checks: Iterable[Check]) -> bool:
        return all(self._revision_of(check.key) == check.revision for check in checks)

    def apply(self, transaction: Transaction, revision: int) -> list[Changed]:
        """Do the edits; their checks are the caller's. Deleting what is not there is no change."""
        changes = []
        for edit in transaction.edits:
            if isinstance(edit, Put):
                changes.append(self._put(edit, revision))
            elif edit.key in self._items:
                changes.append(self._delete(edit.key, revision))
        self._remember(changes)
        return changes

    def drop_lease(self, lease: int, revision: int) -> list[Changed]:
        """All keys that were bound to it go, as one change."""
        keys = sorted(self._of_lease.get(lease, ()))
        changes = [self._delete(key, revision) for key in keys]
        self._remember(changes)
        return changes

    def restore(self, items: Iterable[Item], revision: int) -> None:
        """After a restart: the history is gone, so every watcher begins anew."""
        for item in items:
            self._keep(item)
        self._forgotten = revision

    def compact(self) -> None:
        """Forget the history."""
        if self._history:
            self._forgotten = self._history[-1].revision
            self._history.clear()

    def since(self, prefix: str, after: int, revision: int) -> list[Changed] | None:
        """Changes later than `after`; None: not all are known any more, or `after` is not ours."""
        if not self._forgotten <= after <= revision:
            return None
        return [
            change
            for change in self._history
            if change.revision > after and change.key.startswith(prefix)
        ]

    def _revision_of(self, key: str) -> int:
        item = self._items.get(key)
        return ABSENT if item is None else item.revision

    def _put(self, put: Put, revision: int) -> Changed:
        old = self._items.get(put.key)
        created = revision if old is None else old.created
        item = Item(put.key, put.value, created, revision, put.lease)
        if old is not None:
            self._unbind(old)
        self._keep(item)
        return Changed(put.key, item, revision)

    def _keep(self, item: Item) -> None:
        if item.key not in self._items:
            insort(self._order, item.key)
        self._items[item.key] = item
        if item.lease:
            self._of_lease[item.lease].add(item.key)

    def _delete(self, key: str, revision: int) -> Changed:
        self._unbind(self._items.pop(key))
        del self._order[bisect_left(self._order, key)]
        return Changed(key, None, revision)

    def _unbind(self, item: Item) -> None:
        if item.lease:
            bound = self._of_lease[item.lease]
            bound.discard(item.key)
            if not bound:
                del self._of_lease[item.lease]

    def _remember(self, changes: list[Changed]) -> None:
        self._history.extend(changes)
        while len(self._history) > self._history_limit:
            self._forgotten = self._history.popleft().revision
