"""Accounts, and what the mail directors and administrators ask of a directory of them.

Owns the types and the two ports; `l7lb.directory` has the adapters. Must not know: LDAP, files.
"""

from __future__ import annotations

import unicodedata
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

NAME_LIMIT_BYTES = 320
"""64 + @ + 255 octets, RFC 5321 §4.5.3.1."""
PASSWORD_LIMIT_BYTES = 1024


class Status(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    """No login; mail for it is still taken, or refused, as the mail service decides."""


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """What a server needs for SCRAM-SHA-256 (RFC 5802 §3, RFC 5803)."""

    salt: bytes = field(repr=False)
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """One account, as the directory has it."""

    name: str
    """The one name: locks, hashes and servers use this, whatever name came from the client."""
    addresses: tuple[str, ...] = ()
    """Aliases, in lower case; `@example.org` stands for a whole domain."""
    server: str | None = None
    """Home server; None: the director chooses."""
    quota_bytes: int = 0
    """0: none."""
    status: Status = Status.ACTIVE
    attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """What routes may match, by lower-case name."""
    passwords: tuple[bytes, ...] = field(default=(), repr=False)
    """Stored hashes; empty where the directory does not show them."""
    scram: ScramKeys | None = field(default=None, repr=False)
    handle: str = ""
    """What the directory itself calls it: the DN."""


class Outcome(StrEnum):
    """What became of a password. All but OK are one refusal to the client; the log may tell."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Verdict:
    outcome: Outcome
    account: Account | None = None
    """None for UNKNOWN."""

    def __bool__(self) -> bool:
        return self.outcome is Outcome.OK


class Directory(Protocol):
    """Looks accounts up. Every call ends within the directory's own deadlines.

    All raise DirectoryAway when the directory cannot be asked and nothing usable is remembered
    (SMTP 451, IMAP `NO [UNAVAILABLE]`, POP3 `-ERR [SYS/TEMP]`), and DirectoryConfused when its
    answer makes no sense, such as two entries for one name (the same replies; an administrator
    has to act). That nobody is there is no error: None.
    """

    async def account(self, name: str) -> Account | None:
        """By the name that a client logs in with."""

    def remembered(self, name: str) -> Account | None:
        """What `account` would say without asking anybody; None: it must ask, or knows nobody."""

    async def recipient(self, address: str) -> Account | None:
        """By an address of mail: its own, an alias, or the catch of its domain."""

    async def verify(self, name: str, password: bytes) -> Verdict:
        """Whether this password is the account's. A disabled account is DISABLED only to one who
        knows the password, else WRONG."""

    def state(self) -> Mapping[str, object]:
        """For status and monitor: JSON values, no secrets."""

    async def close(self) -> None:
        """Give up all connections; calls under way end with DirectoryAway."""


@dataclass(frozen=True, slots=True)
class AccountEdit:
    """What to change; None leaves it as it is."""

    server: str | None = None
    """Empty: none."""
    quota_bytes: int | None = None
    """0: none."""
    status: Status | None = None
    add_addresses: tuple[str, ...] = ()
    remove_addresses: tuple[str, ...] = ()


class AccountEditor(Protocol):
    """Changes accounts. Whatever was changed is seen by the next look-up of this process.

    All raise DirectoryAway, DirectoryRefused, NoSuchAccount or AccountExists.
    """

    def accounts(self) -> AsyncIterator[Account]:
        """All of them, in pages."""

    async def read(self, name: str) -> Account:
        """As it is now, not as it is remembered."""

    async def add(self, account: Account, password: bytes) -> None: ...
    async def edit(self, name: str, edit: AccountEdit) -> None: ...
    async def set_password(self, name: str, password: bytes) -> None: ...
    async def delete(self, name: str) -> None: ...


def normal_name(name: str) -> str | None:
    """The form in which names and addresses are compared: NFC, lower case. None: nobody's name.

    Refuses what an LDAP matching rule would overlook (RFC 4518 §2: control characters, space at
    the ends or doubled), so that two spellings can never be one entry but two accounts to us.
    """
    if name.isascii() and name.isprintable() and " " not in name:
        return name.lower() if 0 < len(name) <= NAME_LIMIT_BYTES else None
    text = unicodedata.normalize("NFC", name).lower()
    if not text or not text.isprintable() or text != " ".join(text.split()):
        return None
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return None
    return text if size <= NAME_LIMIT_BYTES else None


def attribute_facts(account: Account | None) -> dict[bytes, tuple[bytes, ...]]:
    """Its attributes as rules see them."""
    if account is None:
        return {}
    return {
        name.encode(): tuple(value.encode() for value in values)
        for name, values in account.attributes.items()
    }


def domain_of(address: str) -> str:
    """What follows the last `@`; empty when there is none."""
    return address.rpartition("@")[2] if "@" in address else ""
