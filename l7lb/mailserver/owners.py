"""Which accounts this process owns: cluster locks, the sessions below them, and their end.

The lock is `user/ACCOUNT`, mode EX. It is taken when the first session of an account comes, and
kept until another node asks for it or nobody has used it for a while. Asked for it, the owner lets
each session finish the command in hand, says goodbye to it, and releases. When the lease is over
the sessions end as well, and what they still try to write is refused here; what this process
cannot know any more is refused by the fence on the storage. Must not know protocols.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol, Self, TypeVar

from l7lb.errors import MailboxAway
from l7lb.mailserver.home import Home
from l7lb.mailserver.work import Work
from l7lb_storage import Lock, Mode, Node, Notice, Session, StaleToken, StorageError, guard

T = TypeVar("T")
LOG = logging.getLogger(__name__)
ACQUIRE_S = 20.0
"""Longer than a lease lasts: what a dead server had can be had after that."""
DOUBT_S = 3.0
"""A process that was paused is sure again after one renewal; a change waits so long for it."""
POLL_S = 0.02
MOVED = "The mailbox moves to another server, log in again."
STALE = "A newer owner has the mailbox, nothing was changed."
LOST = "This server may not serve the mailbox now, log in again."


class Guest(Protocol):
    """A session of an account. Both may be called more than once."""

    def evict(self, reason: str) -> None:
        """End after the command in hand, with these words."""

    def abort(self) -> None:
        """End now."""


@dataclass(frozen=True, slots=True)
class OwnersSpec:
    """Seconds. `grace_s`: how long sessions have to end before they are cut; `fence_s`: how long
    a change waits for another writer in the fence."""

    root: Path
    grace_s: float = 5.0
    fence_s: float = 10.0
    idle_s: float = 900.0

    @property
    def acquire_s(self) -> float:
        """How long a login waits for the account."""
        return self.grace_s + ACQUIRE_S


class _Stale(Exception):  # never leaves this file
    """A newer owner has been here. Nothing was changed."""


class _Doubted(Exception):  # never leaves this file
    """The lock may not be ours any more. Nothing was changed."""


class Hold:
    """One account while this process owns it. Its files are used by one call at a time."""

    def __init__(
        self, home: Home, lock: Lock, work: Work, fence_s: float, on_stale: Callable[[Hold], None]
    ) -> None:
        self.account = home.account
        self.home = home
        self.lock = lock
        self.guests: set[Guest] = set()
        self.used_s = time.monotonic()
        self.is_leaving = False
        self.emptied = asyncio.Event()
        self.released = asyncio.Event()
        self._work = work
        self._fence_s = fence_s
        self._on_stale = on_stale
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[object]] = set()

    async def read(self, call: Callable[[], T]) -> T:
        """For what changes nothing on the disk. Raises MailboxError."""
        return await self._shielded(call)

    async def change(self, call: Callable[[], T]) -> T:
        """For what changes the mailbox: `call` runs inside the fence, with the lock's token.

        Raises MailboxAway when this process is not the owner any more; nothing was changed then.
        """
        end_s = time.monotonic() + DOUBT_S
        while time.monotonic() < end_s and not self.is_over:
            if not self.lock.valid:
                await asyncio.sleep(POLL_S)
                continue
            try:
                return await self._shielded(partial(self._fenced, call))
            except _Doubted:
                continue
            except _Stale:
                self._on_stale(self)
                raise MailboxAway(STALE) from None
        raise MailboxAway(LOST)

    @property
    def is_over(self) -> bool:
        """The lock was given back, or went with the lease."""
        session = self.lock.session
        assert isinstance(session, Session)
        return self.lock.grant is None or session.lost.is_set()

    def _fenced(self, call: Callable[[], T]) -> T:
        """In a thread."""
        try:
            with guard(self.home.path, self.lock.token, timeout_s=self._fence_s):
                if not self.lock.valid:
                    raise _Doubted
                return call()
        except StaleToken as error:
            LOG.warning("%s: refused by the fence: %s", self.account, error)
            raise _Stale from None
        except StorageError as error:
            raise MailboxAway(f"The mailbox cannot be changed now: {error}") from None

    async def _shielded(self, call: Callable[[], T]) -> T:
        """A call that has begun keeps its turn until it ends, whoever gives up waiting."""
        task = asyncio.get_running_loop().create_task(self._in_turn(call))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[T]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()

    async def _in_turn(self, call: Callable[[], T]) -> T:
        async with self._turn:
            self.used_s = time.monotonic()
            try:
                return await self._work.run(call)
            except OSError as error:
                LOG.warning("%s: %s", self.account, error)
                raise MailboxAway(f"The storage failed: {error.strerror}") from None

    async def settle(self) -> None:
        """Until every call that has begun is over."""
        if self._tasks:
            await asyncio.wait(list(self._tasks))


class Owners:
    """An asynchronous context manager."""

    def __init__(self, node: Node, work: Work, spec: OwnersSpec) -> None:
        self.spec = spec
        self._node = node
        self._work = work
        self._holds: dict[str, Hold] = {}
        self._opening: dict[str, asyncio.Task[Hold]] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        node.on_session(lambda session: session.on_lost(self._lost))

    @property
    def accounts(self) -> list[str]:
        """Owned now."""
        return list(self._holds)

    async def enter(self, account: str, guest: Guest) -> Hold:
        """Own the account, waiting for whoever has it. Raises MailboxAway."""
        try:
            async with asyncio.timeout(2 * self.spec.acquire_s):
                while True:
                    hold = self._holds.get(account) or await self._opened(account)
                    if not hold.is_leaving:
                        hold.guests.add(guest)
                        return hold
                    await hold.released.wait()
        except (StorageError, OSError, TimeoutError) as error:
            LOG.warning("%s: not owned: %s", account, error or "time is up")
            raise MailboxAway("The mailbox is not to be had now, try again later.") from None

    async def take_maildrop(self, account: str) -> Lock:
        """For a POP3 session (RFC 1939 §3), before it enters: who is second disturbs nobody.

        Raises NotGranted, StorageError.
        """
        session = await self._node.ready(self.spec.acquire_s)
        return await session.acquire(f"user/{account}/pop3", Mode.EX, try_only=True)

    def leave(self, hold: Hold, guest: Guest) -> None:
        """The session is over; the account stays ours."""
        hold.guests.discard(guest)
        if not hold.guests:
            hold.emptied.set()
        hold.used_s = time.monotonic()

    async def _opened(self, account: str) -> Hold:
        """All who come meanwhile wait for one attempt, which none of them can cancel."""
        task = self._opening.get(account)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._open(account))
            self._opening[account] = task
            task.add_done_callback(partial(self._has_opened, account))
        return await asyncio.shield(task)

    def _has_opened(self, account: str, task: asyncio.Task[Hold]) -> None:
        del self._opening[account]
        if not task.cancelled():
            task.exception()

    async def _open(self, account: str) -> Hold:
        home = Home(self.spec.root, account)
        await self._work.run(home.make)
        session = await self._node.ready(self.spec.acquire_s)
        lock = await session.acquire(
            f"user/{account}",
            Mode.EX,
            timeout_s=self.spec.acquire_s,
            on_blocking=lambda lock, notice: self._asked(account, lock, notice),
        )
        # No await between the grant and this: a notice that came with the grant is told next.
        hold = Hold(home, lock, self._work, self.spec.fence_s, self._stale)
        self._holds[account] = hold
        return hold

    async def _asked(self, account: str, lock: Lock, notice: Notice) -> None:
        hold = self._holds.get(account)
        if hold is not None and hold.lock is lock and not hold.is_leaving:
            LOG.info("%s: %s asks for it", account, notice.holder)
            await self._let_go(hold, MOVED)

    async def _let_go(self, hold: Hold, reason: str) -> None:
        hold.is_leaving = True
        try:
            await self._empty(hold, reason)
            await hold.lock.release()
        except StorageError as error:
            LOG.info("%s: release: %s", hold.account, error)
        finally:
            self._forget(hold)

    async def _empty(self, hold: Hold, reason: str) -> None:
        for guest in list(hold.guests):
            guest.evict(reason)
        if hold.guests:
            hold.emptied.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.spec.grace_s):
                    await hold.emptied.wait()
        _cut(hold)
        await hold.settle()

    def _forget(self, hold: Hold) -> None:
        if self._holds.get(hold.account) is hold:
            del self._holds[hold.account]
        hold.released.set()

    def _stale(self, hold: Hold) -> None:
        """The storage knows better than our lease: this process is not the owner."""
        if not hold.is_leaving:
            hold.is_leaving = True
            task = asyncio.get_running_loop().create_task(self._let_go(hold, LOST))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _lost(self, session: Session) -> None:
        """The lease is over: no lock is ours any more, and nobody is asked."""
        for hold in [each for each in self._holds.values() if each.lock.session is session]:
            LOG.warning("%s: the lease is over", hold.account)
            hold.is_leaving = True
            for guest in list(hold.guests):
                guest.evict(LOST)
            asyncio.get_running_loop().call_later(self.spec.grace_s, _cut, hold)
            self._forget(hold)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(self.spec.idle_s / 4)
            oldest_s = time.monotonic() - self.spec.idle_s
            for hold in list(self._holds.values()):
                if not hold.guests and not hold.is_leaving and hold.used_s < oldest_s:
                    await self._let_go(hold, MOVED)

    async def __aenter__(self) -> Self:
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep())
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Gives every account back."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        reason = "The server is going down."
        await asyncio.gather(*(self._let_go(each, reason) for each in self._holds.values()))
        await asyncio.gather(*self._tasks)


def _cut(hold: Hold) -> None:
    for guest in list(hold.guests):
        guest.abort()
