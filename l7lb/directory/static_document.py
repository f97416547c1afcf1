"""What the two forms of a static directory have in common: a document of accounts.

A document keeps what it does not understand, so that a change to one account leaves the rest of
the file as it was. Must not know: where the text came from, or who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from l7lb.accounts import Account, domain_of
from l7lb.errors import ConfigError, Problem
from l7lb.model import Place

ACCOUNTS_LIMIT = 20_000
"""More belong in an LDAP server."""


class Document(Protocol):
    """Accounts by name, with the text that they came from."""

    @property
    def accounts(self) -> Mapping[str, Account]: ...
    @property
    def places(self) -> Mapping[str, Place]:
        """Where each account stands."""

    def put(self, account: Account) -> None:
        """Add it, or write it in the place of the one of that name."""

    def remove(self, name: str) -> None: ...
    def text(self) -> str:
        """The whole file."""


class Names:
    """Accounts by every address that leads to them."""

    def __init__(self, document: Document) -> None:
        """Raises ConfigError when an address leads to two accounts."""
        self.accounts = dict(document.accounts)
        self._addresses: dict[str, Account] = {}
        problems = []
        for account in self.accounts.values():
            for address in (account.name, *account.addresses):
                other = self._addresses.setdefault(address, account)
                if other is not account:
                    message = f"{address} belongs to {other.name} already"
                    problems.append(Problem(document.places[account.name], message))
        if problems:
            raise ConfigError(problems)

    def recipient(self, address: str) -> Account | None:
        """By name or alias, else whoever takes the whole domain."""
        found = self._addresses.get(address)
        return found or self._addresses.get(f"@{domain_of(address)}")
