"""A client's connection: reads with limits and deadlines, and can be ended from outside.

It is the `Guest` that an owner sends away. Must not know any protocol.
"""

from __future__ import annotations

import asyncio

CHUNK_BYTES = 64 << 10
SEND_S = 60.0
"""A client that takes nothing for so long is gone."""
CLOSE_S = 2.0


class ConnectionEnded(Exception):  # never leaves the package
    """The client has gone, or was silent or deaf for too long."""


class Silent(ConnectionEnded):  # never leaves the package
    """Nothing came in time; reading again is possible."""


class Evicted(Exception):  # never leaves the package
    """The session has to end; the text is for the client."""


class Connection:
    """`read` and `send` raise ConnectionEnded."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.evicted: Evicted | None = None
        self._eviction = asyncio.Event()

    @property
    def peer(self) -> str:
        """The client's address."""
        name = self._writer.get_extra_info("peername")
        return str(name[0]) if name else "?"

    def evict(self, reason: str) -> None:
        """Whoever reads gets Evicted, now or at the next read."""
        if self.evicted is None:
            self.evicted = Evicted(reason)
            self._eviction.set()

    def abort(self) -> None:
        self._writer.transport.abort()

    async def read(self, timeout_s: float) -> bytes:
        """Some bytes. Raises ConnectionEnded, Evicted."""
        reading = asyncio.ensure_future(self._reader.read(CHUNK_BYTES))
        leaving = asyncio.ensure_future(self._eviction.wait())
        try:
            await asyncio.wait(
                {reading, leaving}, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            # A read that is cancelled has taken nothing: the bytes are there for the next one.
            is_read = not reading.cancel()
            leaving.cancel()
        if self.evicted is not None:
            raise self.evicted
        if not is_read:
            raise Silent("silent for too long")
        try:
            data = reading.result()
        except OSError as error:
            raise ConnectionEnded(str(error)) from None
        if not data:
            raise ConnectionEnded("closed by the client")
        return data

    async def send(self, data: bytes) -> None:
        """Returns when most of it is gone."""
        try:
            async with asyncio.timeout(SEND_S):
                self._writer.write(data)
                await self._writer.drain()
        except (TimeoutError, OSError) as error:
            self.abort()
            raise ConnectionEnded("the client takes nothing") from error

    async def close(self) -> None:
        """After what was sent."""
        self._writer.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await self._writer.wait_closed()
        except (TimeoutError, OSError):
            self.abort()
