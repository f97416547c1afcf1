"""What servers of SMTP and LMTP can, asked of each before the first message and now and then after.

It begins as a delivery does, with TLS and login as the pool says, and leaves by QUIT. Must not know
who uses the answers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from l7lb.mail.asking import READ_BYTES, Asking, connected, context_of, name_of
from l7lb.mail.smtp.entrance import own_login
from l7lb.pool.pool import Pool
from l7lb.pool.server import Server
from l7lb_protocols.smtp.client_events import ClientEvent, ServerClosed, ServerReady, StartTls
from l7lb_protocols.smtp.client_session import ClientSession, ClientSettings, Tls
from l7lb_protocols.smtp.extensions import Extensions

Learnt = Callable[[Pool, Server, Extensions], None]


class SmtpLearning(Asking):
    """`name`: ours, for EHLO. `learnt` is told of each answer."""

    def __init__(self, pools: Mapping[str, Pool], name: bytes, learnt: Learnt) -> None:
        super().__init__(pools)
        self._name = name
        self._learnt = learnt

    async def learn(self, pool: Pool, server: Server) -> None:
        spec = server.spec
        lmtp = spec.port("lmtp")
        reader, writer = await connected(pool, server, lmtp or spec.port("smtp"))
        try:
            tls = pool.spec.tls
            wanted = pool.spec.smtp_login
            settings = ClientSettings(
                self._name,
                lmtp=bool(lmtp),
                tls=Tls.MUST if tls is not None and tls.starttls else Tls.NEVER,
                login=own_login(wanted),
                plain_auth=wanted is not None and wanted.in_clear,
            )
            session = ClientSession(settings, secure=tls is not None and not tls.starttls)
            self._learnt(pool, server, await _talk(session, reader, writer, pool, server))
        finally:
            writer.close()


async def _talk(
    session: ClientSession,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    pool: Pool,
    server: Server,
) -> Extensions:
    """Until the server could take a message. Raises OSError."""
    while True:
        data = await reader.read(READ_BYTES)
        events: list[ClientEvent] = session.receive(data) if data else session.eof()
        while events:
            writer.write(session.output())
            match events.pop(0):
                case StartTls():
                    context = context_of(pool)
                    assert context is not None
                    await writer.start_tls(context, server_hostname=name_of(pool, server))
                    events += session.tls_started()
                case ServerReady(extensions):
                    session.quit()
                    writer.write(session.output())
                    await writer.drain()
                    return extensions
                case ServerClosed(reply):
                    raise ConnectionError(str(reply))
        writer.write(session.output())
