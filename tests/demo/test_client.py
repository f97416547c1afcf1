import asyncio

import pytest

from l7lb.demo.client import (
    Reply,
    Visit,
    VisitFailed,
    converse,
    get,
    parse_head,
    part,
    request_head,
)


def test_request_head() -> None:
    head = request_head(Visit("/a", headers={"Cookie": "x=1"}), {"Connection": "close"})
    assert head == (
        b"GET /a HTTP/1.1\r\nHost: shop.demo.test\r\nUser-Agent: l7lb-demo\r\n"
        b"Cookie: x=1\r\nConnection: close\r\n\r\n"
    )


def test_parse_head() -> None:
    head = b"HTTP/1.1 200 OK\r\nX-Origin: a\r\nSet-Cookie: L7LB=q; Path=/\r\n\r\n"
    reply = Reply(*parse_head(head), took_s=0.0)
    assert (reply.status, reply.origin, reply.cookie) == (200, "a", "L7LB=q")


async def scripted(answer: bytes) -> tuple[asyncio.Server, tuple[str, int]]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await part(writer)

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    return server, server.sockets[0].getsockname()[:2]


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort"],
    ids=["nothing", "nonsense", "short"],
)
async def test_broken_reply_is_a_failed_visit(answer: bytes) -> None:
    server, address = await scripted(answer)
    with pytest.raises(VisitFailed):
        await get(address, Visit("/"))
    server.close()


async def test_reply_until_close() -> None:
    server, address = await scripted(b"HTTP/1.1 503 No\r\nX-Origin: b\r\n\r\nbody")
    reply = await get(address, Visit("/"))
    assert (reply.status, reply.origin) == (503, "b")
    server.close()


async def test_upgrade_that_is_refused() -> None:
    server, address = await scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(VisitFailed, match="status 200"):
        await converse(address, Visit("/"), ["x"])
    server.close()
