"""Frozen specifications of the directory of accounts: what `directory:` in the rules file says.

As in `model`: seconds end in `_s`, sizes in `_bytes`, everything compares by value.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from l7lb_protocols.ldap.filters import FilterTemplate
from l7lb_protocols.ldap.urls import LdapUrl


@dataclass(frozen=True, slots=True)
class SecretSpec:
    """A secret with where it was read, so that it can be named without being shown."""

    value: bytes = field(repr=False)
    file: str = ""
    """Absolute path; empty: from `env`."""
    env: str = ""


class Role(StrEnum):
    """What a directory server is asked for."""

    READ = "read"
    WRITE = "write"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class ReplicaSpec:
    url: LdapUrl
    role: Role = Role.BOTH


@dataclass(frozen=True, slots=True)
class BindSpec:
    """Who we are to the directory server, by simple bind (RFC 4513 §5.1.3)."""

    dn: str
    password: SecretSpec


@dataclass(frozen=True, slots=True)
class LdapTls:
    """TLS to directory servers. Verification is on unless the file says otherwise."""

    start_tls: bool = False
    """StartTLS (RFC 4511 §4.14) on `ldap:` URLs; `ldaps:` has TLS in any case."""
    verify: bool = True
    ca: str | None = None
    """PEM file; None: the system's."""
    server_name: str | None = None
    """Name to verify; None: the host of the URL."""
    certificate: str | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class LdapTimeouts:
    """One limit for each phase; every one is finite."""

    connect_s: float = 3.0
    """Name, TCP connection and TLS handshake together."""
    bind_s: float = 3.0
    """A bind, be it ours or a user's."""
    search_s: float = 3.0
    """A look-up, waiting for a connection included."""
    write_s: float = 10.0
    """A change, or one page of a listing."""
    check_s: float = 10.0
    """A connection that was silent for so long is asked whether it is alive."""
    retry_s: float = 1.0
    """Wait after a failed connect; doubles up to `retry_max_s`."""
    retry_max_s: float = 30.0


class PasswordCheck(StrEnum):
    """How a password is verified."""

    AUTO = "auto"
    """By the hash when the directory shows one of a scheme that we know, else by bind."""
    COMPARE = "compare"
    BIND = "bind"


class HashKind(StrEnum):
    """How new passwords are stored."""

    SERVER = "server"
    """As the directory server does it (RFC 3062)."""
    SCRAM = "scram-sha-256"
    ARGON2 = "argon2"


@dataclass(frozen=True, slots=True)
class CacheSpec:
    positive_s: float = 300.0
    negative_s: float = 30.0
    stale_s: float = 86400.0
    """How old an answer may be that is given while the directory is away."""
    limit: int = 100_000
    """Answers kept; the least recently used goes first."""


@dataclass(frozen=True, slots=True)
class EntrySpec:
    """Which attributes of an entry mean what. Empty: the directory has none."""

    name: str = "mail"
    """The account's one name; an entry with several values is refused."""
    aliases: str = "mailLocalAddress"
    """More addresses; `@example.org` takes all of that domain that have no account."""
    server: str = "mailHost"
    quota: str = "l7lbMailQuota"
    """Bytes."""
    status: str = "l7lbAccountStatus"
    passwords: tuple[str, ...] = ("userPassword", "authPassword")
    kept: tuple[str, ...] = ()
    """Further attributes that an account carries."""
    disabled: tuple[str, ...] = ("disabled", "inactive", "noaccess", "deleted")
    """Values of `status` that mean so, in lower case; any other is active."""


@dataclass(frozen=True, slots=True)
class LdapSpec:
    replicas: tuple[ReplicaSpec, ...]
    base: str
    account: FilterTemplate
    """With {account}."""
    recipient: FilterTemplate
    """With {address}."""
    catch: FilterTemplate | None
    """With {domain}; None: no account takes a whole domain."""
    listing: FilterTemplate
    """Of all accounts."""
    entry: EntrySpec = EntrySpec()
    subtree: bool = True
    """False: only entries right below `base`."""
    bind: BindSpec | None = None
    """None: anonymous."""
    write: BindSpec | None = None
    """For changes; None: as `bind`."""
    tls: LdapTls = LdapTls()
    check: PasswordCheck = PasswordCheck.AUTO
    hash: HashKind = HashKind.SERVER
    connections: int = 2
    """Search connections to each replica."""
    outstanding: int = 64
    """Searches under way on one connection."""
    bind_connections: int = 4
    """Connections for password binds, over all replicas."""
    queue: int = 1024
    """Look-ups, and password checks, that may wait."""
    page: int = 500
    """Entries in one page of a listing (RFC 2696)."""
    timeouts: LdapTimeouts = LdapTimeouts()
    cache: CacheSpec = CacheSpec()
    object_classes: tuple[str, ...] = (
        "inetOrgPerson",
        "inetLocalMailRecipient",
        "l7lbMailAccount",
    )
    """Of entries that `l7lb users add` makes."""


@dataclass(frozen=True, slots=True)
class StaticSpec:
    """Accounts in a YAML or LDIF file."""

    file: str
    """Absolute path; LDIF when it ends in `.ldif`."""
    hash: HashKind = HashKind.SCRAM


DirectorySpec = LdapSpec | StaticSpec
