"""The directory in a file: the `Directory` port and its changes, for the demo and small sites."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace

from l7lb.accounts import Account, AccountEdit, Outcome, Verdict, normal_name
from l7lb.directory import hashes, static_file
from l7lb.directory.cache import Cache, Entry
from l7lb.directory.static_document import Document, Names
from l7lb.directory.threads import Threads
from l7lb.directory.verifier import Verifier
from l7lb.errors import AccountExists, DirectoryRefused, NoSuchAccount
from l7lb.model_directory import CacheSpec, PasswordCheck, StaticSpec
from l7lb.ports import Clock, SystemClock

THREADS = 4
QUEUE = 1024
DEADLINE_S = 5.0
"""For a password check, and for reading or writing the file."""


class StaticDirectory:
    """The `Directory` port on a file, which is read when made and at each `reload`."""

    def __init__(self, spec: StaticSpec, clock: Clock | None = None) -> None:
        """Reads the file. Raises ConfigError."""
        self.spec = spec
        self.threads = Threads("static directory", THREADS, QUEUE)
        self.cache = Cache(CacheSpec(), clock or SystemClock())
        """Of passwords that were right; accounts are in memory anyway."""
        self._names = Names(static_file.load(spec.file))
        self._verifier = Verifier(self.cache, self.threads, PasswordCheck.COMPARE, DEADLINE_S)

    async def reload(self) -> None:
        """Read the file again. Raises ConfigError with nothing changed."""
        call = lambda: Names(static_file.load(self.spec.file))  # noqa: E731 - runs in a thread
        self.adopt(await self.threads.run(call, DEADLINE_S))

    def adopt(self, names: Names) -> None:
        self._names = names
        self.cache.clear()

    # ----------------------------------------------------------------- the port

    async def account(self, name: str) -> Account | None:
        return self.remembered(name)

    def remembered(self, name: str) -> Account | None:
        normal = normal_name(name)
        return self._names.accounts.get(normal) if normal else None

    async def recipient(self, address: str) -> Account | None:
        normal = normal_name(address)
        if normal is None or normal.startswith("@"):
            return None
        return self._names.recipient(normal)

    async def verify(self, name: str, password: bytes) -> Verdict:
        normal = normal_name(name)
        if normal is None:
            return Verdict(Outcome.UNKNOWN)
        return await self._verifier.verify(lambda fresh: self._entry(normal, fresh), password)

    async def _entry(self, normal: str, fresh: bool) -> Entry:
        ask = self.cache.fetched if fresh else self.cache.get
        return await ask(("account", normal), lambda: self.account(normal))

    def state(self) -> Mapping[str, object]:
        return {
            "kind": "static",
            "file": self.spec.file,
            "accounts": len(self._names.accounts),
            "threads_hanging": self.threads.abandoned,
        }

    async def close(self) -> None:
        """Nothing to give up."""


Change = Callable[[Document], None]


class StaticUsers:
    """The `AccountEditor` port on the file."""

    def __init__(self, directory: StaticDirectory) -> None:
        self._directory = directory

    async def accounts(self) -> AsyncIterator[Account]:
        await self._directory.reload()
        for account in [*self._directory._names.accounts.values()]:
            yield account

    async def read(self, name: str) -> Account:
        await self._directory.reload()
        account = await self._directory.account(name)
        if account is None:
            raise NoSuchAccount(f"no account {name}")
        return account

    async def add(self, account: Account, password: bytes) -> None:
        stored = await self._hashed(password)

        def change(document: Document) -> None:
            if account.name in document.accounts:
                raise AccountExists(f"{account.name} is there already")
            _put(document, replace(account, passwords=(stored,), handle=account.name))

        await self._changed(change)

    async def edit(self, name: str, edit: AccountEdit) -> None:
        def change(document: Document) -> None:
            _put(document, edited(_known(document, name), edit))

        await self._changed(change)

    async def set_password(self, name: str, password: bytes) -> None:
        stored = await self._hashed(password)

        def change(document: Document) -> None:
            _put(document, replace(_known(document, name), passwords=(stored,)))

        await self._changed(change)

    async def delete(self, name: str) -> None:
        await self._changed(lambda document: document.remove(_known(document, name).name))

    async def _hashed(self, password: bytes) -> bytes:
        kind = self._directory.spec.hash
        return await self._directory.threads.run(lambda: hashes.new(kind, password), DEADLINE_S)

    async def _changed(self, change: Change) -> None:
        """Applied to the file as it is now; the directory has it when this returns."""

        def write() -> Names:
            with static_file.changing(self._directory.spec.file) as document:
                change(document)
                return Names(document)

        self._directory.adopt(await self._directory.threads.run(write, DEADLINE_S))


def edited(account: Account, edit: AccountEdit) -> Account:
    """The account with this change."""
    kept = [each for each in account.addresses if each not in edit.remove_addresses]
    added = [each for each in edit.add_addresses if each not in kept]
    return replace(
        account,
        addresses=(*kept, *added),
        server=account.server if edit.server is None else edit.server or None,
        quota_bytes=account.quota_bytes if edit.quota_bytes is None else edit.quota_bytes,
        status=account.status if edit.status is None else edit.status,
    )


def _known(document: Document, name: str) -> Account:
    account = document.accounts.get(normal_name(name) or "")
    if account is None:
        raise NoSuchAccount(f"no account {name}")
    return account


def _put(document: Document, account: Account) -> None:
    try:
        document.put(account)
    except ValueError as error:
        raise DirectoryRefused(str(error)) from None
