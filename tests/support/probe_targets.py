"""Small servers in the test's own loop that answer probes in every way, right and wrong."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace

import trustme

from l7lb.health.probe import Result, Target, run
from l7lb.health.prober import PROBES
from l7lb.model import CheckSpec, ServerTls

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Origins:
    """Servers on loopback that say what they are told to, whatever they are asked."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []
        self._servers: list[asyncio.Server] = []

    async def start(self, handler: Handler, tls: ssl.SSLContext | None = None) -> int:
        server = await asyncio.start_server(handler, "127.0.0.1", 0, ssl=tls)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def says(
        self, reply: bytes, *, then_close: bool = True, tls: ssl.SSLContext | None = None
    ) -> int:
        """The port of a server that reads a head, sends `reply`, and ends (or stays silent)."""

        async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(reply)
                if not then_close:
                    await reader.read()
            except (asyncio.IncompleteReadError, OSError):
                pass  # the prober went away, as it may
            finally:
                writer.close()

        return await self.start(handler, tls)

    def close(self) -> None:
        for server in self._servers:
            server.close()


def server_tls(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


async def probe_once(
    port: int, check: CheckSpec, tls: ServerTls | None = None, host: str = "127.0.0.1"
) -> Result:
    target = Target((socket.AF_INET, ("127.0.0.1", port)), host, replace(check, tls=tls))
    return await run(target, PROBES)
