"""A TCP proxy whose wire can be cut: then it passes nothing either way, and says nothing of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Self, TypeVar

T = TypeVar("T")
CHUNK_BYTES = 64 << 10
START_S = 20.0


class Wires:
    """The loop, in a thread of its own, of all wires. A context manager."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.servers: list[asyncio.Server] = []
        self.connections: set[asyncio.Task[None]] = set()
        """The loop itself forgets those that wait for nothing but each other."""
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.call(self._end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(START_S)
        self.loop.close()

    def call(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(START_S)

    async def _end(self) -> None:
        for server in self.servers:
            server.close()
        while self.connections:
            for task in self.connections:
                task.cancel()
            await asyncio.wait(self.connections)


class Wire:
    """From a port of its own, on loopback, to `port`."""

    def __init__(self, wires: Wires, port: int) -> None:
        self._wires = wires
        self._target = port
        self._passes = asyncio.Event()
        self._passes.set()
        self.port = wires.call(self._listen())

    def cut(self) -> None:
        """Connections stay open, and more can be made; what is sent waits."""
        self._wires.loop.call_soon_threadsafe(self._passes.clear)

    def mend(self) -> None:
        """What has waited arrives now, late."""
        self._wires.loop.call_soon_threadsafe(self._passes.set)

    async def _listen(self) -> int:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self._wires.servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._wires.connections.add(task)
        task.add_done_callback(self._wires.connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._passes.wait()
            there = await asyncio.open_connection("127.0.0.1", self._target)
        except OSError:
            writer.transport.abort()
            return
        ways = [self._pump(reader, there[1]), self._pump(there[0], writer)]
        try:
            with suppress(OSError):  # either side went; the other learns of it
                await asyncio.gather(*ways)
        finally:
            for each in (writer, there[1]):
                each.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK_BYTES):
            await self._passes.wait()
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
