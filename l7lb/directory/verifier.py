"""Passwords against remembered answers: the order in which a check is made, for any directory.

Owns: when a hash is compared, when the directory is asked to bind, and when a wrong password is
reason to look the account up again. Must not know: how either is done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from l7lb.accounts import PASSWORD_LIMIT_BYTES, Account, Outcome, Status, Verdict
from l7lb.directory import hashes
from l7lb.directory.cache import Cache, Entry
from l7lb.directory.threads import Threads
from l7lb.model_directory import PasswordCheck

DOUBT_AFTER_S = 1.0
"""An answer as young as this is not doubted."""

Bind = Callable[[Account, bytes], Awaitable[bool]]
Look = Callable[[bool], Awaitable[Entry]]
"""The account's entry; True: a fresh one."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """`bind` is None where there is nothing to bind to."""

    cache: Cache
    threads: Threads
    check: PasswordCheck
    deadline_s: float
    bind: Bind | None = None

    async def verify(self, look: Look, password: bytes) -> Verdict:
        """Raises DirectoryAway. An empty password is wrong: a bind with it would be anonymous
        and succeed (RFC 4513 §5.1.2)."""
        entry = await look(False)
        if entry.account is None:
            return Verdict(Outcome.UNKNOWN)
        if not 0 < len(password) <= PASSWORD_LIMIT_BYTES:
            return Verdict(Outcome.WRONG, entry.account)
        if self.cache.is_proven(entry, password) or await self._fits(entry, password):
            return _judged(entry.account)
        return await self._doubted(entry, look, password)

    async def _doubted(self, entry: Entry, look: Look, password: bytes) -> Verdict:
        """Perhaps the password was changed since: one fresh look-up, not one for each guess."""
        assert entry.account is not None
        if entry.is_doubted or self.cache.age_s(entry) < DOUBT_AFTER_S:
            return Verdict(Outcome.WRONG, entry.account)
        before = entry.account
        entry.is_doubted = True
        entry = await look(True)
        if entry.account is None:
            return Verdict(Outcome.UNKNOWN)
        entry.is_doubted = True
        if entry.account != before and await self._fits(entry, password):
            return _judged(entry.account)
        return Verdict(Outcome.WRONG, entry.account)

    async def _fits(self, entry: Entry, password: bytes) -> bool:
        account = entry.account
        assert account is not None
        if self._compares(account):
            stored = account.passwords
            call = lambda: hashes.is_any(stored, password)  # noqa: E731 - runs in a thread
            fits = await self.threads.run(call, self.deadline_s)
        else:
            fits = self.bind is not None and await self.bind(account, password)
        if fits:
            self.cache.prove(entry, password)
        return fits

    def _compares(self, account: Account) -> bool:
        if self.check is PasswordCheck.AUTO:
            return any(map(hashes.is_known, account.passwords))
        return self.check is PasswordCheck.COMPARE


def _judged(account: Account) -> Verdict:
    """For a right password."""
    disabled = account.status is Status.DISABLED
    return Verdict(Outcome.DISABLED if disabled else Outcome.OK, account)
