"""Large bodies and tunnels: exact bytes, bounded memory, backpressure both ways."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from l7lb.model import Address, ListenSpec, ListenTls
from l7lb.net.flow import HIGH_WATER
from l7lb.net.relay import PIPE_BYTES
from support.peers import Origin, Peer, ok, within
from support.rig import (
    Rig,
    cluster,
    descriptors,
    no_more_descriptors_than,
    pool,
    route,
    service,
    to,
)
from support.tls_peers import Authority

GIB = 1 << 30
MIB = 1 << 20
ROOM = 64 * MIB
BLOCK = bytes(range(256)) * 4096
"""One MiB."""


def rss() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class ThreadOrigin:
    """A blocking origin in a thread: the event loop is the director's alone."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.moved = 0
        self._talk = talk
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        sock, _ = self._listener.accept()
        with sock:
            self._talk(sock)

    async def close(self) -> None:
        self._listener.close()
        await within(asyncio.to_thread(self._thread.join))


class Watched:
    """Samples what the driver holds while bytes are on their way."""

    def __init__(self, rig: Rig) -> None:
        self.before = rss()
        self.most_queued = 0
        self.most_memory = 0
        self._rig = rig

    async def look(self, done: asyncio.Future[object]) -> None:
        while not done.done():
            for driver in self._rig.engine.drivers:
                ends = [driver.client, *([driver.server] if driver.server else [])]
                self.most_queued = max(self.most_queued, *(each.queued for each in ends))
            self.most_memory = max(self.most_memory, rss() - self.before)
            await asyncio.sleep(0.01)

    async def during(self, job: Callable[[], object]) -> object:
        """Run a blocking job in a thread and look meanwhile."""
        task = asyncio.ensure_future(asyncio.to_thread(job))
        await asyncio.wait_for(self.look(task), 50)
        return await task


def skip_head(sock: socket.socket) -> bytes:
    """What came after the head."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    return data.partition(b"\r\n\r\n")[2]


def discard(sock: socket.socket, size: int) -> int:
    room = memoryview(bytearray(4 * MIB))
    total = 0
    while total < size and (count := sock.recv_into(room)):
        total += count
    return total


def send_zeros(sock: socket.socket, count: int) -> None:
    memory = os.memfd_create("zeros")
    os.ftruncate(memory, 64 * MIB)
    while count:
        count -= os.sendfile(sock.fileno(), memory, 0, min(count, 64 * MIB))
    os.close(memory)


def stuck(sock: socket.socket) -> None:
    """Take nothing until the director and the kernel hold all that they want to hold."""
    previous = -1
    waiting = threading.Event()
    while (now := unread(sock)) != previous or now == 0:
        previous = now
        waiting.wait(0.1)


def unread(sock: socket.socket) -> int:
    import fcntl
    import termios

    return int.from_bytes(fcntl.ioctl(sock, termios.FIONREAD, b"\0" * 4), "little")


GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def send_length(sock: socket.socket) -> None:
    skip_head(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIB)
    send_zeros(sock, GIB)


CHUNK = b"%x\r\n" % (4 * MIB) + bytes(4 * MIB) + b"\r\n"


def send_chunks(sock: socket.socket) -> None:
    skip_head(sock)
    sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(GIB // (4 * MIB)):
        sock.sendall(CHUNK)
    sock.sendall(b"0\r\n\r\n")


@pytest.mark.parametrize("talk", [send_length, send_chunks])
async def test_gigabyte_down_to_a_slow_reader(talk: Callable[[socket.socket], None]) -> None:
    origin = ThreadOrigin(talk)
    async with Rig(cluster(service(route("web")), pool("web", origin.port))) as rig:

        def read_all() -> int:
            with socket.create_connection(("127.0.0.1", rig.port), timeout=20) as sock:
                sock.sendall(GET)
                stuck(sock)
                return len(skip_head(sock)) + discard(sock, GIB - MIB)

        watched = Watched(rig)
        assert await watched.during(read_all) >= GIB - MIB
    await origin.close()
    assert watched.most_queued <= HIGH_WATER + 2 * 65536
    assert watched.most_memory < ROOM


@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_upload_to_a_slow_reader(framing: str) -> None:
    got = []
    size = 256 * MIB

    def talk(sock: socket.socket) -> None:
        stuck(sock)
        early = len(skip_head(sock))
        got.append(early + discard(sock, size - early))
        sock.sendall(ok())

    origin = ThreadOrigin(talk)
    async with Rig(cluster(service(route("web")), pool("web", origin.port))) as rig:

        def send_all() -> bytes:
            with socket.create_connection(("127.0.0.1", rig.port)) as sock:
                head = b"POST / HTTP/1.1\r\nHost: a\r\n"
                if framing == "length":
                    sock.sendall(head + b"Content-Length: %d\r\n\r\n" % size)
                    send_zeros(sock, size)
                else:
                    sock.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n")
                    for _ in range(size // (4 * MIB)):
                        sock.sendall(CHUNK)
                return sock.recv(100)

        watched = Watched(rig)
        answer = await watched.during(send_all)
        assert isinstance(answer, bytes)
        assert answer.startswith(b"HTTP/1.1 200 OK")
    await origin.close()
    assert got[0] >= size
    assert watched.most_queued <= HIGH_WATER + 2 * 65536
    assert watched.most_memory < ROOM


async def test_tls_down_to_a_slow_reader(tmp_path: Path) -> None:
    """The buffered path: 128 MiB, since each byte is encrypted twice in this process."""
    size = 128 * MIB

    def talk(sock: socket.socket) -> None:
        skip_head(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        send_zeros(sock, size)

    origin = ThreadOrigin(talk)
    authority = Authority(trustme.CA(), tmp_path)
    listen = ListenSpec(Address("127.0.0.1", 0), ListenTls((authority.issue("a"),)))
    spec = cluster(service(route("web"), listen=(listen,)), pool("web", origin.port))
    context = authority.client()
    async with Rig(spec) as rig:

        def read_all() -> int:
            plain = socket.create_connection(("127.0.0.1", rig.port), timeout=20)
            with context.wrap_socket(plain, server_hostname="a") as sock:
                sock.sendall(GET)
                while unread(sock) == 0:
                    threading.Event().wait(0.01)
                total = len(skip_head(sock))
                stuck(sock)
                return total + discard(sock, size - total)

        watched = Watched(rig)
        assert await watched.during(read_all) == size
    await origin.close()
    assert watched.most_queued <= HIGH_WATER + 3 * 65536
    assert watched.most_memory < ROOM


async def test_splice_moves_exact_bytes() -> None:
    """Bodies of odd sizes both ways, with more requests right behind each."""
    sizes = [65536, 65537, 200_003, PIPE_BYTES, PIPE_BYTES + 1, 9 * MIB + 17]

    async def serve_echo(peer: Peer) -> None:
        while True:
            request = await peer.request()
            await peer.send(ok(request.body))

    bodies = [os.urandom(size) for size in sizes]
    async with Origin(serve_echo) as origin, to(origin) as rig, await rig.client() as client:

        async def send() -> None:
            for body in bodies:
                head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
                await client.send(head + body + GET)

        task = asyncio.create_task(send())
        for body in bodies:
            echoed = (await client.answer()).body
            assert hashlib.sha256(echoed).digest() == hashlib.sha256(body).digest()
            assert (await client.answer()).body == b""
        await task
        assert origin.connections == 1


async def test_until_close_answer_is_spliced_whole() -> None:
    async def serve_file(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        for _ in range(20):
            await peer.send(BLOCK)

    async with Origin(serve_file) as origin, to(origin) as rig, await rig.client() as client:
        await client.send(GET)
        answer = await client.answer()
        assert hashlib.sha256(answer.body).digest() == hashlib.sha256(BLOCK * 20).digest()


async def test_websocket() -> None:
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with serve(echo, "127.0.0.1", 0, max_size=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with Rig(cluster(service(route("web")), pool("web", port))) as rig:
            url = f"ws://127.0.0.1:{rig.port}/chat"
            async with connect(url, max_size=None) as ws:
                for message in ("hello", os.urandom(3 * MIB), ""):
                    await ws.send(message)
                    assert await within(ws.recv()) == message
                await within(await ws.ping())
            await rig.until(lambda: not rig.engine.drivers)


async def test_tunnel_half_closes_each_way() -> None:
    async def serve_tunnel(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nfirst")
        came = await peer.rest()
        await peer.send(came.upper())
        await peer.close()

    async with Origin(serve_tunnel) as origin, to(origin) as rig, await rig.client() as client:
        answer = await client.ask("/", "Connection: upgrade", "Upgrade: x")
        assert answer.status == 101
        assert await client.read(5) == b"first"
        await client.send(b"hello")
        client.end()
        assert await client.rest() == b"HELLO"
        await rig.until(lambda: not rig.engine.drivers)


async def test_refused_upgrade_goes_on_as_http() -> None:
    async with Origin() as origin, to(origin) as rig, await rig.client() as client:
        fields = ("Connection: upgrade", "Upgrade: websocket")
        assert (await client.ask("/", *fields)).status == 200
        assert (await client.ask("/")).status == 200


async def test_early_answer_ends_a_blocked_upload() -> None:
    """The server takes nothing, answers, and the client still sees it."""

    async def serve_early(peer: Peer) -> None:
        peer.writer.transport.pause_reading()
        await answer_now.wait()
        await peer.send(ok(b"early"))

    answer_now = asyncio.Event()
    async with Origin(serve_early) as origin, to(origin) as rig, await rig.client() as client:
        client.writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n")
        for _ in range(20):
            client.writer.write(BLOCK)
        await rig.until(lambda: any(d.server and d.server.pump_out for d in rig.engine.drivers))
        answer_now.set()
        assert (await client.answer()).body == b"early"


async def test_pipes_are_given_back() -> None:
    async with Origin() as origin, to(origin) as rig:
        await rig.ask()  # a loop opens some of its own when it is used
        before = descriptors()

    async def serve_file(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BLOCK) + BLOCK)

    async with Origin(serve_file) as origin, to(origin) as rig:
        for _ in range(5):
            assert (await rig.ask()).body == BLOCK
        for _ in range(5):
            async with await rig.client() as client:
                await client.send(GET)
                await client.head()
                client.abort()
        await rig.until(lambda: not rig.engine.drivers)
    await no_more_descriptors_than(before)
