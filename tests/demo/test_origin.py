import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from l7lb.demo.client import Visit, VisitFailed, converse, get
from l7lb.demo.origin import Malformed, Origin, parse_head


@pytest.fixture
async def address() -> AsyncIterator[tuple[str, int]]:
    server = await Origin("web-1").serve("127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()[:2]
    yield host, port
    server.close()


async def exchange(address: tuple[str, int], wire: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(wire)
    answer = await reader.read()
    writer.close()
    return answer


async def test_it_names_itself_and_what_arrived(address: tuple[str, int]) -> None:
    wire = b"POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc"
    head, _, body = (await exchange(address, wire)).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nX-Origin: web-1\r\n" in head
    seen = json.loads(body)
    assert (seen["request"], seen["body_bytes"]) == ("POST /x?y", 3)
    assert seen["headers"]["host"] == "a"


async def test_keep_alive_and_head(address: tuple[str, int]) -> None:
    wire = b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n"
    answer = await exchange(address, wire)
    assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert answer.endswith(b"\r\n\r\nok\n")


async def test_echo(address: tuple[str, int]) -> None:
    assert (await converse(address, Visit("/echo"), ["a", "b" * 300])).status == 101


async def test_plain_get_is_no_websocket(address: tuple[str, int]) -> None:
    assert (await get(address, Visit("/echo"))).origin == "web-1"


@pytest.mark.parametrize("text", ["GET /\r\n\r\n", "GET / HTTP/1.1\r\nnocolon\r\n\r\n"])
def test_malformed_head(text: str) -> None:
    with pytest.raises(Malformed):
        parse_head(text.encode())


@pytest.mark.parametrize(
    "fields", ["Transfer-Encoding: chunked", "Content-Length: -1", "Content-Length: 99999999"]
)
async def test_bodies_that_it_does_not_take(address: tuple[str, int], fields: str) -> None:
    wire = f"POST / HTTP/1.1\r\n{fields}\r\n\r\n".encode()
    assert (await exchange(address, wire)).startswith(b"HTTP/1.1 400 ")


async def test_nobody_there() -> None:
    server = await Origin("gone").serve("127.0.0.1", 0)
    address = server.sockets[0].getsockname()[:2]
    server.close()
    await server.wait_closed()
    with pytest.raises(VisitFailed):
        await get(address, Visit("/"))
