"""The directory in LDAP: look-ups and password checks, remembered, over all replicas.

Owns: which search answers which question. Must not know: connections, bytes, the rules file.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from l7lb.accounts import Account, Outcome, Verdict, domain_of, normal_name
from l7lb.directory import entries
from l7lb.directory.binds import Binds
from l7lb.directory.cache import Cache, Entry
from l7lb.directory.dial import Dialer, Lookup, system_lookup, tls_context
from l7lb.directory.libldap import (
    ONE_LEVEL,
    SIZELIMIT_EXCEEDED,
    SUBTREE,
    LDAPError,
    Search,
    reason_of,
)
from l7lb.directory.replica import Opener, Replica
from l7lb.directory.searches import Searches
from l7lb.directory.threads import Threads
from l7lb.directory.verifier import Verifier
from l7lb.errors import DirectoryConfused
from l7lb.model_directory import LdapSpec, PasswordCheck
from l7lb.ports import Clock, SystemClock
from l7lb_protocols.ldap.filters import FilterTemplate

NAME_THREADS = 4
HASH_THREADS = 4
ENOUGH = 2
"""Entries that are asked for: the second already is one too many."""
ACCOUNT, RECIPIENT, CATCH = "account", "recipient", "catch"


class LdapDirectory:
    """The `Directory` port on LDAP. `start` it in the event loop that it is used in."""

    def __init__(
        self, spec: LdapSpec, clock: Clock | None = None, lookup: Lookup = system_lookup
    ) -> None:
        """Reads the TLS files that the specification names. Raises OSError."""
        self.spec = spec
        self.names = Threads("name look-up", NAME_THREADS, spec.queue)
        self.hashes = Threads("password hash", HASH_THREADS, spec.queue)
        context = tls_context(spec.tls)
        dialer = Dialer(spec.tls, context, self.names, spec.timeouts.connect_s, lookup)
        self.opener = Opener(dialer, spec.timeouts)
        self.replicas = [
            Replica(each, self.opener, spec.bind, spec.connections) for each in spec.replicas
        ]
        self.searches = Searches(self.replicas, spec)
        self.binds = Binds(self.replicas, self.opener, spec)
        self.cache = Cache(spec.cache, clock or SystemClock())
        self._shows_hashes = spec.check is not PasswordCheck.BIND
        self._attributes = entries.wanted(spec.entry, self._shows_hashes)
        self._verifier = Verifier(
            self.cache, self.hashes, spec.check, spec.timeouts.bind_s, self._binds
        )

    def start(self) -> None:
        """Begin to connect; look-ups wait for the first connections."""
        for replica in self.replicas:
            replica.start()

    async def close(self) -> None:
        self.binds.close()
        await asyncio.gather(*(replica.close() for replica in self.replicas))
        await self.opener.dialer.close()

    # ----------------------------------------------------------------- the port

    async def account(self, name: str) -> Account | None:
        normal = normal_name(name)
        return None if normal is None else (await self._entry(normal)).account

    def remembered(self, name: str) -> Account | None:
        normal = normal_name(name)
        entry = None if normal is None else self.cache.fresh((ACCOUNT, normal))
        return None if entry is None else entry.account

    async def recipient(self, address: str) -> Account | None:
        normal = normal_name(address)
        if normal is None or normal.startswith("@"):
            return None
        key = (RECIPIENT, normal)
        entry = await self.cache.get(key, lambda: self._found(self.spec.recipient, normal))
        domain = domain_of(normal)
        if entry.account is not None or self.spec.catch is None or not domain:
            return entry.account
        catch = self.spec.catch
        entry = await self.cache.get((CATCH, domain), lambda: self._found(catch, normal))
        return entry.account

    async def verify(self, name: str, password: bytes) -> Verdict:
        normal = normal_name(name)
        if normal is None:
            return Verdict(Outcome.UNKNOWN)
        return await self._verifier.verify(lambda fresh: self._entry(normal, fresh), password)

    def state(self) -> Mapping[str, object]:
        return {
            "kind": "ldap",
            "replicas": [replica.state() for replica in self.replicas],
            "waiting": self.searches.waiting + self.binds.waiting,
            "retried": self.searches.retried,
            "binds": self.binds.done,
            "threads_hanging": self.names.abandoned + self.hashes.abandoned,
            "cache": self.cache.state(),
        }

    # ----------------------------------------------------------------- look-ups

    async def _entry(self, normal: str, fresh: bool = False) -> Entry:
        fetch = lambda: self._found(self.spec.account, normal)  # noqa: E731 - one call, two ways
        ask = self.cache.fetched if fresh else self.cache.get
        return await ask((ACCOUNT, normal), fetch)

    async def _found(self, template: FilterTemplate, name: str) -> Account | None:
        """The one entry for this name. Raises DirectoryAway, DirectoryConfused."""
        user, at, domain = name.rpartition("@")
        values = {"account": name, "address": name, "user": user if at else name}
        values["domain"] = domain if at else ""
        if "domain" in template.names and not values["domain"]:
            return None
        return await self._one(template.filled(values), name)

    async def _one(self, text: str, name: str) -> Account | None:
        scope = SUBTREE if self.spec.subtree else ONE_LEVEL
        search = Search(self.spec.base, scope, text, self._attributes, ENOUGH)
        try:
            answer = await self.searches.search(search)
        except SIZELIMIT_EXCEEDED:
            raise DirectoryConfused(f"{name!r} is the name of several entries") from None
        except LDAPError as error:
            raise DirectoryConfused(f"search for {name!r}: {reason_of(error)}") from None
        if len(answer.entries) > 1:
            raise DirectoryConfused(f"{name!r} is the name of several entries")
        if not answer.entries:
            return None
        return entries.account_of(*answer.entries[0], self.spec.entry)

    async def _binds(self, account: Account, password: bytes) -> bool:
        return await self.binds.is_password(account.handle, password)
