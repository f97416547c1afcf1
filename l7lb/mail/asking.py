"""Servers asked now and then what they can: which, when, and how they are reached.

Owns the rounds and the connection, with PROXY header and TLS as the pool says. It is on no client's
way, so it uses asyncio's streams. Must not know what is said there.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence

from l7lb.net.certificates import client_context
from l7lb.net.upstream import at_port
from l7lb.pool.pool import Pool
from l7lb.pool.server import Server
from l7lb_protocols.proxy_protocol import build_binary, build_text

EVERY_S = 60.0
ANSWER_S = 5.0
READ_BYTES = 16384
log = logging.getLogger("l7lb.mail")


class Asking(ABC):
    """`ask` once, or `run` for as long as there are services."""

    def __init__(self, pools: Mapping[str, Pool]) -> None:
        self.pools = pools
        self._wake = asyncio.Event()
        self._wanted: tuple[str, ...] = ()
        self.rounds = 0
        """In which `run` has asked everybody."""

    @abstractmethod
    async def learn(self, pool: Pool, server: Server) -> None:
        """Ask this one and note the answer. Raises OSError, ValueError."""

    def want(self, pools: Sequence[str]) -> None:
        """The pools that services use now; they are asked at once."""
        self._wanted = tuple(pools)
        self._wake.set()

    async def run(self) -> None:
        """For ever: ask all, wait, ask again."""
        while True:
            self._wake.clear()
            await self.ask(self._wanted)
            self.rounds += 1
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY_S):
                    await self._wake.wait()

    async def ask(self, pools: Sequence[str]) -> None:
        """Every server of these pools, all at once."""
        await asyncio.gather(*(self._ask(pool, server) for pool, server in self.servers(pools)))

    def servers(self, pools: Sequence[str]) -> Iterator[tuple[Pool, Server]]:
        for name in pools:
            pool = self.pools.get(name)
            if pool is not None:
                for server in pool.servers:
                    yield pool, server

    async def _ask(self, pool: Pool, server: Server) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await self.learn(pool, server)
        except (OSError, ValueError, TimeoutError) as error:
            reason = str(error) or "no answer in time"
            log.info("capabilities not learnt", extra={"server": server.name, "reason": reason})


async def connected(
    pool: Pool, server: Server, port: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """To this port of the server (0: the address's). Raises OSError, ValueError."""
    if server.endpoint is None:
        raise ConnectionError("the name has no address yet")
    _, address = at_port(server.endpoint, port) if port else server.endpoint
    tls = pool.spec.tls
    context = context_of(pool) if tls is not None and not tls.starttls else None
    name = name_of(pool, server) if context is not None else None
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


def context_of(pool: Pool) -> ssl.SSLContext | None:
    return None if pool.spec.tls is None else client_context(pool.spec.tls)


def name_of(pool: Pool, server: Server) -> str | None:
    tls = pool.spec.tls
    return None if tls is None else tls.server_name or server.spec.address.host
