"""A node's session: its one lease, kept alive, and the locks taken under it.

It owns the holder's side of the lease: when it may believe, when it must stop. A session that is
lost stays lost; `Node` opens the next one. It must not know which engine it works with.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self

from l7lb_storage.clock import BootClock, Clock
from l7lb_storage.engine import Engine
from l7lb_storage.errors import DeadlinePassed, LeaseLost, StorageError, Unavailable
from l7lb_storage.lease import Term
from l7lb_storage.limits import check_holder, check_key, check_ttl
from l7lb_storage.lock import Handler, Lock
from l7lb_storage.model import Claim, Grant, Notice
from l7lb_storage.modes import Mode

ACQUIRE_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """`holder` is the node's name, as others see it. etcd may make the TTL longer."""

    holder: str
    ttl_s: float = 15.0
    acquire_timeout_s: float = ACQUIRE_TIMEOUT_S


class Session:
    """Made by `open`. `valid` may be asked from any thread and asks nobody."""

    def __init__(self, engine: Engine, spec: SessionSpec, lease: int, term: Term) -> None:
        self.engine = engine
        self.spec = spec
        self.lease = lease
        self.lost = asyncio.Event()
        """Set when the lease is over, for whatever reason but `close`."""
        self.clock: Clock = BootClock()
        self._term = term
        self._over = False
        self._numbers = 0
        self._locks: dict[int, Lock] = {}
        self._scopes: set[asyncio.Timeout] = set()
        self._on_lost: list[Callable[[Session], None]] = []
        self._tasks: set[asyncio.Future[None]] = set()
        self._renewal: asyncio.Task[None] | None = None
        self._beat: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, engine: Engine, spec: SessionSpec, clock: Clock | None = None) -> Self:
        """On an engine that is open. Raises Unavailable, LimitExceeded."""
        check_ttl(spec.ttl_s)
        check_holder(spec.holder)
        clock = clock or BootClock()
        sent_s = clock.now()
        lease = await engine.open_lease(spec.ttl_s, spec.holder)
        session = cls(engine, spec, lease.id, Term(lease.ttl_s, sent_s, clock.now()))
        session.clock = clock
        session._beat = asyncio.get_running_loop().create_task(session._keep())
        return session

    @property
    def valid(self) -> bool:
        """The lease lives, the loop runs, and the last good renewal is fresh enough."""
        return not self._over and self._term.is_valid(self.clock.now())

    @property
    def term(self) -> Term:
        return self._term

    @property
    def locks(self) -> list[Lock]:
        return list(self._locks.values())

    def on_lost(self, callback: Callable[[Session], None]) -> None:
        """Called once, from the event loop, right after the session was lost; not by `close`."""
        self._on_lost.append(callback)
        if self.lost.is_set():
            callback(self)

    async def acquire(
        self,
        resource: str,
        mode: Mode,
        *,
        timeout_s: float | None = None,
        try_only: bool = False,
        on_blocking: Handler | None = None,
    ) -> Lock:
        """Wait for the lock in the order of arrival.

        Raises DeadlinePassed (also when the engine is away), NotGranted with `try_only`,
        LeaseLost when the session is lost meanwhile. Whatever it raises, and when it is
        cancelled, no entry stays in the queue.
        """
        check_key(resource)
        self._check()
        lock = Lock(self, self._claim(resource, mode), on_blocking)
        notice = None if on_blocking is None else lock.notice
        wait_s = self.spec.acquire_timeout_s if timeout_s is None else timeout_s
        lock.granted(await self._granted(lock.claim, wait_s, try_only, notice))
        self._locks[lock.claim.number] = lock
        return lock

    async def convert(self, claim: Claim, grant: Grant, mode: Mode) -> Grant:
        """For `Lock.convert`."""
        self._check()
        return await self.engine.convert(claim, grant, mode)

    def forget(self, lock: Lock) -> None:
        """For `Lock.release`."""
        self._locks.pop(lock.claim.number, None)

    def run(self, work: Awaitable[None]) -> None:
        """For handlers: a task that ends with the session at the latest."""
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Give everything back: locks are free and bound keys gone when it returns.

        When the engine is away they go with the lease, at most a TTL later.
        """
        was_over, self._over = self._over, True
        await self._stop()
        if not was_over:
            await self._close_lease()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    def _check(self) -> None:
        if self._over or self._term.is_over(self.clock.now()):
            raise LeaseLost("the session is over")

    def _claim(self, resource: str, mode: Mode) -> Claim:
        self._numbers += 1
        return Claim(self.lease, self._numbers, resource, mode, self.spec.holder, time.time())

    async def _granted(
        self,
        claim: Claim,
        wait_s: float,
        try_only: bool,
        notice: Callable[[Notice], None] | None,
    ) -> Grant:
        try:
            async with asyncio.timeout(wait_s) as scope:
                self._scopes.add(scope)
                try:
                    grant = await self.engine.acquire(claim, try_only=try_only, on_blocking=notice)
                finally:
                    self._scopes.discard(scope)
        except LeaseLost:
            self._lose()
            raise
        except TimeoutError as error:
            if self._over:
                raise LeaseLost("the session was lost while waiting") from error
            raise DeadlinePassed(f"{claim.resource!r} was not granted in time") from error
        if self._over or self._term.is_over(self.clock.now()):
            raise LeaseLost("the session was lost while waiting")
        return grant

    async def _keep(self) -> None:
        """The heart: looks at the clock, renews when due, and knows when it is over."""
        while True:
            await asyncio.sleep(self._term.beat_every_s)
            now_s = self.clock.now()
            self._term = self._term.beat(now_s)
            if self._term.is_over(now_s):
                self._lose()
                return
            if self._term.is_due(now_s) and self._renewal is None:
                self._renewal = asyncio.get_running_loop().create_task(self._renew())

    async def _renew(self) -> None:
        sent_s = self.clock.now()
        try:
            async with asyncio.timeout(max(self._term.deadline_s - sent_s, 0)):
                await self.engine.renew_lease(self.lease)
        except LeaseLost:
            self._lose()
        except (StorageError, TimeoutError):
            await asyncio.sleep(self._term.beat_every_s)
        else:
            self._term = self._term.renewed(sent_s)
        finally:
            self._renewal = None

    def _lose(self) -> None:
        if self._over:
            return
        self._over = True
        self.lost.set()
        now_s = asyncio.get_running_loop().time()
        for scope in self._scopes:
            if not scope.expired():
                scope.reschedule(now_s)
        self.run(self._close_lease())
        if self._beat is not None and self._beat is not asyncio.current_task():
            self._beat.cancel()
        for callback in self._on_lost:
            asyncio.get_running_loop().call_soon(callback, self)

    async def _close_lease(self) -> None:
        """Past our own deadline it only helps those who wait."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self.engine.close_lease(self.lease)
        except (Unavailable, TimeoutError):
            return

    async def _stop(self) -> None:
        own = asyncio.current_task()
        tasks = [task for task in (self._beat, self._renewal, *self._tasks) if task is not None]
        tasks = [task for task in tasks if task is not own]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
