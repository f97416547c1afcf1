"""A small HTTP client: one request on one connection, as a visitor's browser would begin.

It counts only what the demo shows: status, who answered, the cookie that was set, how long it took.
"""

import asyncio
import base64
import contextlib
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from l7lb.demo import websocket

DEADLINE_S = 15.0
CONNECT_DEADLINE_S = 2.0
HEAD_LIMIT = 65536


@dataclass(frozen=True, slots=True)
class Visit:
    """What is asked for."""

    path: str
    host: str = "shop.demo.test"
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    took_s: float

    @property
    def origin(self) -> str:
        return self.headers.get("x-origin", "")

    @property
    def cookie(self) -> str:
        """`name=value` of the cookie that was set, or nothing."""
        return self.headers.get("set-cookie", "").partition(";")[0]


class VisitFailed(Exception):
    """No reply, or one that HTTP does not allow. The text says what happened."""


class Unreachable(VisitFailed):
    """Nobody took the connection, so nothing was asked."""


async def get(address: tuple[str, int], visit: Visit) -> Reply:
    """One GET on a fresh connection. Raises `VisitFailed`."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await _get(address, visit)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
        raise VisitFailed(f"{visit.path}: {type(error).__name__} {error}") from error


async def _get(address: tuple[str, int], visit: Visit) -> Reply:
    begun = time.monotonic()
    reader, writer = await connect(address)
    try:
        writer.write(request_head(visit, {"Connection": "close"}))
        status, headers = parse_head(await reader.readuntil(b"\r\n\r\n"))
        if "content-length" in headers:
            await reader.readexactly(int(headers["content-length"]))
        else:
            await reader.read()
    finally:
        await part(writer)
    return Reply(status, headers, time.monotonic() - begun)


async def connect(address: tuple[str, int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Raises `Unreachable`."""
    try:
        return await asyncio.wait_for(
            asyncio.open_connection(*address, limit=HEAD_LIMIT), CONNECT_DEADLINE_S
        )
    except (OSError, TimeoutError) as error:
        raise Unreachable(f"{address[0]}:{address[1]}: {type(error).__name__} {error}") from error


def request_head(visit: Visit, extra: Mapping[str, str]) -> bytes:
    fields = {"Host": visit.host, "User-Agent": "l7lb-demo", **visit.headers, **extra}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"GET {visit.path} HTTP/1.1\r\n{lines}\r\n".encode()


def parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    """Status and fields by lower-case name. Raises `ValueError`."""
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = (line.partition(":") for line in lines if line)
    _version, status, *_reason = first.split(" ")
    return int(status), {name.lower(): value.strip() for name, _, value in fields}


async def converse(address: tuple[str, int], visit: Visit, messages: list[str]) -> Reply:
    """Opens a WebSocket, sends each message and awaits its echo. Raises `VisitFailed`."""
    try:
        async with asyncio.timeout(DEADLINE_S):
            return await _converse(address, visit, messages)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
        raise VisitFailed(f"{visit.path}: {type(error).__name__} {error}") from error


async def _converse(address: tuple[str, int], visit: Visit, messages: list[str]) -> Reply:
    begun = time.monotonic()
    key = base64.b64encode(os.urandom(16))
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": key.decode(),
    }
    reader, writer = await asyncio.open_connection(*address, limit=HEAD_LIMIT)
    try:
        writer.write(request_head(visit, upgrade))
        status, headers = parse_head(await reader.readuntil(b"\r\n\r\n"))
        expected = websocket.accept_key(key).decode()
        if status != 101 or headers.get("sec-websocket-accept") != expected:
            raise VisitFailed(f"{visit.path}: no WebSocket, status {status}")
        for message in messages:
            await _exchange(reader, writer, websocket.Frame(websocket.TEXT, message.encode()))
        await _exchange(reader, writer, websocket.Frame(websocket.CLOSE, b"\x03\xe8"))
    finally:
        await part(writer)
    return Reply(status, headers, time.monotonic() - begun)


async def part(writer: asyncio.StreamWriter) -> None:
    """Closes. How the other side takes it is of no interest once the reply is in."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: websocket.Frame
) -> None:
    writer.write(websocket.encode(sent, mask=os.urandom(4)))
    if await websocket.read_frame(reader) != sent:
        raise VisitFailed("the echo differs from what was sent")
