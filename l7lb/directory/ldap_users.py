"""Changes to accounts in LDAP, written to a server that takes writes.

Owns: which modification says what. Each change has a connection of its own, bound as whoever may
write; what is remembered of the account is dropped before the caller hears of success.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from l7lb.accounts import Account, AccountEdit, Status, normal_name
from l7lb.directory import entries, hashes
from l7lb.directory.connection import Connection, Send
from l7lb.directory.ldap_directory import LdapDirectory
from l7lb.directory.libldap import (
    ALREADY_EXISTS,
    MOD_ADD,
    MOD_DELETE,
    MOD_REPLACE,
    NO_SUCH_ATTRIBUTE,
    NO_SUCH_OBJECT,
    ONE_LEVEL,
    SUBTREE,
    TEMPORARY,
    TYPE_OR_VALUE_EXISTS,
    Answer,
    LDAPError,
    Modification,
    Search,
    reason_of,
)
from l7lb.errors import (
    AccountExists,
    DirectoryAway,
    DirectoryConfused,
    DirectoryRefused,
    NoSuchAccount,
)
from l7lb.model_directory import HashKind, Role
from l7lb_protocols.ldap.names import child

PAGES_LIMIT = 100_000
ENOUGH = 2


class LdapUsers:
    """The `AccountEditor` port on the directory in LDAP."""

    def __init__(self, directory: LdapDirectory) -> None:
        self._directory = directory
        self._spec = directory.spec
        self._scope = SUBTREE if self._spec.subtree else ONE_LEVEL

    # ----------------------------------------------------------------- reading

    async def accounts(self) -> AsyncIterator[Account]:
        """In pages (RFC 2696), so no size limit of the server cuts the list short."""
        text = self._spec.listing.filled({})
        attributes = entries.wanted(self._spec.entry, with_passwords=False)
        asked = (self._spec.base, self._scope, text, attributes, 0, self._spec.page)
        cookie = b""
        async with self._connection() as connection:
            for _ in range(PAGES_LIMIT):
                answer = await self._page(connection, Search(*asked, cookie=cookie))
                for dn, found in answer.entries:
                    yield entries.account_of(dn, found, self._spec.entry)
                cookie = answer.cookie
                if not cookie:
                    return
        raise DirectoryConfused(f"a listing of more than {PAGES_LIMIT} pages")

    async def _page(self, connection: Connection, search: Search) -> Answer:
        return await self._asked(connection, lambda handle: handle.search(search))

    async def read(self, name: str) -> Account:
        async with self._connection() as connection:
            return await self._read(connection, name)

    async def _read(self, connection: Connection, name: str) -> Account:
        normal = normal_name(name)
        if normal is None:
            raise NoSuchAccount(f"no account {name}")
        user, at, domain = normal.rpartition("@")
        values = {"account": normal, "user": user if at else normal, "domain": domain if at else ""}
        text = self._spec.account.filled(values)
        attributes = entries.wanted(self._spec.entry, with_passwords=True)
        search = Search(self._spec.base, self._scope, text, attributes, ENOUGH)
        answer = await self._asked(connection, lambda handle: handle.search(search))
        if not answer.entries:
            raise NoSuchAccount(f"no account {name}")
        if len(answer.entries) > 1:
            raise DirectoryConfused(f"{name} is the name of several entries")
        return entries.account_of(*answer.entries[0], self._spec.entry)

    # ----------------------------------------------------------------- writing

    async def add(self, account: Account, password: bytes) -> None:
        """The entry goes right below `base`, named by the attribute that names accounts."""
        entry = self._spec.entry
        dn = child(entry.name, account.name, self._spec.base)
        local = account.name.partition("@")[0] or account.name
        attributes = {
            "objectClass": [each.encode() for each in self._spec.object_classes],
            entry.name: [account.name.encode()],
            "cn": [local.encode()],
            "sn": [local.encode()],
            entry.aliases: [address.encode() for address in account.addresses],
            entry.server: [(account.server or "").encode()],
            entry.quota: [str(account.quota_bytes).encode()] if account.quota_bytes else [],
            entry.status: [account.status.value.encode()],
        }
        given = {name: values for name, values in attributes.items() if name and any(values)}
        async with self._connection() as connection:
            await self._asked(connection, lambda handle: handle.add(dn, given))
            try:
                await self._write_password(connection, dn, password)
            except BaseException:
                await self._asked(connection, lambda handle: handle.delete(dn))
                raise
        self._forget(account, dn)

    async def edit(self, name: str, edit: AccountEdit) -> None:
        async with self._connection() as connection:
            account = await self._read(connection, name)
            changes = self._changes(account, edit)
            if changes:
                dn = account.handle
                await self._asked(connection, lambda handle: handle.modify(dn, changes))
        self._forget(account, account.handle, *edit.add_addresses)

    def _changes(self, account: Account, edit: AccountEdit) -> list[Modification]:
        entry = self._spec.entry
        changes = []
        if edit.server is not None:
            changes.append(_replace(entry.server, edit.server))
        if edit.quota_bytes is not None:
            changes.append(_replace(entry.quota, str(edit.quota_bytes or "")))
        if edit.status is not None:
            changes.append(_replace(entry.status, self._status(edit.status)))
        added = [a.encode() for a in edit.add_addresses if a not in account.addresses]
        removed = [a.encode() for a in edit.remove_addresses if a in account.addresses]
        if removed:
            changes.append((MOD_DELETE, entry.aliases, removed))
        if added:
            changes.append((MOD_ADD, entry.aliases, added))
        if any(not attribute for _, attribute, _ in changes):
            raise DirectoryRefused("the rules file names no attribute for this")
        return changes

    def _status(self, status: Status) -> str:
        return self._spec.entry.disabled[0] if status is Status.DISABLED else status.value

    async def set_password(self, name: str, password: bytes) -> None:
        async with self._connection() as connection:
            account = await self._read(connection, name)
            await self._write_password(connection, account.handle, password)
        self._forget(account, account.handle)

    async def _write_password(self, connection: Connection, dn: str, password: bytes) -> None:
        if self._spec.hash is HashKind.SERVER:
            await self._asked(connection, lambda handle: handle.set_password(dn, password))
            return
        kind, limit_s = self._spec.hash, self._spec.timeouts.bind_s
        stored = await self._directory.hashes.run(lambda: hashes.new(kind, password), limit_s)
        change: Modification = (MOD_REPLACE, self._spec.entry.passwords[0], [stored])
        await self._asked(connection, lambda handle: handle.modify(dn, [change]))

    async def delete(self, name: str) -> None:
        async with self._connection() as connection:
            account = await self._read(connection, name)
            await self._asked(connection, lambda handle: handle.delete(account.handle))
        self._forget(account, account.handle)

    def _forget(self, account: Account, dn: str, *names: str) -> None:
        known = (account.name, *account.addresses, *names)
        domains = (each[1:] for each in known if each.startswith("@"))
        self._directory.cache.drop(dn, (*known, *domains))

    # ----------------------------------------------------------------- connections

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Connection]:
        """To the first server that takes writes and answers."""
        bind = self._spec.write or self._spec.bind
        failure = DirectoryAway("the rules file names no server for changes")
        for replica in self._spec.replicas:
            if replica.role is Role.READ:
                continue
            try:
                connection = await self._directory.opener.open(replica, bind)
            except DirectoryAway as error:
                failure = error
                continue
            try:
                yield connection
            finally:
                connection.close()
            return
        raise failure

    async def _asked(self, connection: Connection, send: Send) -> Answer:
        """Raises errors of our tree only."""
        try:
            return await connection.request(send, self._spec.timeouts.write_s)
        except NO_SUCH_OBJECT as error:
            raise NoSuchAccount(f"no such entry: {reason_of(error)}") from None
        except (ALREADY_EXISTS, TYPE_OR_VALUE_EXISTS) as error:
            raise AccountExists(reason_of(error)) from None
        except NO_SUCH_ATTRIBUTE as error:
            raise DirectoryRefused(f"changed meanwhile: {reason_of(error)}") from None
        except TEMPORARY as error:
            raise DirectoryAway(reason_of(error)) from None
        except LDAPError as error:
            raise DirectoryRefused(reason_of(error)) from None


def _replace(attribute: str, value: str) -> Modification:
    """Without a value it is removed, and that it was not there is no error (RFC 4511 §4.6)."""
    return (MOD_REPLACE, attribute, [value.encode()] if value else None)
