"""Everything that one worker does on the data path: listeners, services, pools, connections.

The director's worker gives it specifications, sockets and updates; it gives back status and
events. Knows no file and no other process.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import cast

from l7lb.model import ClusterSpec, ListenSpec, LogFormat, PoolSpec, ServiceSpec
from l7lb.net.access_log import AccessLog
from l7lb.net.certificates import CertificateStore, reload_client_contexts
from l7lb.net.dial import IdleConnections
from l7lb.net.host import Booked, Connection, Dialer
from l7lb.net.listener import ACCEPT_BATCH, Listener
from l7lb.net.mirror import Mirror
from l7lb.net.parting import PARTING_S, Parting
from l7lb.net.plug import HTTP, Plug
from l7lb.net.poller import Poller
from l7lb.net.relay import PipePool
from l7lb.net.service import Service
from l7lb.net.stream import ByteStream
from l7lb.net.upstream import Upstream
from l7lb.pool.cells import CONNECT_FAILURES, CONNECTS
from l7lb.pool.environment import PoolEnvironment
from l7lb.pool.indices import Indices
from l7lb.pool.pool import Pool
from l7lb.pool.server import Server, ServerUpdate
from l7lb.pool.shared import SharedCounters
from l7lb.ports import SystemClock
from l7lb_protocols.http.forwarded import RequestIds

TICK_S = 0.1
SWEEP_EVERY = 5
"""Ticks between two looks at every connection's deadline."""
log = logging.getLogger("l7lb.net")
Report = Callable[[dict[str, object]], None]


@dataclass(frozen=True, slots=True)
class EngineEnvironment:
    """What the process gives its engine."""

    counters: SharedCounters
    report: Report
    """Takes an event for the supervisor."""
    secret: bytes = b""
    workers: int = 1
    plugs: Mapping[str, Plug] = field(default_factory=dict)
    """Protocols beside HTTP, by the name that services give."""


class Engine:
    """Lives in one event loop. `close()` it before the loop ends."""

    def __init__(self, loop: asyncio.AbstractEventLoop, env: EngineEnvironment) -> None:
        self.loop = loop
        self.env = env
        self.counters = env.counters
        self.poller = Poller(loop)
        self.pipes = PipePool()
        self.now = time.monotonic
        self.random = random.Random().random  # noqa: S311 - choices, not secrets
        self.services: dict[str, Service] = {}
        self.pools: dict[str, Pool] = {}
        self.drivers: dict[Connection, int] = {}
        """Every client connection, with the number of the service that it was counted for."""
        self.draining = False
        self._emptied = asyncio.Event()
        """Set when the last connection has left."""
        self.accept_batch = ACCEPT_BATCH if env.workers == 1 else 1
        """One at a time where several workers share the socket: else the first takes them all."""
        self._spec: ClusterSpec | None = None
        self._listeners: dict[tuple[str, int], Listener] = {}
        self._stores: dict[tuple[str, int], CertificateStore] = {}
        self._idle: dict[Server, IdleConnections] = {}
        self._pool_of: dict[Server, Pool] = {}
        self._logs: dict[str, AccessLog] = {}
        self._mirror = Mirror(self)
        self._partings: set[Parting] = set()
        self._ticks = 0
        self._request_ids = RequestIds(os.urandom(6).hex().encode())
        self._timer = loop.call_later(TICK_S, self._tick)

    # ------------------------------------------------------------------ configuration

    def apply(self, spec: ClusterSpec, indices: Indices) -> None:
        """Take a specification: first, and at every reload. What did not change keeps its state.

        Raises ValueError (a certificate cannot be read) or OSError (a log cannot be opened) before
        anything has changed.
        """
        stores = self._certificates(spec)
        reload_client_contexts(pool.tls for pool in spec.pools.values() if pool.tls is not None)
        new_logs = self._new_logs(spec)
        for name, pool_spec in spec.pools.items():
            numbers = {s.name: indices.servers[name, s.name] for s in pool_spec.servers}
            self._apply_pool(pool_spec, numbers)
        for name in set(self.pools) - set(spec.pools):
            self._retire(self.pools.pop(name).servers)
        self._apply_logs(spec, new_logs)
        self.services = {
            name: self._new_service(service, indices.services[name])
            for name, service in spec.services.items()
        }
        self._spec = spec
        self._stores = stores
        for connection in list(self.drivers):
            if connection.service.name not in self.services:
                connection.drain()
        for (name, position), listener in self._listeners.items():
            if name in spec.services and position < len(spec.services[name].listen):
                listen = spec.services[name].listen[position]
                listener.configure(spec.services[name], listen, stores.get((name, position)))

    def _new_service(self, spec: ServiceSpec, number: int) -> Service:
        access_log = self._logs.get(spec.name)
        plug = self.env.plugs.get(spec.protocol, HTTP)
        service = Service(spec, number, self.pools, access_log, self._request_ids, plug)
        old = self.services.get(spec.name)
        if old is not None:
            old.latest.become(service)
        return service

    def _certificates(self, spec: ClusterSpec) -> dict[tuple[str, int], CertificateStore]:
        return {
            (service.name, position): CertificateStore(tls)
            for service in spec.services.values()
            for position, listen in enumerate(service.listen)
            if (tls := listen.tls or listen.starttls) is not None
        }

    def _apply_pool(self, spec: PoolSpec, numbers: Mapping[str, int]) -> None:
        pool = self.pools.get(spec.name)
        if pool is None:
            env = PoolEnvironment(
                SystemClock(), self.counters, self.random, self.env.secret, self.env.workers
            )
            pool = Pool(spec, numbers, env)
            pool.on_outlier = lambda server, until: self._outlier(spec.name, server, until)
            self.pools[spec.name] = pool
        elif pool.spec != spec:
            self._retire(pool.reconfigure(spec, numbers))
        for server in pool.servers:
            self._pool_of[server] = pool
            if spec.reuse and not spec.send_proxy:
                idle = self._idle.setdefault(server, IdleConnections(spec.max_idle))
                idle.limit = spec.max_idle
                server.idle = idle
            elif server in self._idle:
                server.idle = None
                self._idle.pop(server).close()

    def _retire(self, servers: list[Server]) -> None:
        """Servers that left: idle connections go at once, open sessions end by themselves."""
        for server in servers:
            self._pool_of.pop(server, None)
            server.idle = None
            idle = self._idle.pop(server, None)
            if idle is not None:
                idle.close()

    def _new_logs(self, spec: ClusterSpec) -> dict[str, AccessLog]:
        """Logs that are not open yet. Raises OSError, with all of them closed again."""
        opened: dict[str, AccessLog] = {}
        with contextlib.ExitStack() as undo:
            for name, service in spec.services.items():
                old = self._logs.get(name)
                is_kept = old is not None and old.spec == service.access_log
                if not is_kept and service.access_log.format is not LogFormat.OFF:
                    opened[name] = AccessLog(service.access_log)
                    undo.callback(opened[name].close)
            undo.pop_all()
        return opened

    def _apply_logs(self, spec: ClusterSpec, opened: dict[str, AccessLog]) -> None:
        for name in list(self._logs):
            kept = spec.services.get(name)
            if kept is not None and kept.access_log == self._logs[name].spec:
                self._logs[name].reopen()
            else:
                self._logs.pop(name).close()
        self._logs.update(opened)

    def listen(self, service: str, position: int, sock: socket.socket) -> None:
        """Accept on this socket for `ServiceSpec.listen[position]`. The engine owns the socket."""
        self.unlisten(service, position)
        spec, listen = self._listen_spec(service, position)
        store = self._stores.get((service, position))
        listener = Listener(self, sock, spec, listen, store)
        self._listeners[service, position] = listener

    def unlisten(self, service: str, position: int) -> None:
        listener = self._listeners.pop((service, position), None)
        if listener is not None:
            listener.close()

    def _listen_spec(self, service: str, position: int) -> tuple[ServiceSpec, ListenSpec]:
        assert self._spec is not None
        spec = self._spec.services[service]
        return spec, spec.listen[position]

    def update(self, pool: str, update: ServerUpdate) -> None:
        """Health, administration or address of one server has changed."""
        if pool in self.pools:
            self.pools[pool].apply(update)

    def reopen_logs(self) -> None:
        for access_log in self._logs.values():
            access_log.reopen()

    # ------------------------------------------------------------------ for drivers

    def dial(self, pool: Pool, server: Server, dialer: Dialer, port: int = 0) -> Upstream:
        """Open a connection; answers by `dialer.dialed`. The dialer holds the deadline.
        `port`: instead of the address's; 0: that one."""
        self.counters.count(server.index, CONNECTS)
        return Upstream(self.poller, pool.spec, server, dialer, port)

    def note_failure(self, server: Server, error: OSError | None) -> None:
        """A connect failed: counted and, at information level, logged."""
        self.counters.count(server.index, CONNECT_FAILURES)
        log.info("connect failed", extra={"server": server.name, "reason": str(error)})

    def mirror(self, pool: Pool, head: bytes, body: bytes) -> None:
        self._mirror.send(pool, head, body)

    def part(self, stream: ByteStream, ended: Callable[[], None]) -> None:
        """Keep a server connection until the server has ended it too, then say so."""

        def over(parting: Parting) -> None:
            self._partings.discard(parting)
            ended()

        self._partings.add(Parting(stream, self.now() + PARTING_S, over))

    def opened(self, connection: Connection) -> None:
        number = self.drivers[connection] = connection.service.number
        self.counters.opened(number)

    def replaced(self, connection: Connection, successor: Connection) -> None:
        """The same client in other hands."""
        self.drivers[successor] = self.drivers.pop(connection)

    def closed(self, connection: Booked) -> None:
        number = self.drivers.pop(cast("Connection", connection), None)
        if number is not None:
            self.counters.closed(number)
            if not self.drivers:
                self._emptied.set()

    def _outlier(self, pool: str, server: Server, until: float) -> None:
        self.env.report(
            {"event": "ejected", "pool": pool, "server": server.name, "for_s": until - self.now()}
        )

    # ------------------------------------------------------------------ time

    def _tick(self) -> None:
        self._timer = self.loop.call_later(TICK_S, self._tick)
        now = self.poller.now_s = time.monotonic()
        self.poller.wall_offset_s = time.time() - now
        for pool in self.pools.values():
            pool.tick()
        for access_log in self._logs.values():
            access_log.tick()
        self._ticks += 1
        if self._ticks % SWEEP_EVERY == 0:
            for driver in list(self.drivers):
                driver.tick(now)
            for parting in list(self._partings):
                parting.tick(now)
            for idle in self._idle.values():
                idle.sweep(now)
            self._mirror.sweep(now)

    # ------------------------------------------------------------------ the end

    async def drain(self, deadline_s: float) -> int:
        """Accept no more, let sessions end. Returns how many had to be cut."""
        self.draining = True
        for key in list(self._listeners):
            self.unlisten(*key)
        for driver in list(self.drivers):
            driver.drain()
        self._emptied.clear()
        if self.drivers:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), deadline_s)
        left = len(self.drivers)
        for driver in list(self.drivers):
            driver.abort()
        return left

    def close(self) -> None:
        """Cut everything at once."""
        self._timer.cancel()
        for key in list(self._listeners):
            self.unlisten(*key)
        for driver in list(self.drivers):
            driver.abort()
        self._mirror.close()
        for parting in self._partings:
            parting.close()
        for idle in self._idle.values():
            idle.close()
        for access_log in self._logs.values():
            access_log.close()
        self.pipes.close()
        self.poller.close()

    def status(self) -> dict[str, object]:
        """JSON: what this worker knows now."""
        return {
            "connections": len(self.drivers),
            "draining": self.draining,
            "services": {
                name: {
                    "connections": sum(d.service.name == name for d in self.drivers),
                    "log_lines_dropped": self._logs[name].dropped if name in self._logs else 0,
                }
                for name in self.services
            },
            "pools": {name: pool.view() for name, pool in self.pools.items()},
            "idle": {
                self._pool_of[server].spec.name + "/" + server.name: len(idle)
                for server, idle in self._idle.items()
            },
        }
