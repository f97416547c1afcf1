"""One client's connection to lockd: greeting, requests in, frames out, limits.

It must not know the machine; requests go to a callback.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable

from l7lb_storage.errors import AuthenticationFailed, ProtocolViolation
from l7lb_storage.lockd import auth
from l7lb_storage.lockd.shapes import Json
from l7lb_storage.lockd.wire import REQUEST_BYTES, Frames, Request, frame, read_request

GREETING_TIMEOUT_S = 5.0
UNSENT_BYTES = 16 << 20
"""What a client may leave unread before it is cut off; it comes back and asks again."""
READ_BYTES = 64 << 10


class Connection:
    """`client` names the client process for as long as it lives, over its connections."""

    def __init__(
        self, origin: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.origin = origin
        self.client = ""
        self.is_cut = False
        self._reader = reader
        self._writer = writer
        self._frames = Frames()

    async def greet(self, secret: bytes) -> None:
        """Raises AuthenticationFailed, ProtocolViolation, TimeoutError, OSError, EOFError."""
        nonce = secrets.token_hex(auth.NONCE_BYTES)
        async with asyncio.timeout(GREETING_TIMEOUT_S):
            self.send(frame(auth.hello_of_server(nonce)))
            found = await self._first()
            try:
                self.client, theirs = auth.read_client(secret, found, nonce)
            except AuthenticationFailed:
                self.send(frame(["refused"]))
                raise
            self.send(frame(auth.welcome(secret, self.client, nonce, theirs)))
        self._frames.limit = REQUEST_BYTES

    async def serve(
        self, handle: Callable[[Connection, Request], None], calm: Callable[[], Awaitable[None]]
    ) -> None:
        """Until the client goes. Raises ProtocolViolation, OSError."""
        while data := await self._reader.read(READ_BYTES):
            for found in self._frames.feed(data):
                if self.is_cut:
                    return
                handle(self, read_request(found))
            await calm()

    def send(self, data: bytes) -> None:
        """Never waits; a client that does not read is cut off."""
        if self.is_cut:
            return
        self._writer.write(data)
        if self._writer.transport.get_write_buffer_size() > UNSENT_BYTES:
            self.cut()

    def cut(self) -> None:
        """At once; what it had sent and was not read is never looked at."""
        self.is_cut = True
        self._writer.transport.abort()

    async def close(self) -> None:
        self.is_cut = True
        self._writer.close()
        try:
            async with asyncio.timeout(1):
                await self._writer.wait_closed()
        except (OSError, TimeoutError):
            self._writer.transport.abort()

    async def _first(self) -> Json:
        while data := await self._reader.read(READ_BYTES):
            for found in self._frames.feed(data):
                return found
        raise ProtocolViolation("closed before its hello")
