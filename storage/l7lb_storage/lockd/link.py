"""One connection of a client to lockd: greeting, requests and their replies, news.

It lives until the connection ends and is never repaired; `client` makes the next one.
"""

from __future__ import annotations

import asyncio
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from l7lb_storage.errors import AuthenticationFailed, ProtocolViolation, StorageError, Unavailable
from l7lb_storage.lockd import auth, wire
from l7lb_storage.lockd.shapes import Json
from l7lb_storage.machine import Answer
from l7lb_storage.operations import Operation, Told, Watched

GREETING_TIMEOUT_S = 5.0
READ_BYTES = 256 << 10
REQUESTS = 100_000
"""Requests without an answer on one connection."""


@dataclass(frozen=True, slots=True)
class LockdAddress:
    """Where lockd is. `tls` for TCP beyond loopback; its `server_name` is the host's."""

    unix: Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    secret: bytes = b""
    tls: ssl.SSLContext | None = None


class LinkLost(Exception):  # never leaves the package
    """The connection ended before the answer came."""


class Link:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = wire.Frames()
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._number = 0
        self._parts: dict[int, list[Watched]] = {}
        self.is_over = False
        """Nothing goes out any more."""

    @classmethod
    async def connect(cls, address: LockdAddress, client: str) -> Link:
        """Raises Unavailable, AuthenticationFailed."""
        try:
            async with asyncio.timeout(GREETING_TIMEOUT_S):
                link = cls(*await _connection(address))
                try:
                    await link._greet(address.secret, client)
                except BaseException:
                    link._writer.transport.abort()
                    raise
        except ssl.SSLCertVerificationError as error:
            raise AuthenticationFailed(f"lockd is not trusted: {error.verify_message}") from error
        except (OSError, TimeoutError, ProtocolViolation) as error:
            raise Unavailable(f"lockd cannot be reached: {error!r}") from error
        return link

    async def request(self, operation: Operation) -> Answer:
        """Raises LinkLost, and the StorageError that lockd answers."""
        if self.is_over:
            raise LinkLost
        if len(self._asked) >= REQUESTS:
            raise Unavailable(f"{REQUESTS} requests wait for lockd already")
        self._number += 1
        number = self._number
        data = wire.request(number, operation)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        self._writer.write(data)
        try:
            return await future
        finally:
            self._asked.pop(number, None)

    async def read(self, hear: Callable[[Told], None]) -> None:
        """Until the connection ends, however; then every request is answered with LinkLost."""
        try:
            while data := await self._reader.read(READ_BYTES):
                for found in self._frames.feed(data):
                    self._take(wire.read_answer(found), hear)
        except (OSError, ProtocolViolation):
            return
        finally:
            self.is_over = True
            for future in self._asked.values():
                if not future.done():
                    future.set_exception(LinkLost())

    async def close(self) -> None:
        self.is_over = True
        self._writer.close()
        try:
            async with asyncio.timeout(1):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()

    def _take(self, found: wire.Reply | wire.News, hear: Callable[[Told], None]) -> None:
        if isinstance(found, wire.News):
            told = self._whole(found)
            if told is not None:
                hear(told)
            return
        future = self._asked.get(found.id)
        if future is None or future.done():
            return
        if isinstance(found.answer, StorageError):
            future.set_exception(found.answer)
        else:
            future.set_result(found.answer)

    def _whole(self, found: wire.News) -> Told | None:
        told = found.told
        if not isinstance(told, Watched):
            return told
        parts = self._parts.setdefault(told.watch, [])
        parts.append(told)
        return None if found.more else wire.join(self._parts.pop(told.watch))

    async def _greet(self, secret: bytes, client: str) -> None:
        ours = secrets.token_hex(auth.NONCE_BYTES)
        theirs = auth.read_server(await self._next())
        self._writer.write(wire.frame(auth.hello_of_client(secret, client, theirs, ours)))
        auth.read_welcome(secret, client, await self._next(), theirs, ours)
        self._frames.limit = wire.REPLY_BYTES

    async def _next(self) -> Json:
        """One frame: before the greeting is over the server sends no second one."""
        while data := await self._reader.read(wire.GREETING_BYTES):
            for found in self._frames.feed(data):
                return found
        raise ProtocolViolation("closed in the greeting")


async def _connection(
    address: LockdAddress,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if address.unix is not None:
        return await asyncio.open_unix_connection(address.unix)
    return await asyncio.open_connection(address.host, address.port, ssl=address.tls)
