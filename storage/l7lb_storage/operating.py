"""What the memory engine and lockd's client share: an engine made of operations on a machine.

A subclass brings an operation to the machine (`_ask`) and hands over what is told (`_hear`).
It must not know where the machine runs.
"""

from __future__ import annotations

import asyncio
import secrets
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import TypeVar

from l7lb_storage.chores import Chores
from l7lb_storage.engine import OnBlocking
from l7lb_storage.errors import LeaseLost, StorageError, Unavailable
from l7lb_storage.limits import WATCH_EVENTS
from l7lb_storage.machine import Answer
from l7lb_storage.model import (
    Claim,
    Grant,
    Item,
    Lease,
    LockView,
    Outcome,
    Page,
    Reset,
    Transaction,
    WatchEvent,
)
from l7lb_storage.modes import Mode
from l7lb_storage.operations import (
    Acquire,
    Blocking,
    CloseLease,
    Convert,
    Granted,
    LeaseGone,
    OpenLease,
    Operation,
    RaiseEpoch,
    ReadKey,
    ReadRange,
    Release,
    RenewLease,
    StartWatch,
    StopWatch,
    Told,
    Transact,
    ViewLocks,
    Watched,
    Withdraw,
)

PATIENCE_S = 1.0
"""How long a cancelled `acquire` waits for its entry to be gone before it lets go."""
T = TypeVar("T")


@dataclass(slots=True)
class Waiting:
    claim: Claim
    granted: asyncio.Future[Grant]
    queued: bool = False


class OperationWatch:
    """The watcher's end: a bounded buffer; who reads too slowly begins anew with a snapshot."""

    def __init__(
        self, engine: OperationEngine, number: int, prefix: str, after: int | None
    ) -> None:
        self.number = number
        self.prefix = prefix
        self.seen = after
        self._engine = engine
        self._events: deque[WatchEvent] = deque()
        self._filled = asyncio.Event()
        self._overflowed = False
        self._closed = False
        self._error: StorageError | None = None

    def __aiter__(self) -> OperationWatch:
        return self

    async def __anext__(self) -> WatchEvent:
        while not self._events:
            if self._closed:
                raise StopAsyncIteration
            if self._error is not None:
                raise self._error
            self._filled.clear()
            if self._overflowed:
                self.seen = None
                await self._engine.start_watch(self)
            if not self._events:
                await self._filled.wait()
        return self._events.popleft()

    def push(self, events: tuple[WatchEvent, ...]) -> None:
        """What the machine tells; after an overflow only a snapshot is of use."""
        for event in events:
            if isinstance(event, Reset):
                self._events.clear()
                self._overflowed = False
            elif self._overflowed:
                return
            self._events.append(event)
            self.seen = event.revision
        if len(self._events) > WATCH_EVENTS:
            self._events.clear()
            self._overflowed = True
        self._filled.set()

    def fail(self, error: StorageError) -> None:
        """It cannot go on; told after the events that came before."""
        self._error = error
        self._filled.set()

    async def close(self) -> None:
        """No more events; what was not read is dropped."""
        self._closed = True
        self._events.clear()
        self._filled.set()
        await self._engine.stop_watch(self)


class OperationEngine(ABC):
    """`retry_s` bounds how long clean-up is tried for a lease whose TTL is not known here."""

    name = "operations"

    def __init__(self) -> None:
        self._chores = Chores()
        self._ttl_s: dict[int, float] = {}
        self._waiting: dict[tuple[int, int], Waiting] = {}
        self._handlers: dict[tuple[int, int], OnBlocking] = {}
        self._watches: dict[int, OperationWatch] = {}
        self._watch_number = 0

    @abstractmethod
    async def _ask(self, operation: Operation) -> Answer:
        """Raises StorageError; ends by itself."""

    async def close(self) -> None:
        await self._chores.close()
        for waiting in self._waiting.values():
            if not waiting.granted.done():
                waiting.granted.set_exception(Unavailable("the engine was closed"))

    async def open_lease(self, ttl_s: float, holder: str, *, renewed: bool = True) -> Lease:
        operation = OpenLease(secrets.randbits(62) | 1, ttl_s, holder)
        lease = _is(Lease, await self._ask(operation))
        if renewed:
            self._ttl_s[lease.id] = lease.ttl_s
        return lease

    async def renew_lease(self, lease: int) -> None:
        await self._ask(RenewLease(lease))

    async def close_lease(self, lease: int) -> None:
        await self._ask(CloseLease(lease))
        self._lease_gone(lease)

    async def acquire(
        self, claim: Claim, *, try_only: bool = False, on_blocking: OnBlocking | None = None
    ) -> Grant:
        future: asyncio.Future[Grant] = asyncio.get_running_loop().create_future()
        self._waiting[claim.id] = Waiting(claim, future)
        if on_blocking is not None:
            self._handlers[claim.id] = on_blocking
        try:
            grant = await self._ask(Acquire(claim, try_only))
            if grant is not None:
                return _is(Grant, grant)
            self._queued(claim)
            return await future
        except BaseException as error:
            self._handlers.pop(claim.id, None)
            self._waiting.pop(claim.id, None)
            if not isinstance(error, StorageError) or isinstance(error, Unavailable):
                await self._settle(Withdraw(*claim.id), PATIENCE_S)
            raise
        finally:
            self._waiting.pop(claim.id, None)
            if future.done() and not future.cancelled():
                future.exception()

    async def convert(self, claim: Claim, grant: Grant, mode: Mode) -> Grant:
        return _is(Grant, await self._ask(Convert(*claim.id, grant.token, mode)))

    async def release(self, claim: Claim, grant: Grant) -> bool:
        self._handlers.pop(claim.id, None)
        operation = Release(*claim.id, grant.token)
        try:
            return _is(bool, await self._ask(operation))
        except (Unavailable, asyncio.CancelledError):
            await self._settle(operation, 0)
            raise

    async def locks(self, prefix: str = "", limit: int = 1000) -> list[LockView]:
        return _is(list, await self._ask(ViewLocks(prefix, limit)))

    async def get(self, key: str) -> Item | None:
        answer = await self._ask(ReadKey(key))
        return None if answer is None else _is(Item, answer)

    async def range(self, prefix: str, *, after: str = "", limit: int = 100) -> Page:
        return _is(Page, await self._ask(ReadRange(prefix, after, limit)))

    async def transact(self, transaction: Transaction) -> Outcome:
        return _is(Outcome, await self._ask(Transact(transaction)))

    async def watch(self, prefix: str, after: int | None = None) -> OperationWatch:
        self._watch_number += 1
        watch = OperationWatch(self, self._watch_number, prefix, after)
        self._watches[watch.number] = watch
        try:
            await self.start_watch(watch)
        except BaseException:
            del self._watches[watch.number]
            raise
        return watch

    async def start_watch(self, watch: OperationWatch) -> None:
        """What the watch has seen is counted from events only: they may come before the answer."""
        await self._ask(StartWatch(watch.number, watch.prefix, watch.seen))

    async def stop_watch(self, watch: OperationWatch) -> None:
        if self._watches.pop(watch.number, None) is not None:
            self._chores.start(lambda: self._ask(StopWatch(watch.number)), PATIENCE_S)

    async def epoch(self) -> int:
        return _is(int, await self._ask(RaiseEpoch(None)))

    async def raise_epoch(self, at_least: int = 0) -> int:
        return _is(int, await self._ask(RaiseEpoch(at_least)))

    def _hear(self, told: Told) -> None:
        """What the machine tells this engine."""
        match told:
            case Granted():
                self._grant(told)
            case Blocking():
                handler = self._handlers.get((told.lease, told.number))
                if handler is not None:
                    handler(told.notice)
            case LeaseGone():
                self._lease_gone(told.lease)
            case Watched():
                watch = self._watches.get(told.watch)
                if watch is not None:
                    watch.push(told.events)

    def _queued(self, claim: Claim) -> None:
        self._waiting[claim.id].queued = True

    def _grant(self, told: Granted) -> None:
        waiting = self._waiting.get((told.lease, told.number))
        if waiting is not None and not waiting.granted.done():
            waiting.granted.set_result(told.grant)

    def _lease_gone(self, lease: int) -> None:
        self._ttl_s.pop(lease, None)
        for name in [each for each in self._handlers if each[0] == lease]:
            del self._handlers[name]
        for waiting in self._waiting.values():
            if waiting.claim.lease == lease and not waiting.granted.done():
                waiting.granted.set_exception(LeaseLost("the lease ended while waiting"))

    async def _settle(self, operation: Withdraw | Release, patience_s: float) -> None:
        """Until the engine has heard it or the lease must be over."""
        retry_s = 2 * self._ttl_s.get(operation.lease, PATIENCE_S)
        await self._chores.settle(lambda: self._ask(operation), retry_s, patience_s)


def _is(kind: type[T], answer: object) -> T:
    """The answer, of the kind that the operation has."""
    assert isinstance(answer, kind), answer
    return answer
