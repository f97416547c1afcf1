"""What the servers can, asked of each now and then: what clients are told is what all of them can.

Owns the answers. It logs in nowhere.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping, Sequence

from l7lb.mail.asking import READ_BYTES, Asking, connected, context_of, name_of
from l7lb.mail.login.words import Dialect
from l7lb.pool.pool import Pool
from l7lb.pool.server import Server
from l7lb_protocols.login.events import BrokeProtocol, Event, Learnt, Send, StartTls, Unavailable
from l7lb_protocols.login.origin import Origin
from l7lb_protocols.login.server_side import ServerSettings, ServerSide


class Learning(Asking):
    def __init__(self, dialect: Dialect, pools: Mapping[str, Pool]) -> None:
        super().__init__(pools)
        self._dialect = dialect
        self._known: dict[tuple[str, str], tuple[bytes, ...]] = {}
        self.version = 0
        """Grows whenever an answer has changed."""

    def common(self, pools: Sequence[str]) -> tuple[bytes, ...]:
        """What all servers of these pools can; those that never answered do not count."""
        names = [(pool.name, server.name) for pool, server in self.servers(pools)]
        known = [self._known[name] for name in names if name in self._known]
        return self._dialect.common(known)

    async def learn(self, pool: Pool, server: Server) -> None:
        words = await self._answer(pool, server)
        key = (pool.name, server.name)
        if self._known.get(key) != words:
            self._known[key] = words
            self.version += 1

    async def _answer(self, pool: Pool, server: Server) -> tuple[bytes, ...]:
        """Raises OSError, ValueError."""
        reader, writer = await connected(pool, server, server.spec.port(self._dialect.name))
        try:
            tls = pool.spec.tls
            settings = ServerSettings(starttls=tls is not None and tls.starttls)
            dialogue = self._dialect.to_server(settings, None, Origin(), ())
            return await _talk(dialogue, reader, writer, context_of(pool), name_of(pool, server))
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
