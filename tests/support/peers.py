"""Raw peers of the director: clients and origins that send and read bytes as the test says."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Self

WAIT_S = 15.0
"""For what must happen; a test that waits so long has failed."""


async def within(awaitable: Awaitable[Any]) -> Any:
    async with asyncio.timeout(WAIT_S):  # unlike wait_for it never swallows a cancellation
        return await awaitable


@dataclass
class Message:
    """A request or an answer as it came."""

    line: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes = b""

    def all(self, name: str) -> list[bytes]:
        return [value for key, value in self.fields if key.lower() == name.lower().encode()]

    def get(self, name: str) -> bytes | None:
        values = self.all(name)
        assert len(values) < 2, f"{name} is there {len(values)} times"
        return values[0] if values else None

    @property
    def method(self) -> bytes:
        return self.line.split(b" ")[0]

    @property
    def target(self) -> bytes:
        return self.line.split(b" ")[1]


class Answer(Message):
    @property
    def status(self) -> int:
        return int(self.line.split(b" ")[1])


class Peer:
    """One end of a connection. Every wait has a deadline."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, **options: Any) -> Peer:
        return cls(*await within(asyncio.open_connection("127.0.0.1", port, **options)))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # ------------------------------------------------------------------ bytes

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await within(self.writer.drain())

    async def read(self, count: int) -> bytes:
        return await within(self.reader.readexactly(count))

    async def some(self) -> bytes:
        """What comes next; empty at the end."""
        return await within(self.reader.read(65536))

    async def rest(self) -> bytes:
        """All up to the end."""
        return await within(self.reader.read(-1))

    def end(self) -> None:
        self.writer.write_eof()

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await within(self.writer.wait_closed())

    def abort(self) -> None:
        """Reset the connection."""
        with socket.socket(fileno=os.dup(self.writer.get_extra_info("socket").fileno())) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.writer.transport.abort()

    @property
    def port(self) -> int:
        return self.writer.get_extra_info("sockname")[1]

    # ------------------------------------------------------------------ HTTP

    async def head(self) -> tuple[bytes, list[tuple[bytes, bytes]]]:
        head = await within(self.reader.readuntil(b"\r\n\r\n"))
        line, *lines = head[:-4].split(b"\r\n")
        return line, [(n, v.strip()) for n, _, v in (each.partition(b":") for each in lines)]

    async def request(self) -> Message:
        message = Message(*await self.head())
        if message.get("transfer-encoding"):
            message.body = await self.chunks()
        else:
            message.body = await self.read(int(message.get("content-length") or 0))
        return message

    async def answer(self, method: str = "GET") -> Answer:
        answer = Answer(*await self.head())
        length = answer.get("content-length")
        if method == "HEAD" or answer.status in (204, 304) or answer.status < 200:
            return answer
        if answer.get("transfer-encoding"):
            answer.body = await self.chunks()
        else:
            answer.body = await (self.rest() if length is None else self.read(int(length)))
        return answer

    async def chunks(self) -> bytes:
        """The data of a chunked body; trailers are read and thrown away."""
        data = b""
        while size := int(await within(self.reader.readline()), 16):
            data += await self.read(size)
            assert await self.read(2) == b"\r\n"
        while await within(self.reader.readline()) != b"\r\n":
            pass
        return data

    async def ask(self, target: str = "/", *fields: str, method: str = "GET") -> Answer:
        lines = [f"{method} {target} HTTP/1.1", "Host: example.org", *fields, "", ""]
        await self.send("\r\n".join(lines).encode())
        return await self.answer(method)


Serve = Callable[[Peer], Awaitable[None]]


class Origin:
    """A server behind the director. `serve` is run for every connection, then it is closed.

    Without `serve` it answers every request with its name and notes it in `requests`.
    """

    def __init__(self, serve: Serve | None = None, *, name: str = "ok", tls: Any = None) -> None:
        self.name = name
        self.connections = 0
        self.open = 0
        self.requests: list[Message] = []
        self.port = 0
        self._serve = serve or self._answer_all
        self._tls = tls
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self.port, ssl=self._tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await within(self._server.wait_closed())

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        self.open += 1
        peer = Peer(reader, writer)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._serve(peer)
            writer.close()
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self.open -= 1
            self._tasks.discard(task)

    async def _answer_all(self, peer: Peer) -> None:
        goes_on = True
        while goes_on:
            request = await peer.request()
            self.requests.append(request)
            goes_on = request.get("connection") != b"close"
            await peer.send(ok(self.name.encode(), *self.extra))

    extra: tuple[str, ...] = ()
    """Header lines of every answer."""


def ok(body: bytes = b"ok", *fields: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *fields, "", ""]
    return "\r\n".join(lines).encode() + body
