"""Who is where, and how much: what `rebalance` plans with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from l7lb.accounts import Account, AccountEditor
from l7lb.errors import MigrationError
from l7lb.mail.migration.layout import home_of
from l7lb.mail.migration.rebalance import Resident
from l7lb.mail.migration.tree import scan
from l7lb.model_migration import MailStorageSpec

Traffic = Callable[[str], Awaitable[int]]
"""Bytes of an account in some period."""
Measured = Callable[[int], None]


async def no_traffic(account: str) -> int:
    """Where nothing counts it."""
    del account
    return 0


async def residents(
    editor: AccountEditor,
    storage: MailStorageSpec,
    measured: Measured,
    traffic: Traffic = no_traffic,
) -> list[Resident]:
    """All accounts that have a server, with the size of their mail, measured one by one.

    Raises DirectoryError, MigrationError (with the account), OSError.
    """
    found: list[Resident] = []
    async for account in editor.accounts():
        if account.server is not None:
            size = await asyncio.to_thread(_size, storage, account, account.server)
            bytes_moved = await traffic(account.name)
            found.append(Resident(account.name, account.server, size, bytes_moved))
            measured(len(found))
    return found


def _size(storage: MailStorageSpec, account: Account, server: str) -> int:
    try:
        home = home_of(storage, account.name, server)
        return scan(home.maildir).size_bytes
    except MigrationError as error:
        raise MigrationError(f"{account.name}: {error}") from error
