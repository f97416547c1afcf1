"""One server process: store, directory, listeners; from start to SIGTERM.

It prints `ready imap=PORT pop3=PORT …` when it listens. Must not know any protocol's words.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from l7lb.directory.opened import open_directory
from l7lb.errors import L7lbError
from l7lb.mailserver import smtp_service
from l7lb.mailserver.connection import Connection
from l7lb.mailserver.delivery import Deliverer
from l7lb.mailserver.imap_session import ImapSession
from l7lb.mailserver.login import Door
from l7lb.mailserver.owners import Owners, OwnersSpec
from l7lb.mailserver.pop3_session import Pop3Session
from l7lb.mailserver.services import Services
from l7lb.mailserver.spec import PROTOCOLS, ServerSpec, read_spec
from l7lb.mailserver.work import Work
from l7lb.model_directory import StaticSpec
from l7lb_storage import Node, SessionSpec, StorageError
from l7lb_storage.engine import Engine
from l7lb_storage.etcd.engine import EtcdEngine
from l7lb_storage.etcd.gateway import EtcdSpec
from l7lb_storage.lockd.client import LockdEngine
from l7lb_storage.lockd.link import LockdAddress

LOG = logging.getLogger(__name__)
READY_S = 10.0
BUSY = {
    "imap": b"* BYE [LIMIT] Too many connections.\r\n",
    "pop3": b"-ERR [SYS/TEMP] Too many connections.\r\n",
}
SESSIONS: dict[str, type[ImapSession | Pop3Session]] = {
    "imap": ImapSession,
    "pop3": Pop3Session,
}
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def engine_of(store: str) -> Engine:
    """Raises ValueError."""
    if store.startswith(("http://", "https://")):
        return EtcdEngine(EtcdSpec(tuple(store.split(",")), "l7lb/"))
    kind, _, where = store.partition(":")
    if kind == "unix" and where:
        return LockdEngine(LockdAddress(unix=Path(where)))
    host, _, port = where.rpartition(":")
    if kind == "lockd" and host and port.isdigit():
        return LockdEngine(LockdAddress(host=host.strip("[]"), port=int(port)))
    raise ValueError(f"store {store!r} is none of unix:/PATH, lockd:HOST:PORT, http://HOST:PORT")


@asynccontextmanager
async def services_of(spec: ServerSpec) -> AsyncIterator[Services]:
    """Everything that sessions need. Raises StorageError, ConfigError, OSError, ValueError."""
    async with AsyncExitStack() as stack:
        engine = engine_of(spec.store)
        stack.push_async_callback(engine.close)
        await engine.open()
        directory = open_directory(StaticSpec(str(spec.accounts))).directory
        stack.push_async_callback(directory.close)
        work = Work()
        stack.callback(work.close)
        node = await stack.enter_async_context(Node(engine, SessionSpec(spec.name, spec.ttl_s)))
        await node.ready(READY_S)
        owners = Owners(node, work, OwnersSpec(spec.root, spec.grace_s, spec.fence_s, spec.idle_s))
        await stack.enter_async_context(owners)
        deliverer = Deliverer(node, work, spec.root)
        yield Services(spec, Door(directory, spec.master), owners, deliverer)


class Listeners:
    """The sockets of one process, and the sessions that came in by them."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.ports: dict[str, int] = {}
        self._servers: list[asyncio.Server] = []
        self._open: dict[str, set[Connection]] = {name: set() for name in SESSIONS}
        self._smtp: list[set[asyncio.BaseTransport]] = []

    async def start(self) -> None:
        """Raises OSError."""
        spec = self.services.spec
        for name in PROTOCOLS:
            if name in spec.ports:
                server = await self._listen(name, spec.host, spec.ports[name])
                self._servers.append(server)
                self.ports[name] = server.sockets[0].getsockname()[1]

    async def _listen(self, name: str, host: str, port: int) -> asyncio.Server:
        if name in SESSIONS:
            return await asyncio.start_server(self._serving(name), host, port)
        counted, make = smtp_service.factory(self.services, is_lmtp=name == "lmtp")
        self._smtp.append(counted.open)
        return await asyncio.get_running_loop().create_server(make, host, port)

    def _serving(self, name: str) -> Serve:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection, connections = Connection(reader, writer), self._open[name]
            if len(connections) >= self.services.spec.sessions:
                await connection.send(BUSY[name])
                await connection.close()
                return
            connections.add(connection)
            try:
                await SESSIONS[name](connection, self.services).run()
            finally:
                await connection.close()
                connections.discard(connection)

        return serve

    async def close(self) -> None:
        """No new connections. Those before login are cut; the owners say goodbye to the others."""
        for server in self._servers:
            server.close()
        for transports in self._smtp:
            for transport in list(transports):
                transport.close()
        for connection in [each for group in self._open.values() for each in group]:
            connection.evict("The server is going down.")


async def serve(spec: ServerSpec) -> None:
    """Until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with services_of(spec) as services:
        listeners = Listeners(services)
        try:
            await listeners.start()
            shown = " ".join(f"{name}={port}" for name, port in listeners.ports.items())
            sys.stdout.write(f"ready {shown}\n")
            sys.stdout.flush()
            await stop.wait()
        finally:
            await listeners.close()


def main(words: Sequence[str]) -> int:
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("mail.log").setLevel(logging.WARNING)  # aiosmtpd's, a line for each command
    try:
        asyncio.run(serve(read_spec(words)))
    except (L7lbError, StorageError, OSError, ValueError) as error:
        sys.stderr.write(f"mailserver: {error}\n")
        return 1
    return 0
