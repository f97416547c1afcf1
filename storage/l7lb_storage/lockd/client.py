"""The engine that asks a lockd server.

It owns the connection's next life: it connects again, tells the server which leases it keeps,
takes its places in the queues again and goes on with its watches. Requests whose repetition
changes nothing are repeated on the new connection; others are InDoubt.
"""

from __future__ import annotations

import asyncio
import secrets

from l7lb_storage.errors import InDoubt, LeaseLost, LimitExceeded, StorageError, Unavailable
from l7lb_storage.lockd.auth import NONCE_BYTES
from l7lb_storage.lockd.link import Link, LinkLost, LockdAddress
from l7lb_storage.machine import Answer
from l7lb_storage.model import Grant
from l7lb_storage.operating import OperationEngine, OperationWatch, Waiting
from l7lb_storage.operations import (
    Acquire,
    Operation,
    RaiseEpoch,
    Remind,
    RenewLease,
    StartWatch,
    Transact,
)

REQUEST_TIMEOUT_S = 5.0
PAUSE_MIN_S = 0.02
PAUSE_MAX_S = 1.0


class LockdEngine(OperationEngine):
    name = "lockd"

    def __init__(self, address: LockdAddress, request_timeout_s: float = REQUEST_TIMEOUT_S) -> None:
        super().__init__()
        self._address = address
        self._timeout_s = request_timeout_s
        self._client = secrets.token_hex(NONCE_BYTES)
        self._link: Link | None = None
        self._linked = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        link = await Link.connect(self._address, self._client)
        self._task = asyncio.get_running_loop().create_task(self._live(link))
        await self._linked.wait()

    async def close(self) -> None:
        await super().close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._linked.set()  # whoever waits for a connection sees that there will be none

    async def _ask(self, operation: Operation) -> Answer:
        """An `Acquire` is repeated until its caller gives up."""
        limit_s = None if isinstance(operation, Acquire) else self._timeout_s
        sent = False
        try:
            async with asyncio.timeout(limit_s):
                while True:
                    link = await self._next_link()
                    try:
                        sent = True
                        return await link.request(operation)
                    except LinkLost as error:
                        self._unlink(link)
                        if not _is_repeatable(operation):
                            raise InDoubt("the connection to lockd broke") from error
        except TimeoutError as error:
            if sent:
                raise InDoubt("lockd does not answer") from error
            raise Unavailable("lockd cannot be reached") from error

    async def _next_link(self) -> Link:
        """The one that is up, or the next one. Raises Unavailable when there will be none."""
        while self._task is not None and not self._task.done():
            await self._linked.wait()
            link = self._link
            if link is not None and not link.is_over:
                return link
            if link is not None:
                self._unlink(link)
        raise Unavailable("the engine is not open")

    def _unlink(self, link: Link) -> None:
        """Nobody uses it any more."""
        if self._link is link:
            self._link = None
            self._linked.clear()

    async def _live(self, first: Link) -> None:
        link: Link | None = first
        while True:
            if link is None:
                link = await self._connect()
            reading = asyncio.get_running_loop().create_task(link.read(self._hear))
            try:
                if await self._resume(link):
                    self._link = link
                    self._linked.set()
                    await reading
            finally:
                self._unlink(link)
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                await link.close()
            link = None

    async def _connect(self) -> Link:
        pause_s = PAUSE_MIN_S
        while True:
            try:
                return await Link.connect(self._address, self._client)
            except StorageError:
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_MAX_S)

    async def _resume(self, link: Link) -> bool:
        """On a new connection, before anybody else uses it; False: it is over already."""
        try:
            async with asyncio.timeout(self._timeout_s):
                for lease in list(self._ttl_s):
                    await self._attach(link, lease)
                for name in list(self._handlers):
                    await link.request(Remind(*name))
                for watch in list(self._watches.values()):
                    await self._resume_watch(link, watch)
        except (LinkLost, TimeoutError, StorageError):
            return False
        return True

    async def _resume_watch(self, link: Link, watch: OperationWatch) -> None:
        """One that cannot go on ends alone."""
        try:
            await link.request(StartWatch(watch.number, watch.prefix, watch.seen))
        except StorageError as error:
            watch.fail(error)

    async def _attach(self, link: Link, lease: int) -> None:
        """The server sends what concerns the lease here; waiters take their places again."""
        try:
            await link.request(RenewLease(lease))
            for waiting in list(self._waiting.values()):
                if waiting.queued and waiting.claim.lease == lease:
                    await self._queue_again(link, waiting)
        except LeaseLost:
            self._lease_gone(lease)

    async def _queue_again(self, link: Link, waiting: Waiting) -> None:
        """Its place is kept, unless the server's data was replaced."""
        try:
            grant = await link.request(Acquire(waiting.claim, try_only=False))
        except LimitExceeded as error:
            if not waiting.granted.done():
                waiting.granted.set_exception(error)
            return
        if isinstance(grant, Grant) and not waiting.granted.done():
            waiting.granted.set_result(grant)


def _is_repeatable(operation: Operation) -> bool:
    if isinstance(operation, RaiseEpoch):
        return operation.at_least is None
    return not isinstance(operation, Transact)
