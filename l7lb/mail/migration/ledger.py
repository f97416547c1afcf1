"""One account's record in the store: read once, then changed only if nobody else did."""

from __future__ import annotations

from l7lb.errors import MigrationRefused
from l7lb.mail.migration.record import (
    KEEP_S,
    MARKS,
    RECORDS,
    RETIRED,
    Record,
    Retired,
    decoded,
    decoded_retired,
)
from l7lb_storage import ABSENT, Check, Delete, Put, Store

PAGE = 500


class Ledger:
    """Made by `opened`. All raise StorageError; after InDoubt open it anew."""

    def __init__(self, store: Store, account: str, revision: int, record: Record | None) -> None:
        self._store = store
        self._account = account
        self._revision = revision
        self.mark_revision = ABSENT
        """Of the mark that was written last."""
        self.record = record

    @classmethod
    async def opened(cls, store: Store, account: str) -> Ledger:
        """Raises MigrationRefused when the record cannot be read."""
        item = await store.get(RECORDS + account)
        if item is None:
            return cls(store, account, ABSENT, None)
        return cls(store, account, item.revision, decoded(item.value))

    async def write(self, record: Record | None, *steps: Put | Delete | Check) -> None:
        """The record and all edits, or nothing. Raises MigrationRefused: somebody else wrote, or
        a check does not hold."""
        key = RECORDS + self._account
        change = Delete(key) if record is None else Put(key, record.encoded())
        checks = [each for each in steps if isinstance(each, Check)]
        edits = [each for each in steps if not isinstance(each, Check)]
        outcome = await self._store.transact(
            (Check(key, self._revision), *checks), (change, *edits)
        )
        if not outcome.done:
            why = "another migration of it goes on, or its mark is lost"
            raise MigrationRefused(f"{self._account}: {why}")
        self._revision = ABSENT if record is None else outcome.revision
        if any(isinstance(each, Put) and each.key == MARKS + self._account for each in edits):
            self.mark_revision = outcome.revision
        self.record = record

    async def expire(self) -> None:
        """The record of a migration that is done goes by itself after KEEP_S."""
        assert self.record is not None
        key, value = RECORDS + self._account, self.record.encoded()
        await self._store.swap(key, value, self._revision, keep_s=KEEP_S)

    def marked(self, mark: bytes, lease: int) -> Put:
        return Put(MARKS + self._account, mark, lease)

    @property
    def is_marked(self) -> Check:
        """The mark that was written last stands: nobody was let in since."""
        return Check(MARKS + self._account, self.mark_revision)

    @property
    def unmarked(self) -> Delete:
        return Delete(MARKS + self._account)


async def unfinished(store: Store) -> list[Record]:
    """All migrations that were begun and are not done. Raises StorageError, MigrationRefused."""
    found: list[Record] = []
    after, more = "", True
    while more:
        page = await store.range(RECORDS, after=after, limit=PAGE)
        found += [record for item in page.items if (record := decoded(item.value)).is_open]
        after, more = (page.items[-1].key if page.items else ""), page.more
    return found


async def retired(store: Store) -> list[Retired]:
    """All that was put away and not deleted yet. Raises StorageError, MigrationRefused."""
    found: list[Retired] = []
    after = ""
    while True:
        page = await store.range(RETIRED, after=after, limit=PAGE)
        found += [decoded_retired(item.value) for item in page.items]
        if not page.more:
            return found
        after = page.items[-1].key
