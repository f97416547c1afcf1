"""The lockd server: the machine behind a socket, its changes on disk before anybody hears of them.

It owns which connection hears for which lease, and the server's own clock. Restarted, it goes on
where it was: tokens, keys, queues; and each lease has a full TTL again, which is longer than any
holder still believes in it. A server that stood still blames nobody: leases live so much longer.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from l7lb_storage.clock import BootClock, Clock
from l7lb_storage.errors import AuthenticationFailed, ProtocolViolation, StorageError
from l7lb_storage.lockd import wire
from l7lb_storage.lockd.auth import SECRET_BYTES_MIN
from l7lb_storage.lockd.connection import Connection
from l7lb_storage.lockd.disk import steps
from l7lb_storage.lockd.journal import Journal, Send
from l7lb_storage.machine import Machine
from l7lb_storage.operations import LeaseGone, OpenLease, RenewLease, Told, Watched

log = logging.getLogger(__name__)
LOOK_EVERY_S = 0.2
LAG_S = 1.0
"""The server stood still if it did not look at the clock for so long."""
CLOSE_S = 2.0
"""Connections that were cut end within this time."""
CONNECTIONS = 4096
FILE = "lockd.sqlite"


@dataclass(frozen=True, slots=True)
class LockdSpec:
    """A unix socket (mode 0600), a TCP socket, or both. TCP wants a secret; beyond loopback TLS."""

    data: Path
    unix: Path | None = None
    host: str | None = None
    port: int = 0
    secret: bytes = b""
    tls: ssl.SSLContext | None = None

    def check(self) -> None:
        """Raises StorageError."""
        if self.unix is None and self.host is None:
            raise StorageError("lockd needs a unix socket or an address to listen on")
        if (self.host is not None or self.secret) and len(self.secret) < SECRET_BYTES_MIN:
            raise StorageError(f"lockd's secret has at least {SECRET_BYTES_MIN} bytes")


class Lockd:
    """`start`, then `serve` until it is cancelled or the disk fails, then `close`."""

    def __init__(self, spec: LockdSpec, clock: Clock | None = None) -> None:
        spec.check()
        self._spec = spec
        self._clock = clock or BootClock()
        self._looked_s = self._clock.now()
        self._machine = Machine()
        self._journal = Journal(spec.data / FILE)
        self._servers: list[asyncio.Server] = []
        self._connections: dict[int, Connection] = {}
        self._clients: dict[str, Connection] = {}
        self._owner_of: dict[int, Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._next_origin = 1

    @property
    def port(self) -> int:
        """Of the TCP socket, when it was left to the kernel."""
        for server in self._servers:
            for listening in server.sockets:
                if isinstance(name := listening.getsockname(), tuple):
                    return int(name[1])
        raise StorageError("lockd does not listen on TCP")

    async def start(self) -> None:
        """Reads the disk and listens. Raises StorageError, OSError."""
        self._spec.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = await self._journal.open()
        self._looked_s = self._clock.now()
        self._machine.restore(kept, self._looked_s)
        if self._spec.unix is not None:
            self._servers.append(await self._listen_unix(self._spec.unix))
        if self._spec.host is not None:
            self._servers.append(
                await asyncio.start_server(
                    self._meet, self._spec.host, self._spec.port, ssl=self._spec.tls
                )
            )

    async def serve(self) -> None:
        """Raises StorageError when the disk refuses: then stop, and start anew."""
        while not self._journal.failed.done():
            self._now()
            self._machine.expire(self._looked_s)
            self._pass_on([])
            await asyncio.wait({self._journal.failed}, timeout=LOOK_EVERY_S)
        raise self._journal.failed.result()

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        for connection in self._connections.values():
            connection.cut()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_S)
        for server in self._servers:
            await server.wait_closed()
        if self._spec.unix is not None:
            self._spec.unix.unlink(missing_ok=True)
        await self._journal.close()

    async def _listen_unix(self, path: Path) -> asyncio.Server:
        """A socket that a killed server left is replaced: the disk's lock says that it is dead."""
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - once, at the start
        before = os.umask(0o177)
        try:
            return await asyncio.start_unix_server(self._meet, path)
        finally:
            os.umask(before)

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = Connection(self._next_origin, reader, writer)
        self._next_origin += 1
        try:
            if len(self._connections) >= CONNECTIONS:
                connection.cut()
                return
            self._connections[connection.origin] = connection
            await connection.greet(self._spec.secret)
            self._replace(connection)
            await connection.serve(self._handle, self._journal.calm)
        except (AuthenticationFailed, ProtocolViolation, TimeoutError) as error:
            log.warning("lockd: a client was refused: %s", error)
        except OSError as error:
            log.debug("lockd: a client is gone: %s", error)
        finally:
            await self._part(connection)
            self._tasks.discard(task)

    def _replace(self, connection: Connection) -> None:
        """A client that comes back: what is still on its way on the old connection is void."""
        old = self._clients.get(connection.client)
        if old is not None:
            old.cut()
        self._clients[connection.client] = connection

    async def _part(self, connection: Connection) -> None:
        self._connections.pop(connection.origin, None)
        if self._clients.get(connection.client) is connection:
            del self._clients[connection.client]
        self._machine.forget_origin(connection.origin)
        for lease in [each for each, owner in self._owner_of.items() if owner is connection]:
            del self._owner_of[lease]
        await connection.close()

    def _handle(self, connection: Connection, request: wire.Request) -> None:
        operation = request.operation
        if isinstance(operation, OpenLease | RenewLease):
            self._owner_of[operation.lease] = connection
        try:
            answer = self._machine.apply(operation, self._now(), connection.origin)
        except StorageError as error:
            reply = wire.reply(request.id, error)
        else:
            reply = wire.reply(request.id, answer)
        self._pass_on([partial(connection.send, reply)])

    def _pass_on(self, sends: list[Send]) -> None:
        """What the machine changed and tells, behind the answer that it belongs to."""
        machine = self._machine
        told, machine.told = machine.told, []
        records, machine.records = machine.records, []
        for news in told:
            connection = self._addressee(news)
            if connection is not None:
                sends += [partial(connection.send, part) for part in wire.news(news)]
        if sends or records:
            batch = [steps(record) for record in records]
            self._journal.add(batch, sends, machine.epoch, machine.revision)

    def _addressee(self, news: Told) -> Connection | None:
        if isinstance(news, Watched):
            return self._connections.get(news.origin)
        if isinstance(news, LeaseGone):
            return self._owner_of.pop(news.lease, None)
        return self._owner_of.get(news.lease)

    def _now(self) -> float:
        now_s = self._clock.now()
        if now_s - self._looked_s > LAG_S:
            log.warning("lockd: stood still for %.1f s", now_s - self._looked_s)
            self._machine.grant_grace(now_s - self._looked_s)
        self._looked_s = now_s
        return now_s


async def run(spec: LockdSpec, ready: asyncio.Event | None = None) -> None:
    """Serve until cancelled; for a supervisor. Raises StorageError, OSError."""
    lockd = Lockd(spec)
    try:
        await lockd.start()
        if ready is not None:
            ready.set()
        await lockd.serve()
    finally:
        await lockd.close()
