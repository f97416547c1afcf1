"""What the servers can, asked of each now and then: what clients are told is what all of them can.

Owns the answers and their renewal. It logs in nowhere. This is not on any client's way, so it uses
asyncio's streams.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Mapping, Sequence

from l7lb.mail.login.words import Dialect
from l7lb.net.certificates import client_context
from l7lb.net.upstream import at_port
from l7lb.pool.pool import Pool
from l7lb.pool.server import Server
from l7lb_protocols.login.events import BrokeProtocol, Event, Learnt, Send, StartTls, Unavailable
from l7lb_protocols.login.origin import Origin
from l7lb_protocols.login.server_side import ServerSettings, ServerSide
from l7lb_protocols.proxy_protocol import build_binary, build_text

EVERY_S = 60.0
ANSWER_S = 5.0
READ_BYTES = 16384
log = logging.getLogger("l7lb.mail")


class Learning:
    """`ask` once, or `run` for as long as there are services."""

    def __init__(self, dialect: Dialect, pools: Mapping[str, Pool]) -> None:
        self._dialect = dialect
        self._pools = pools
        self._wake = asyncio.Event()
        self._known: dict[tuple[str, str], tuple[bytes, ...]] = {}
        self.version = 0
        """Grows whenever an answer has changed."""
        self._wanted: tuple[str, ...] = ()

    def common(self, pools: Sequence[str]) -> tuple[bytes, ...]:
        """What all servers of these pools can; those that never answered do not count."""
        names = [(pool, server.name) for pool in pools for server in self._servers(pool)]
        known = [self._known[name] for name in names if name in self._known]
        return self._dialect.common(known)

    def _servers(self, pool: str) -> list[Server]:
        found = self._pools.get(pool)
        return [] if found is None else found.servers

    def want(self, pools: Sequence[str]) -> None:
        """The pools that services use now; they are asked at once."""
        self._wanted = tuple(pools)
        self._wake.set()

    async def run(self) -> None:
        """For ever: ask all, wait, ask again."""
        while True:
            self._wake.clear()
            await self.ask(self._wanted)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._wake.wait()

    async def ask(self, pools: Sequence[str]) -> None:
        """Every server of these pools, all at once."""
        asking = [
            self._ask(self._pools[pool], server) for pool in pools for server in self._servers(pool)
        ]
        await asyncio.gather(*asking)

    async def _ask(self, pool: Pool, server: Server) -> None:
        key = (pool.name, server.name)
        try:
            async with asyncio.timeout(ANSWER_S):
                words = await self._answer(pool, server)
        except (OSError, ValueError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            log.info("capabilities not learnt", extra={"server": server.name, "reason": reason})
            return
        if self._known.get(key) != words:
            self._known[key] = words
            self.version += 1

    async def _answer(self, pool: Pool, server: Server) -> tuple[bytes, ...]:
        """Raises OSError, ValueError."""
        reader, writer = await _connected(pool, server, self._dialect.name)
        try:
            tls = pool.spec.tls
            settings = ServerSettings(starttls=tls is not None and tls.starttls)
            dialogue = self._dialect.to_server(settings, None, Origin(), ())
            return await _talk(dialogue, reader, writer, _context(pool), _name(pool, server))
        finally:
            writer.close()


async def _talk(
    dialogue: ServerSide,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    context: ssl.SSLContext | None,
    name: str | None,
) -> tuple[bytes, ...]:
    while True:
        data = await reader.read(READ_BYTES)
        events: list[Event] = dialogue.receive(data) if data else dialogue.lost("closed")
        while events:
            event = events.pop(0)
            match event:
                case Send():
                    writer.write(event.data)
                case StartTls():
                    assert context is not None
                    await writer.start_tls(context, server_hostname=name)
                    events += dialogue.tls_started()
                case Learnt():
                    await writer.drain()
                    return event.capabilities
                case Unavailable() | BrokeProtocol():
                    raise ConnectionError(event.reason)


async def _connected(
    pool: Pool, server: Server, protocol: str
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if server.endpoint is None:
        raise ConnectionError("the name has no address yet")
    port = server.spec.port(protocol)
    _, address = at_port(server.endpoint, port) if port else server.endpoint
    tls = pool.spec.tls
    context = _context(pool) if tls is not None and not tls.starttls else None
    name = _name(pool, server) if context is not None else None
    if isinstance(address, str):
        return await asyncio.open_unix_connection(address, ssl=context, server_hostname=name)
    if pool.spec.send_proxy:
        return await _introduced(pool, address[:2], context, name)
    return await asyncio.open_connection(*address[:2], ssl=context, server_hostname=name)


async def _introduced(
    pool: Pool, target: tuple[str, int], context: ssl.SSLContext | None, name: str | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Behind a PROXY header, which comes before TLS."""
    reader, writer = await asyncio.open_connection(*target)
    source = writer.get_extra_info("sockname")[:2]
    build = build_text if pool.spec.send_proxy == 1 else build_binary
    writer.write(build(source, target))
    if context is not None:
        await writer.start_tls(context, server_hostname=name)
    return reader, writer


def _context(pool: Pool) -> ssl.SSLContext | None:
    return None if pool.spec.tls is None else client_context(pool.spec.tls)


def _name(pool: Pool, server: Server) -> str | None:
    tls = pool.spec.tls
    return None if tls is None else tls.server_name or server.spec.address.host
