"""What is asked for, and what it means beside what the store has of the account. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from l7lb.accounts import Account
from l7lb.errors import MigrationRefused
from l7lb.mail.migration.record import Record, Step


@dataclass(frozen=True, slots=True)
class Order:
    account: str
    target: str = ""
    """Server; empty: go on with what was begun."""
    source: str = ""
    """Server whose storage has the mail now; empty: the account's server."""
    without_mail: bool = False
    """The account needs no Maildir yet."""


def agreed(order: Order, account: Account, found: Record | None, now_s: float) -> Record:
    """The record to go on with; a new one is not written yet.

    Raises MigrationRefused: nothing to resume, another target, or no known source.
    """
    if found is not None and found.step is not Step.DONE:
        if order.target not in ("", found.target):
            raise MigrationRefused(
                f"{account.name} is on its way from {found.source} to {found.target}: "
                "go on with that, or abort it"
            )
        return found
    if not order.target:
        raise MigrationRefused(f"no migration of {account.name} was begun")
    if account.server == order.target:
        if found is not None and found.target == order.target:
            return found
        raise MigrationRefused(f"{account.name} is on {order.target} already")
    source = order.source or account.server or ""
    if not source:
        raise MigrationRefused(
            f"{account.name} has no server in the directory: say where its mail is now"
        )
    if source == order.target:
        raise MigrationRefused(f"source and target are both {source}")
    left = () if found is None else (*found.left, found.source)
    old = tuple(dict.fromkeys(name for name in left if name not in (source, order.target)))
    return Record(account.name, source, order.target, now_s, left=old)


def abortable(account: Account, found: Record | None) -> Record:
    """Raises MigrationRefused: there is none, or the account is on the new server already."""
    if found is None or found.step is Step.DONE:
        raise MigrationRefused(f"no migration of {account.name} is under way")
    if found.step is Step.SWITCHED or account.server == found.target:
        raise MigrationRefused(f"{account.name} is on {found.target} already: resume, not abort")
    return found
