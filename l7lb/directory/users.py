"""Administration of users: the one API for the command line and the monitor, on any directory.

Owns: what names, addresses and passwords may be, and that no address has two accounts. Must not
know: where accounts are kept.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

from l7lb.accounts import (
    PASSWORD_LIMIT_BYTES,
    Account,
    AccountEdit,
    AccountEditor,
    Directory,
    Status,
    normal_name,
)
from l7lb.errors import AccountExists, DirectoryRefused

PASSWORD_LEAST = 8
_SERVER = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.:-]{0,253}[A-Za-z0-9_])?")
_DOMAIN = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_-]{1,63}", re.ASCII)


class Users:
    """Every method raises DirectoryAway, DirectoryRefused, NoSuchAccount or AccountExists; what
    was changed is seen by the next look-up of `directory`."""

    def __init__(self, directory: Directory, editor: AccountEditor) -> None:
        self._directory = directory
        self._editor = editor

    def list(self) -> AsyncIterator[Account]:
        """All accounts, page by page."""
        return self._editor.accounts()

    async def show(self, name: str) -> Account:
        """As the directory has it now."""
        return await self._editor.read(name)

    async def add(self, account: Account, password: bytes) -> Account:
        """A new account; its name and addresses are put into their normal form."""
        name = _name(account.name)
        addresses = tuple(dict.fromkeys(map(_address, account.addresses)))
        new = Account(
            name=name,
            addresses=addresses,
            server=_server(account.server or "") or None,
            quota_bytes=_quota(account.quota_bytes),
            status=account.status,
        )
        _check_password(password)
        for address in (name, *addresses):
            await self._refuse_taken(address, name)
        if await self._directory.account(name) is not None:
            raise AccountExists(f"{name} is there already")
        await self._editor.add(new, password)
        return await self._editor.read(name)

    async def change(self, name: str, edit: AccountEdit) -> Account:
        """Several things at once; returns the account as it is after."""
        account = await self._editor.read(name)
        added = tuple(map(_address, edit.add_addresses))
        for address in added:
            await self._refuse_taken(address, account.name)
        checked = AccountEdit(
            server=None if edit.server is None else _server(edit.server),
            quota_bytes=None if edit.quota_bytes is None else _quota(edit.quota_bytes),
            status=edit.status,
            add_addresses=added,
            remove_addresses=tuple(map(_address, edit.remove_addresses)),
        )
        await self._editor.edit(account.name, checked)
        return await self._editor.read(account.name)

    async def disable(self, name: str) -> Account:
        """No login from now on; sessions that are open are the director's matter."""
        return await self.change(name, AccountEdit(status=Status.DISABLED))

    async def enable(self, name: str) -> Account:
        return await self.change(name, AccountEdit(status=Status.ACTIVE))

    async def set_quota(self, name: str, quota_bytes: int) -> Account:
        """0: none."""
        return await self.change(name, AccountEdit(quota_bytes=quota_bytes))

    async def set_server(self, name: str, server: str) -> Account:
        """Home server; empty: the director chooses. Moves no mail."""
        return await self.change(name, AccountEdit(server=server))

    async def set_password(self, name: str, password: bytes) -> None:
        _check_password(password)
        await self._editor.set_password(name, password)

    async def delete(self, name: str) -> None:
        """The account only, not its mail."""
        await self._editor.delete(name)

    async def _refuse_taken(self, address: str, name: str) -> None:
        """A catch is taken only by another catch, which no look-up of one address can tell."""
        if address.startswith("@"):
            async for account in self._editor.accounts():
                if address in account.addresses and account.name != name:
                    raise AccountExists(f"{address} belongs to {account.name}")
            return
        other = await self._directory.recipient(address)
        if other is None or other.name == name:
            return
        if address in {other.name, *other.addresses}:
            raise AccountExists(f"{address} belongs to {other.name}")


def _name(text: str) -> str:
    name = normal_name(text)
    if name is None or name.startswith("@"):
        raise DirectoryRefused(f"{text!r} is no name for an account")
    return name


def _address(text: str) -> str:
    """An address, or `@` and a domain."""
    address = normal_name(text)
    local, _, domain = (address or "").rpartition("@")
    if address is None or "@" not in address or not _DOMAIN.fullmatch(domain):
        raise DirectoryRefused(f"{text!r} is not an address")
    if len(local.encode()) > 64:
        raise DirectoryRefused(f"{text!r} has a local part of more than 64 bytes")
    return address


def _server(text: str) -> str:
    if text and not _SERVER.fullmatch(text):
        raise DirectoryRefused(f"{text!r} is not the name of a server")
    return text


def _quota(size: int) -> int:
    if not 0 <= size < 2**63:
        raise DirectoryRefused("a quota is from 0 to 2^63-1 bytes")
    return size


def _check_password(password: bytes) -> None:
    """Raises DirectoryRefused, which does not repeat it."""
    if len(password) < PASSWORD_LEAST:
        raise DirectoryRefused(f"a password has at least {PASSWORD_LEAST} bytes")
    if len(password) > PASSWORD_LIMIT_BYTES:
        raise DirectoryRefused(f"a password has at most {PASSWORD_LIMIT_BYTES} bytes")
    if b"\0" in password or b"\n" in password or b"\r" in password:
        raise DirectoryRefused("a password has no line end and no NUL")
