"""Deadlines, slow and vanished peers, pipelines that are not read: what one driver puts up with."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace

import pytest

from l7lb.model import ServiceSpec, Timeouts
from l7lb.model_http import FixedReply, HttpLimits, HttpOptions
from l7lb.net.flow import HIGH_WATER
from l7lb.pool.cells import CONNECT_FAILURES, RESPONSES
from support.peers import Origin, Peer, ok, within
from support.rig import Rig, capped, cluster, pool, route, service, to

SHORT_S = 0.05
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def limited(origin: Origin | int, **timeouts: float) -> Rig:
    """A rig with these deadlines."""
    port = origin if isinstance(origin, int) else origin.port
    timing = replace(Timeouts(), **timeouts)
    return Rig(cluster(service(route("web"), timeouts=timing), pool("web", port)))


async def silent(peer: Peer) -> None:
    """Reads all and says nothing."""
    await peer.rest()


def statuses(rig: Rig) -> list[int]:
    """How many answers of the service there were: none, 1xx, … 5xx."""
    return rig.counters.service_cells(0)[RESPONSES : RESPONSES + 6]


async def test_idle_client_is_closed() -> None:
    async with Origin() as origin, limited(origin, keep_alive_s=SHORT_S) as rig:
        async with await rig.client() as client:
            await client.ask()
            assert await client.rest() == b""
        async with await rig.client() as client:
            assert await client.rest() == b""


async def test_trickled_head_has_one_deadline() -> None:
    """However the bytes trickle."""
    async with Origin() as origin, limited(origin, head_s=0.3) as rig, await rig.client() as client:

        async def trickle() -> None:
            for byte in b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000:
                await client.send(bytes([byte]))
                await asyncio.sleep(0.02)

        task = asyncio.create_task(trickle())
        assert (await client.answer()).status == 408
        assert await client.rest() == b""
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert origin.connections == 0


async def test_body_that_stops() -> None:
    async with Origin() as origin, limited(origin, body_idle_s=SHORT_S) as rig:
        for framing in (
            b"Content-Length: 10\r\n\r\nabc",
            b"Transfer-Encoding: chunked\r\n\r\n5\r\na",
        ):
            async with await rig.client() as client:
                await client.send(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing)
                assert (await client.answer()).status == 408


async def test_answer_that_does_not_come() -> None:
    async with Origin(silent) as origin, limited(origin, first_byte_s=SHORT_S) as rig:
        async with await rig.client() as client:
            assert (await client.ask()).status == 504
            assert (await client.ask()).status == 504


async def test_head_of_an_answer_that_trickles() -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        for byte in b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000:
            await peer.send(bytes([byte]))
            await asyncio.sleep(0.02)

    async with Origin(serve) as origin, limited(origin, first_byte_s=0.3, between_bytes_s=9) as rig:
        assert (await rig.ask()).status == 504


async def test_answer_that_stops() -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await peer.some()

    async with Origin(serve) as origin, limited(origin, between_bytes_s=SHORT_S) as rig:
        async with await rig.client() as client:
            await client.send(GET)
            await client.head()
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await client.read(10)


async def test_tunnel_that_is_quiet() -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        await peer.some()

    async with Origin(serve) as origin, limited(origin, tunnel_idle_s=SHORT_S) as rig:
        async with await rig.client() as client:
            assert (await client.ask("/", "Connection: upgrade", "Upgrade: x")).status == 101
        await rig.until(lambda: origin.open == 0)


async def test_server_that_does_not_accept() -> None:
    """Its backlog is full: the connect goes unanswered, another server is tried."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        hold = []
        for _ in range(4):
            each = socket.socket()
            each.setblocking(False)
            each.connect_ex(address)
            hold.append(each)
        async with Origin() as origin:
            timing = Timeouts(connect_s=SHORT_S)
            spec = cluster(
                service(route("web"), timeouts=timing), pool("web", address[1], origin.port)
            )
            async with Rig(spec) as rig:
                for _ in range(4):
                    assert (await rig.ask()).status == 200
                assert rig.counters.server_cells(0)[CONNECT_FAILURES] > 0
            async with limited(address[1], connect_s=SHORT_S) as rig:
                assert (await rig.ask()).status == 504
        for each in hold:
            each.close()


async def test_client_that_takes_nothing_is_cut() -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await peer.send(b"10000\r\n" + bytes(65536) + b"\r\n")

    async with Origin(serve) as origin, limited(origin, send_idle_s=SHORT_S) as rig:
        sock = socket.create_connection(("127.0.0.1", rig.port))
        sock.sendall(GET)
        await rig.until(lambda: origin.open == 1)
        await rig.until(lambda: not rig.engine.drivers)
        await rig.until(lambda: origin.open == 0)
        assert statuses(rig)[2] == 1
        sock.close()


async def test_client_that_takes_nothing_of_a_spliced_answer_is_cut() -> None:
    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            await peer.send(bytes(65536))

    async with Origin(serve) as origin, limited(origin, send_idle_s=SHORT_S) as rig:
        sock = socket.create_connection(("127.0.0.1", rig.port))
        sock.sendall(GET)
        await rig.until(lambda: origin.open == 1)
        await rig.until(lambda: not rig.engine.drivers)
        sock.close()


async def test_server_that_takes_nothing_is_to_blame() -> None:
    stop = asyncio.Event()

    async def serve(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await stop.wait()

    patient_s = 4 * SHORT_S  # client and director share a loop: a pause of it is no silence
    async with Origin(serve) as origin, limited(origin, body_idle_s=patient_s) as rig:
        for framing in (b"Content-Length: 100000000\r\n", b"Transfer-Encoding: chunked\r\n"):
            async with await rig.client() as client:
                client.writer.write(b"POST / HTTP/1.1\r\nHost: a\r\n" + framing + b"\r\n")
                for _ in range(300):
                    client.writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
                assert (await client.answer()).status == 504
                client.abort()
        stop.set()


async def test_refused_body_still_sees_its_answer() -> None:
    """The connection lingers: a reset would eat the answer."""
    spec = service(route("web"), http=HttpOptions(HttpLimits(body_bytes=1000)))
    async with Origin() as origin, Rig(cluster(spec, pool("web", origin.port))) as rig:
        for _ in range(10):
            async with await rig.client() as client:
                client.writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 900000\r\n\r\n")
                client.writer.write(bytes(900_000))
                answer = await client.answer()
                assert answer.status == 413
                assert await client.rest() == b""


def answering(size: int) -> ServiceSpec:
    return service(route(reply=FixedReply(200, (), bytes(size))))


async def test_pipelined_own_answers_wait_for_the_client() -> None:
    """A small request for a large answer, a thousand times, and nothing is read."""
    async with Rig(cluster(answering(100_000))) as rig, await rig.client() as client:
        client.writer.transport.pause_reading()
        count = 1500
        await client.send(GET * count)
        await rig.until(lambda: any(driver.client.queued for driver in rig.engine.drivers))
        await rig.until(lambda: statuses(rig)[2] > 0)
        driver = next(iter(rig.engine.drivers))
        assert driver.client.queued < HIGH_WATER + 101_000
        assert statuses(rig)[2] < count
        client.writer.transport.resume_reading()
        for _ in range(count):
            assert len((await client.answer()).body) == 100_000


async def test_pipelined_answers_wait_for_the_client() -> None:
    body = bytes(60_000)

    async def serve(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(ok(body))

    async with Origin(serve) as origin, to(origin) as rig, await rig.client() as client:
        client.writer.transport.pause_reading()
        count = 400
        await client.send(GET * count)
        await rig.until(lambda: any(driver.client.queued for driver in rig.engine.drivers))
        driver = next(iter(rig.engine.drivers))
        assert driver.client.queued < 2 * HIGH_WATER + len(body)
        client.writer.transport.resume_reading()
        for _ in range(count):
            assert (await client.answer()).body == body
        assert origin.connections == 1


async def test_half_close_does_not_cut_what_waits() -> None:
    """The client ends its side while the last answer is still queued."""
    async with Rig(cluster(answering(240_000_000))) as rig, await rig.client() as client:
        client.writer.transport.pause_reading()
        await client.send(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        await rig.until(lambda: any(driver.client.queued for driver in rig.engine.drivers))
        client.end()
        client.writer.transport.resume_reading()
        assert len((await client.answer()).body) == 240_000_000
        assert await client.rest() == b""


async def test_slow_client_of_a_last_answer_is_not_cut() -> None:
    """As long as it takes something."""
    spec = replace(answering(6_000_000), timeouts=Timeouts(send_idle_s=0.6))
    async with Rig(cluster(spec)) as rig:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", rig.port))
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        total = 0
        end = loop.time() + 1.6
        while loop.time() < end:
            total += len(await within(loop.sock_recv(sock, 20_000)))
            await asyncio.sleep(0.05)
        while data := await within(loop.sock_recv(sock, 1 << 20)):
            total += len(data)
        sock.close()
        assert total > 6_000_000


async def test_client_that_goes_frees_its_server() -> None:
    async with Origin(silent) as origin, to(origin) as rig:
        async with await rig.client() as client:
            await client.send(GET)
            await rig.until(lambda: origin.open == 1)
            client.abort()
        await rig.until(lambda: origin.open == 0)
        assert statuses(rig)[4] == 1


async def test_bytes_are_counted_once() -> None:
    async with Origin() as origin, to(origin) as rig, await rig.client() as client:
        await client.ask()
        before = rig.counters.service_cells(0)
        await client.send(b"rubbish\r\n\r\n")
        refusal = await client.rest()
        after = rig.counters.service_cells(0)
    assert sum(after) - sum(before) < 2 * len(refusal)
    assert after[RESPONSES + 4] == before[RESPONSES + 4] + 1


async def test_large_upload_while_connecting() -> None:
    """More than is held for pipelines comes before the server is there."""
    size = 3_000_000
    async with Origin() as origin:
        spec = cluster(
            service(route("web"), timeouts=Timeouts(body_idle_s=3.0)), capped(origin.port)
        )
        async with Rig(spec) as rig, await rig.client() as first, await rig.client() as client:
            await first.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n")
            await rig.until(lambda: origin.open == 1)
            client.writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size)
            client.writer.write(bytes(size))
            await rig.until(lambda: rig.engine.pools["web"].line.length == 1)
            await rig.until(lambda: any(d.client.is_paused for d in rig.engine.drivers))
            await first.send(b"x")
            assert (await first.answer()).status == 200
            assert (await client.answer()).status == 200
        assert len(origin.requests[1].body) == size
