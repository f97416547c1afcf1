"""Requests through a whole engine: framing, streaming, interim and early answers, half-close."""

from __future__ import annotations

import asyncio

from support.peers import Origin, Peer, ok
from support.rig import to


async def test_server_connections_are_used_again() -> None:
    async with Origin() as origin, to(origin) as rig:
        async with await rig.client() as client:
            for n in range(5):
                assert (await client.ask(f"/{n}")).body == b"ok"
        assert (await rig.ask()).status == 200
        assert [each.target for each in origin.requests][:2] == [b"/0", b"/1"]
        assert origin.connections == 1


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def serve(peer: Peer) -> None:
        while True:
            await peer.send(ok((await peer.request()).target))

    async with Origin(serve) as origin, to(origin) as rig, await rig.client() as client:
        wanted = [f"/{n}".encode() for n in range(200)]
        await client.send(b"".join(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % each for each in wanted))
        assert [(await client.answer()).body for _ in wanted] == wanted


async def test_events_are_not_held_back() -> None:
    """Each event is read by the client before the server makes the next one."""
    read = asyncio.Queue[None]()

    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        for n in range(5):
            await peer.send(b"data: %d\n\n" % n)
            await read.get()

    async with Origin(serve) as origin, to(origin) as rig, await rig.client() as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.head()
        for n in range(5):
            assert await client.some() == b"data: %d\n\n" % n
            read.put_nowait(None)
        assert await client.rest() == b""


async def test_chunks_are_not_held_back() -> None:
    read = asyncio.Queue[None]()

    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            await peer.send(b"2\r\nhi\r\n")
            await read.get()
        await peer.send(b"0\r\nX-Sum: 1\r\n\r\n")
        await peer.some()

    async with Origin(serve) as origin, to(origin) as rig, await rig.client() as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await client.head()
        for _ in range(3):
            assert await client.some() == b"2\r\nhi\r\n"
            read.put_nowait(None)
        assert await client.some() == b"0\r\nX-Sum: 1\r\n\r\n"


async def test_upload_is_not_held_back() -> None:
    got = asyncio.Queue[bytes]()

    async def serve(peer: Peer) -> None:
        await peer.head()
        for _ in range(3):
            got.put_nowait(await peer.read(4))
        await peer.send(ok())
        await peer.some()

    async with Origin(serve) as origin, to(origin) as rig, await rig.client() as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12\r\n\r\n")
        for each in (b"abcd", b"efgh", b"ijkl"):
            await client.send(each)
            assert await asyncio.wait_for(got.get(), 10) == each
        assert (await client.answer()).body == b"ok"


async def test_chunked_upload_with_trailers() -> None:
    async with Origin() as origin, to(origin) as rig, await rig.client() as client:
        await client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"5;x=y\r\nhe", b"llo\r", b"\n3\r\nabc\r\n0\r\nX-T: 1\r\n", b"\r\n"):
            await client.send(piece)
        assert (await client.answer()).body == b"ok"
        assert origin.requests[0].body == b"helloabc"
        assert (await client.ask("/next")).body == b"ok"
        assert origin.connections == 1


async def test_continue_comes_from_the_server() -> None:
    async def serve(peer: Peer) -> None:
        line, _ = await peer.head()
        assert line == b"POST / HTTP/1.1"
        await peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        await peer.send(ok(await peer.read(5)))

    async with Origin(serve) as origin, to(origin) as rig, await rig.client() as client:
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        assert (await client.answer()).status == 100
        await client.send(b"hello")
        assert (await client.answer()).body == b"hello"


async def test_server_that_refuses_the_body() -> None:
    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        await peer.some()

    async with Origin(serve) as origin, to(origin) as rig, await rig.client() as client:
        await client.send(
            b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"
        )
        answer = await client.answer()
        assert (answer.status, answer.get("connection")) == (417, b"close")
        assert await client.rest() == b""


async def test_early_hints() -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")
        await peer.some()

    async with Origin(serve) as origin, to(origin) as rig, await rig.client() as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = await client.answer()
        assert (answer.status, answer.get("link")) == (103, b"</a.css>; rel=preload")


async def test_answer_of_a_server_that_does_not_read_the_body() -> None:
    """It answers and closes with unread bytes, which resets the connection; the answer counts."""

    async def serve(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno")

    async with Origin(serve) as origin, to(origin) as rig:
        for _ in range(20):
            async with await rig.client() as client:
                client.writer.write(
                    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n"
                    + bytes(400_000)
                )
                answer = await client.answer()
                assert (answer.status, answer.body) == (413, b"no")


async def test_half_closed_client_is_answered() -> None:
    async with Origin() as origin, to(origin) as rig:
        requests = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\n"
        requests += b"Content-Length: 3\r\n\r\nabc"
        answers = await rig.talk(requests, eof=True)
        assert answers.count(b"HTTP/1.1 200 OK") == 2
        assert [each.body for each in origin.requests] == [b"", b"abc"]


async def test_old_client() -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        )
        await peer.some()

    async with Origin(serve) as origin, to(origin) as rig:
        answer = await rig.talk(b"GET / HTTP/1.0\r\n\r\n")
        assert b"ransfer" not in answer
        assert answer.endswith(b"\r\n\r\nabc")


async def test_old_server() -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nhello")

    async with Origin(serve) as origin, to(origin) as rig:
        answer = await rig.talk(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nhello")


async def test_head_has_no_body() -> None:
    async def serve(peer: Peer) -> None:
        while True:
            request = await peer.request()
            head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
            await peer.send(head + (b"" if request.method == b"HEAD" else b"hello"))

    async with Origin(serve) as origin, to(origin) as rig, await rig.client() as client:
        assert (await client.ask(method="HEAD")).get("content-length") == b"5"
        assert (await client.ask()).body == b"hello"


async def test_truncated_answer_is_not_taken_for_whole() -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")

    async with Origin(serve) as origin, to(origin) as rig, await rig.client() as client:
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            came = await client.rest()
        except ConnectionResetError:
            came = b""
        assert b"\r\n0\r\n" not in came


async def test_bytes_after_the_answer_end_the_server_connection() -> None:
    async def serve(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(ok(b"x" * 10) + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    async with Origin(serve) as origin, to(origin) as rig, await rig.client() as client:
        for n in range(1, 4):
            assert (await client.ask()).body == b"x" * 10
            assert origin.connections == n


async def test_bytes_after_a_relayed_answer_end_the_server_connection() -> None:
    """The same when the body comes after its head."""
    seen = asyncio.Queue[None]()

    async def serve(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
            await seen.get()
            await peer.send(b"x" * 10 + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil")

    async with Origin(serve) as origin, to(origin) as rig, await rig.client() as client:
        for n in range(1, 4):
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            await client.head()
            seen.put_nowait(None)
            assert await client.read(10) == b"x" * 10
            assert origin.connections == n
