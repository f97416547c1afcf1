"""A small origin server for the demo: it answers every request with its own name.

`python -m l7lb.demo.origin NAME PORT [HOST]`. HTTP/1.1 with keep-alive, `/healthz`, and an echo
WebSocket on any path that is asked to upgrade. It is no general server: what it does not
understand closes the connection.
"""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass

from l7lb.demo import websocket
from l7lb.demo.client import part

HEAD_LIMIT = 65536
IDLE_S = 120.0


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


class Malformed(Exception):
    """Not a request that this origin understands."""


def parse_head(head: bytes) -> Request:
    """`head` up to and including the empty line. Raises `Malformed`."""
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ")
    if len(words) != 3:
        raise Malformed(first)
    headers: dict[str, str] = {}
    for line in filter(None, lines):
        name, colon, value = line.partition(":")
        if not colon:
            raise Malformed(line)
        headers[name.lower()] = value.strip()
    return Request(words[0], words[1], headers)


def reply(name: str, request: Request) -> bytes:
    """The whole answer: who answered, and what arrived."""
    if request.target == "/healthz":
        body = b"ok\n"
    else:
        seen = {
            "origin": name,
            "request": f"{request.method} {request.target}",
            "headers": request.headers,
            "body_bytes": len(request.body),
        }
        body = json.dumps(seen, indent=1).encode() + b"\n"
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Origin: {name}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + (b"" if request.method == "HEAD" else body)


def switching(name: str, key: str) -> bytes:
    accept = websocket.accept_key(key.encode()).decode()
    return (
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"X-Origin: {name}\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    ).encode()


class Origin:
    """One listening origin."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def serve(self, host: str, port: int) -> asyncio.Server:
        return await asyncio.start_server(self.handle, host, port, limit=HEAD_LIMIT)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the client goes, says nothing for long, or is not understood."""
        try:
            while await self.answer(reader, writer):
                pass
        except (Malformed, websocket.FrameError):
            writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, OSError, TimeoutError):
            writer.transport.abort()
        finally:
            await part(writer)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request. True when the connection goes on."""
        async with asyncio.timeout(IDLE_S):
            request = parse_head(await reader.readuntil(b"\r\n\r\n"))
            request = await with_body(request, reader)
        if request.headers.get("upgrade", "").lower() == "websocket":
            writer.write(switching(self.name, request.headers.get("sec-websocket-key", "")))
            await echo(reader, writer)
            return False
        writer.write(reply(self.name, request))
        await writer.drain()
        return request.headers.get("connection", "").lower() != "close"


async def with_body(request: Request, reader: asyncio.StreamReader) -> Request:
    length = request.headers.get("content-length", "0")
    if "transfer-encoding" in request.headers or not (length.isascii() and length.isdigit()):
        raise Malformed("only bodies with a plain Content-Length")
    if int(length) > HEAD_LIMIT:
        raise Malformed("body too long for the demo")
    body = await reader.readexactly(int(length))
    return Request(request.method, request.target, request.headers, body)


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Sends every frame back until the client closes (RFC 6455 §5.5.1)."""
    while True:
        frame = await websocket.read_frame(reader)
        writer.write(websocket.encode(frame))
        await writer.drain()
        if frame.opcode == websocket.CLOSE:
            return


async def run(name: str, port: int, host: str) -> None:
    server = await Origin(name).serve(host, port)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    sys.stdout.write(f"{name} listens on {host}:{port}, pid {os.getpid()}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()


def main(arguments: list[str]) -> None:
    name, port, *rest = arguments
    asyncio.run(run(name, int(port), rest[0] if rest else "127.0.0.1"))


if __name__ == "__main__":
    main(sys.argv[1:])
