"""One migration from the step where it stands to its end, under the turn to migrate.

Owns the order of the steps, the account's locks and the mark that directors see. Two locks close
an account: `user/NAME` (its owner; asked to let go by notice) and `user/NAME/new` (deliveries by
others). While the step is `copying` nobody is disturbed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from l7lb.accounts import AccountEdit, AccountEditor
from l7lb.errors import CopyDiffers, DirectoryRefused, MigrationRefused, NoSuchAccount
from l7lb.mail.migration import placing
from l7lb.mail.migration.copying import CopySpec, synchronise
from l7lb.mail.migration.hearing import Hearing
from l7lb.mail.migration.ledger import Ledger
from l7lb.mail.migration.pace import Pace
from l7lb.mail.migration.placing import Paths
from l7lb.mail.migration.record import BEFORE_SWITCH, Record, Retired, Step, Sum, mark
from l7lb.mail.migration.tree import summed
from l7lb_storage import Check, Delete, Lock, Mode, Put, Session, StorageError, Store, guard

CLOSE_TIMEOUT_S = 60.0
"""For directors and the owner to let go of the account, each."""
Assign = Callable[[str, str], Awaitable[None]]
"""Account and server: whatever else remembers where an account is, such as the directors' table."""


class Observer(Protocol):
    """Told how it goes; `total` and `moved` come from another thread."""

    def step(self, record: Record) -> None: ...
    def awaited(self, names: list[str]) -> None:
        """Directors that have not let go of the account yet."""

    def total(self, count: int) -> None:
        """So many bytes will be copied, from 0 on."""

    def moved(self, count: int) -> None: ...


@dataclass(frozen=True, slots=True)
class Ports:
    """What a migration needs of the world."""

    session: Session
    store: Store
    editor: AccountEditor
    assign: Assign
    observer: Observer
    now: Callable[[], float]
    """Wall clock."""


@dataclass(frozen=True, slots=True)
class Options:
    bytes_s: float = 0.0
    """Speed of the first copy, while the account is served; 0: no limit."""
    close_timeout_s: float = CLOSE_TIMEOUT_S
    keep_source_s: float = 7 * 86400.0
    ignored: Collection[str] = ()
    """Directors whose word is not waited for."""


class Moving:
    def __init__(self, ports: Ports, options: Options, ledger: Ledger, turn: Lock) -> None:
        self._ports = ports
        self._options = options
        self._ledger = ledger
        self._turn = turn
        self._owner: Lock | None = None
        self._pace = Pace(options.bytes_s)

    @property
    def record(self) -> Record:
        assert self._ledger.record is not None
        return self._ledger.record

    async def run(self, record: Record, paths: Paths, *, without_mail: bool) -> Record:
        """To the end. Raises MigrationError, StorageError, DirectoryError, OSError."""
        check = lambda: placing.check_sides(paths, without_mail=without_mail)  # noqa: E731
        await self._pace.run(lambda: placing.check_mounted(paths))
        if record.step is Step.COPYING:
            await self._pace.run(check)
            await self._write(record)
            if not paths.is_shared:
                await self._pace.run(lambda: self._synchronise(paths, self._pace, afresh=False))
        async with self._closed():
            if self.record.step is Step.SWITCHING:
                await self._settle(paths)
            if self.record.step is Step.MOVING:
                await self._heard()
                await self._pace.run(check)
                await self._complete(paths)
            if self.record.step is Step.SWITCHING:
                await self._switch(paths)
            await self._finish(paths)
        return self.record

    async def abort(self, paths: Paths) -> None:
        """Everything as it was. Raises as `run`, and MigrationRefused when it is too late."""
        await self._pace.run(lambda: placing.check_mounted(paths))
        async with self._closed():
            if self.record.step is Step.SWITCHING:
                await self._settle(paths)
            if self.record.step not in BEFORE_SWITCH:
                raise MigrationRefused(f"{self.record.account} is on {self.record.target} already")
            await self._pace.run(lambda: placing.discard(paths.copy))
            await self._ledger.write(None, self._ledger.unmarked)

    # ----------------------------------------------------------------- steps

    async def _heard(self) -> None:
        """No director has a session or a delivery at the old server: servers that know nothing of
        our locks have nothing to write any more."""
        hearing = Hearing(self._ports.store, self._options.ignored)
        mark, limit_s = self._ledger.mark_revision, self._options.close_timeout_s
        await hearing.closed(self.record.account, mark, limit_s, self._ports.observer.awaited)
        self._check()

    async def _complete(self, paths: Paths) -> None:
        """What changed since the first copy, then both sides compared.

        From here on the mark outlives this process: a login at the old server, whose mail was
        copied already, would lose what it changes.
        """
        total = Sum()
        if not paths.is_shared:
            total = await self._pace.run(lambda: self._verified(paths))
        switching = replace(self.record, step=Step.SWITCHING, sum=total)
        mark = self._mark(switching, durable=True)
        await self._write(switching, self._ledger.is_marked, mark)

    def _verified(self, paths: Paths) -> Sum:
        token = self._token()
        with placing.fenced(paths.source, token):
            pass  # from here on a writer with an older token is refused
        full = Pace()
        self._synchronise(paths, full, afresh=True)
        before = summed(paths.source.maildir, self._spend(full, counted=False))
        after = summed(paths.copy, self._spend(full, counted=False))
        if before != after:
            placing.discard(paths.copy)
            raise CopyDiffers(f"{paths.copy} has {after}, not {before}, and was thrown away")
        return after

    async def _switch(self, paths: Paths) -> None:
        """First the mail, then the directory: from then on the new server has it."""
        if not paths.is_shared:
            await self._pace.run(lambda: placing.install(paths, self._token()))
        self._check()
        edit = AccountEdit(server=self.record.target)
        try:
            await self._ports.editor.edit(self.record.account, edit)
        except (DirectoryRefused, NoSuchAccount):
            await self._take_back(paths)
            raise
        switched = replace(self.record, step=Step.SWITCHED)
        await self._write(switched, self._mark(switched, durable=True))

    async def _settle(self, paths: Paths) -> None:
        """Somebody died while switching: whether it was done, the directory says."""
        account = await self._ports.editor.read(self.record.account)
        if account.server != self.record.target:
            await self._take_back(paths)
            return
        switched = replace(self.record, step=Step.SWITCHED)
        await self._write(switched, self._mark(switched, durable=True))

    async def _take_back(self, paths: Paths) -> None:
        if not paths.is_shared:
            await self._pace.run(lambda: self._uninstall(paths))
        moving = replace(self.record, step=Step.MOVING, sum=Sum())
        await self._write(moving, self._mark(moving, durable=False))

    def _uninstall(self, paths: Paths) -> None:
        """Nobody was sent there; should somebody have written all the same, it must not be lost."""
        if placing.is_installed(paths):
            found = summed(paths.target.maildir, self._spend(Pace(), counted=False))
            if found != self.record.sum:
                raise MigrationRefused(
                    f"{paths.target.maildir} was changed by somebody: it has {found}, "
                    f"and {self.record.sum} were put there"
                )
        placing.uninstall(paths, self._token())

    async def _finish(self, paths: Paths) -> None:
        """The old mail is put away, and the account open again."""
        await self._ports.assign(self.record.account, self.record.target)
        put: list[Put | Delete] = [self._ledger.unmarked]
        if not paths.is_shared:
            until_s = self._ports.now() + self._options.keep_source_s
            for path in await self._pace.run(lambda: placing.retire(paths, self._token())):
                retired = Retired(self.record.account, str(path), until_s)
                put.append(Put(retired.key, retired.encoded()))
        await self._write(replace(self.record, step=Step.DONE), *put)
        await self._ledger.expire()

    # ----------------------------------------------------------------- locks and mark

    @asynccontextmanager
    async def _closed(self) -> AsyncIterator[None]:
        """Nobody else changes the account's mail. The mark comes first, so that whoever is told
        to let go finds no way back in."""
        if self.record.step in (Step.COPYING, Step.MOVING):
            moving = replace(self.record, step=Step.MOVING)
            await self._write(moving, self._mark(moving, durable=False))
        name = f"user/{self.record.account}"
        wait_s = self._options.close_timeout_s
        try:
            async with await self._ports.session.acquire(name, Mode.EX, timeout_s=wait_s) as owner:
                deliveries = f"{name}/new"
                async with await self._ports.session.acquire(deliveries, Mode.EX, timeout_s=wait_s):
                    self._owner = owner
                    yield
        finally:
            self._owner = None
            if self._ledger.record is not None and self.record.step is Step.MOVING:
                with suppress(StorageError, MigrationRefused):  # it goes with our lease anyway
                    await self._ledger.write(self.record, self._ledger.unmarked)

    def _mark(self, record: Record, *, durable: bool) -> Put:
        session = self._ports.session
        value = mark(record, session.spec.holder, self._ports.now())
        return self._ledger.marked(value, 0 if durable else session.lease)

    async def _write(self, record: Record, *steps: Put | Delete | Check) -> None:
        self._check()
        await self._ledger.write(record, *steps)
        self._ports.observer.step(record)

    def _check(self) -> None:
        """Raises LeaseLost. From any thread."""
        self._turn.check()
        if self._owner is not None:
            self._owner.check()

    def _token(self) -> int:
        assert self._owner is not None
        self._owner.check()
        return self._owner.token

    # ----------------------------------------------------------------- copying, in a thread

    def _synchronise(self, paths: Paths, pace: Pace, *, afresh: bool) -> None:
        self._check()
        placing.begin_copy(paths)
        spec = CopySpec(
            source=paths.source.maildir,
            copy=paths.copy,
            gate=lambda: self._gate(paths),
            spend=self._spend(pace, counted=True),
            total=self._ports.observer.total,
            afresh=afresh,
        )
        synchronise(spec)

    @contextmanager
    def _gate(self, paths: Paths) -> Iterator[None]:
        self._check()
        with guard(paths.copy, self._turn.token, name=placing.COPY_FENCE):
            yield

    def _spend(self, pace: Pace, *, counted: bool) -> Callable[[int], None]:
        def spend(count: int) -> None:
            self._check()
            self._pace.check()
            pace.spend(count)
            if counted:
                self._ports.observer.moved(count)

        return spend
