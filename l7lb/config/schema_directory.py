"""What may stand below `directory:` in a rules file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from l7lb.config import shorthand, texts_ldap
from l7lb.config.fields import TEXT, Count, Duration, OneOrMany, Parsed, Period, Section, Short
from l7lb.config.schema_secret import FileName, Secret
from l7lb.model_directory import CacheSpec, EntrySpec, LdapSpec, LdapTimeouts, LdapTls
from l7lb_protocols.ldap.filters import FilterTemplate, template
from l7lb_protocols.ldap.urls import LdapUrl

_TIMEOUTS = LdapTimeouts()
_CACHE = CacheSpec()
_ENTRY = EntrySpec()
_TLS = LdapTls()
_LDAP = LdapSpec((), "", template("(a=*)"), template("(a=*)"), None, template("(a=*)"))
"""For its defaults."""

Url = Annotated[LdapUrl, Parsed(texts_ldap.url, {**TEXT, "x-unit": "URL"})]
Name = Annotated[str, Parsed(texts_ldap.dn, {**TEXT, "x-unit": "distinguished name"})]
Attribute = Annotated[str, Parsed(texts_ldap.attribute, {**TEXT, "x-unit": "attribute"})]
OptionalAttribute = Annotated[
    str, Parsed(texts_ldap.optional_attribute, {**TEXT, "x-unit": "attribute, or `none`"})
]
FILTER = {**TEXT, "x-unit": "filter"}
SecretReference = Annotated[Secret, Short(shorthand.secret, None)]


class ReplicaSection(Section):
    """A directory server. Short form: its URL."""

    url: Url
    """`ldap://HOST`, `ldaps://HOST` or `ldapi://PATH`, with a port if it is another."""
    role: Literal["read", "write", "both"] = "both"
    """What it is asked for; look-ups go to `read` and `both`, changes to `write` and `both`."""


class WriteSection(Section):
    """Who makes changes to accounts."""

    bind_dn: Name
    """Its name."""
    password: SecretReference
    """Its password."""


class LdapTlsSection(Section):
    """TLS to directory servers. Short form: `starttls`."""

    start_tls: bool = _TLS.start_tls
    """Begin TLS on `ldap:` connections; `ldaps:` has it in any case."""
    verify: bool = _TLS.verify
    """Verify the servers' certificates."""
    ca: FileName | None = None
    """PEM file with the authorities; without it, the system's."""
    server_name: Annotated[str, Parsed(texts_ldap.host, TEXT)] | None = None
    """Name that the certificate must have; without it, the host of the URL."""
    certificate: FileName | None = None
    """PEM file with a certificate of ours."""
    key: FileName | None = None
    """PEM file with its key; without it, the key stands in `certificate`."""


class LdapTimeoutsSection(Section):
    """One limit for each phase; all are finite."""

    connect: Period = _TIMEOUTS.connect_s
    """Name look-up, connection and TLS handshake together."""
    bind: Period = _TIMEOUTS.bind_s
    """A bind, of ours or of a user."""
    search: Period = _TIMEOUTS.search_s
    """A look-up, waiting for a connection included."""
    write: Period = _TIMEOUTS.write_s
    """A change, or one page of a listing."""
    check: Period = _TIMEOUTS.check_s
    """A connection that was silent for so long is asked whether it is alive."""
    retry: Period = _TIMEOUTS.retry_s
    """Wait after a failed connection; it doubles each time up to `retry_max`."""
    retry_max: Period = _TIMEOUTS.retry_max_s
    """The longest such wait."""


class CacheSection(Section):
    """How long answers are remembered."""

    accounts: Duration = _CACHE.positive_s
    """Accounts that were found."""
    unknown: Duration = _CACHE.negative_s
    """Names that nobody has."""
    stale: Duration = _CACHE.stale_s
    """While no server answers, accounts as old as this still count."""
    limit: Annotated[int, Field(ge=1, le=100_000_000)] = _CACHE.limit
    """Answers kept; the least recently used goes first."""


class Ldap(Section):
    """Accounts in LDAP.

    `name` to `kept` say which attributes of an entry mean what; `none` where there is none.
    """

    urls: Annotated[
        list[Annotated[ReplicaSection, Short(shorthand.keyed("url", str), (TEXT,))]],
        Short(shorthand.listed, ()),
    ] = Field(default=[], json_schema_extra={"x-required": True})
    """Directory servers; all of them are used."""
    base: Name
    """Where accounts are searched."""
    account: Annotated[FilterTemplate, Parsed(texts_ldap.account_filter, FILTER)]
    """Filter for a login name, with `{account}`, or its parts `{user}` and `{domain}`."""
    recipient: Annotated[FilterTemplate, Parsed(texts_ldap.recipient_filter, FILTER)] | None = None
    """Filter for an address, with `{address}`, or its parts `{user}` and `{domain}`; without it,
    `name` or one of `aliases` is the address."""
    catch: Annotated[FilterTemplate | None, Parsed(texts_ldap.catch_filter, FILTER)] = Field(
        default=None
    )
    """Filter with `{domain}` for the account that takes what nobody else in a domain has; without
    it, `@DOMAIN` among `aliases`; `none` for none."""
    listing: Annotated[FilterTemplate, Parsed(texts_ldap.plain_filter, FILTER)] | None = None
    """Filter for all accounts; without it, all that have a `name`."""
    scope: Literal["subtree", "one"] = "subtree"
    """Below `base` at any depth, or right below it."""
    name: Attribute = _ENTRY.name
    """The account's one name, of one value."""
    aliases: OptionalAttribute = _ENTRY.aliases
    """More addresses; `@example.org` stands for all of a domain that nobody else has."""
    server: OptionalAttribute = _ENTRY.server
    """Home server."""
    quota: OptionalAttribute = _ENTRY.quota
    """Bytes of mail."""
    status: OptionalAttribute = _ENTRY.status
    """Whether the account may log in."""
    disabled: OneOrMany[str] = Field(default=[*_ENTRY.disabled], min_length=1)
    """Values of `status` that mean it may not; the first is what `l7lb users disable` writes."""
    password_attributes: OneOrMany[Attribute] = Field(default=[*_ENTRY.passwords], min_length=1)
    """Password hashes, where the director may read them."""
    kept: OneOrMany[Attribute] = Field(default=[])
    """Further attributes that an account carries."""
    object_classes: OneOrMany[Attribute] = Field(default=[*_LDAP.object_classes], min_length=1)
    """Classes of entries that `l7lb users add` makes."""
    bind_dn: Name | None = None
    """Who the director is to the servers; without it, it says nothing of itself."""
    password: SecretReference | None = None
    """Password of `bind_dn`."""
    write: WriteSection | None = None
    """Who makes changes; without it, `bind_dn`."""
    tls: Annotated[LdapTlsSection, Short(shorthand.start_tls, ({"enum": ["starttls"]},))] = (
        LdapTlsSection()
    )
    """TLS to the servers."""
    check: Literal["auto", "compare", "bind"] = "auto"
    """Passwords: by hash where the directory shows one that is known and else by bind, only by
    hash, or only by bind."""
    hash: Literal["server", "scram-sha-256", "argon2"] = "server"
    """How new passwords are stored; `server`: as the directory server does it (RFC 3062)."""
    connections: Annotated[int, Field(ge=1, le=64)] = _LDAP.connections
    """Search connections to each server."""
    outstanding: Annotated[int, Field(ge=1, le=1024)] = _LDAP.outstanding
    """Searches under way on one connection."""
    bind_connections: Annotated[int, Field(ge=1, le=1024)] = _LDAP.bind_connections
    """Connections on which users' passwords are checked, over all servers."""
    queue: Count = _LDAP.queue
    """Look-ups, and password checks, that may wait."""
    page: Annotated[int, Field(ge=1, le=10_000)] = _LDAP.page
    """Entries in one page of a listing."""
    timeouts: LdapTimeoutsSection = LdapTimeoutsSection()
    """Limits in time."""
    cache: CacheSection = CacheSection()
    """How long answers are remembered."""


class Static(Section):
    """Accounts in a file. Short form: the file."""

    file: FileName
    """YAML with the key `users`, or LDIF when its name ends in `.ldif`."""
    hash: Literal["scram-sha-256", "argon2"] = "scram-sha-256"
    """How new passwords are stored."""


class DirectorySection(Section):
    """Where accounts are; exactly one of these."""

    ldap: Ldap | None = None
    """In LDAP."""
    static: Annotated[Static, Short(shorthand.keyed("file", str), (TEXT,))] | None = None
    """In a file."""
