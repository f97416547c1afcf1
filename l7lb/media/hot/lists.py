"""The whole list of a node over TCP: given by the agent, fetched by a director."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress

from l7lb.media.hot.errors import CannotStart, HotFilesError
from l7lb.model_hot_files import Socket
from l7lb_protocols.announce.errors import AnnounceRefusal
from l7lb_protocols.announce.listing import (
    LENGTH,
    LIST_BYTES,
    NONCE_BYTES,
    REQUEST_BYTES,
    Listing,
    build_list,
    build_request,
    parse_list,
    parse_request,
)

DEADLINE_S = 10.0
CLIENTS_MOST = 64


class NoList(HotFilesError):
    """It could not be fetched; the message says why."""


class ListServer:
    def __init__(self, listing: Callable[[], Listing], secret: bytes) -> None:
        self._listing = listing
        self._secret = secret
        self._server: asyncio.Server | None = None
        self._clients = 0
        self.refused = 0

    async def open(self, address: Socket) -> int:
        """The port. Raises CannotStart."""
        try:
            sock = _listening(address)
        except OSError as error:
            raise CannotStart(f"lists at {address}: {error.strerror or error}") from error
        self._server = await asyncio.start_server(self._serve, sock=sock, limit=1024)
        return int(self._server.sockets[0].getsockname()[1])

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients += 1
        try:
            if self._clients <= CLIENTS_MOST:
                async with asyncio.timeout(DEADLINE_S):
                    nonce = parse_request(await _frame(reader, REQUEST_BYTES), self._secret)
                    writer.write(build_list(self._listing(), nonce, self._secret))
                    await writer.drain()
        except (AnnounceRefusal, OSError, EOFError, TimeoutError):
            self.refused += 1
        finally:
            self._clients -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _listening(address: Socket) -> socket.socket:
    """`*`: one socket for both families, since one port is announced."""
    if address.host == "*" and socket.has_dualstack_ipv6():
        return socket.create_server(
            ("", address.port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=CLIENTS_MOST
        )
    host = "" if address.host == "*" else address.host
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, address.port), family=family, backlog=CLIENTS_MOST)


async def fetch_list(host: str, port: int, secret: bytes) -> Listing:
    """Raises NoList."""
    nonce = os.urandom(NONCE_BYTES)
    try:
        async with asyncio.timeout(DEADLINE_S):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(build_request(nonce, secret))
                data = await _frame(reader, LIST_BYTES)
            finally:
                writer.close()
        return parse_list(data, nonce, secret)
    except (AnnounceRefusal, OSError, EOFError) as error:
        raise NoList(f"{host} port {port}: {str(error) or 'no answer in time'}") from error


async def _frame(reader: asyncio.StreamReader, most: int) -> bytes:
    """Raises AnnounceRefusal, EOFError, OSError."""
    (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    if size > most:
        raise AnnounceRefusal(f"a frame of {size} bytes; at most {most}")
    return await reader.readexactly(size)
