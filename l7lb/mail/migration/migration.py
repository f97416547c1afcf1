"""`migrate`, `abort` and `clean`: one account, one migrator at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from l7lb.errors import MigrationRefused
from l7lb.mail.migration import ledger as ledgers
from l7lb.mail.migration import placing
from l7lb.mail.migration.layout import home_of
from l7lb.mail.migration.ledger import Ledger
from l7lb.mail.migration.moving import Moving, Options, Ports
from l7lb.mail.migration.orders import Order, abortable, agreed
from l7lb.mail.migration.placing import Paths
from l7lb.mail.migration.record import TURNS, Record, Retired
from l7lb.model_migration import MailStorageSpec
from l7lb_storage import DeadlinePassed, Delete, Lock, Mode, Store

TURN_TIMEOUT_S = 30.0
"""More than the lease of a migrator that was killed."""


@dataclass(frozen=True, slots=True)
class Migration:
    """All methods raise MigrationError, StorageError, DirectoryError and OSError; what was begun
    is in the store, and the same call goes on."""

    ports: Ports
    storage: MailStorageSpec
    options: Options
    turn_timeout_s: float = TURN_TIMEOUT_S

    async def run(self, order: Order) -> Record:
        """Begin, or go on. Returns the record of a migration that is done."""
        account = await self.ports.editor.read(order.account)
        async with self._turn(account.name) as turn:
            ledger = await Ledger.opened(self.ports.store, account.name)
            account = await self.ports.editor.read(account.name)
            record = agreed(order, account, ledger.record, self.ports.now())
            if record == ledger.record and not record.is_open:
                return record
            moving = Moving(self.ports, self._options, ledger, turn)
            return await moving.run(record, self._paths(record), without_mail=order.without_mail)

    async def abort(self, name: str) -> Record:
        """Take back what was begun; returns the record as it was."""
        account = await self.ports.editor.read(name)
        async with self._turn(account.name) as turn:
            ledger = await Ledger.opened(self.ports.store, account.name)
            record = abortable(await self.ports.editor.read(account.name), ledger.record)
            await Moving(self.ports, self._options, ledger, turn).abort(self._paths(record))
            return record

    @property
    def _options(self) -> Options:
        return replace(self.options, keep_source_s=self.storage.keep_source_s)

    def _paths(self, record: Record) -> Paths:
        source, target = (
            home_of(self.storage, record.account, server)
            for server in (record.source, record.target)
        )
        return Paths(source, target, record.stamp)

    @asynccontextmanager
    async def _turn(self, account: str) -> AsyncIterator[Lock]:
        try:
            turn = await self.ports.session.acquire(
                TURNS + account, Mode.EX, timeout_s=self.turn_timeout_s
            )
        except DeadlinePassed as error:
            raise MigrationRefused(f"{account} is being migrated by somebody else") from error
        async with turn:
            yield turn


async def clean(store: Store, now_s: float) -> list[Retired]:
    """Delete what was put away and whose time is over; returns that.

    Raises MigrationRefused, StorageError, OSError; what is left comes next time.
    """
    over = [each for each in await ledgers.retired(store) if each.until_s <= now_s]
    for each in over:
        await asyncio.to_thread(placing.discard, Path(each.path))
        await store.transact(edits=(Delete(each.key),))
    return over
