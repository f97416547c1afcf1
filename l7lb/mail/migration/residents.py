"""Who is where, and how much: what `rebalance` plans with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from l7lb.accounts import AccountEditor
from l7lb.errors import MigrationError
from l7lb.mail.migration.layout import home_of
from l7lb.mail.migration.rebalance import Resident
from l7lb.mail.migration.tree import scan
from l7lb.mail.traffic import Use
from l7lb.model_migration import MailStorageSpec

Measured = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Survey:
    residents: list[Resident] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)
    """Accounts whose mail could not be measured, and why."""


async def survey(
    editor: AccountEditor,
    storage: MailStorageSpec,
    measured: Measured,
    uses: Mapping[str, Use],
) -> Survey:
    """All accounts that have a server, with the size of their mail, measured one by one, and what
    is counted of them a day. Raises DirectoryError."""
    found = Survey()
    async for account in editor.accounts():
        if account.server is None:
            continue
        try:
            size = await asyncio.to_thread(_size, storage, account.name, account.server)
        except (MigrationError, OSError) as error:
            found.problems[account.name] = str(error)
            continue
        use = uses.get(account.name, Use()).a_day
        resident = Resident(
            *(account.name, account.server, size, round(use.bytes)),
            sessions=use.sessions,
            deliveries=use.deliveries,
        )
        found.residents.append(resident)
        measured(len(found.residents))
    return found


def _size(storage: MailStorageSpec, account: str, server: str) -> int:
    return scan(home_of(storage, account, server).maildir).size_bytes
