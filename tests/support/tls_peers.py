"""Both ends of TLS connections for tests: ours on a poller, the other one a blocking stdlib client
or server in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import trustme

from l7lb.model import Certificate, ListenTls
from l7lb.net.certificates import CertificateStore
from l7lb.net.poller import Poller
from l7lb.net.stream import ByteStream, Stream
from l7lb.net.tls import Negotiated, TlsStream

WAIT_S = 20.0
"""For what must happen; a test that waits so long has failed."""
T = TypeVar("T")


class Recorder:
    """A handler that keeps what it was told and lets a test wait for it."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.calls: list[str] = []
        self.ready: asyncio.Future[Negotiated] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[OSError] = asyncio.get_running_loop().create_future()
        self.eof = asyncio.Event()
        self.drained = asyncio.Event()
        self.more = asyncio.Event()
        self.on_data: Callable[[ByteStream, bytes], None] | None = None

    def on_ready(self, stream: TlsStream, negotiated: Negotiated) -> None:
        self.calls.append("ready")
        self.ready.set_result(negotiated)

    def stream_data(self, stream: ByteStream, data: bytes) -> None:
        self.calls.append("data")
        self.data += data
        self.more.set()
        if self.on_data is not None:
            self.on_data(stream, data)

    def stream_eof(self, stream: ByteStream) -> None:
        self.calls.append("eof")
        self.eof.set()

    def stream_lost(self, stream: ByteStream, error: OSError) -> None:
        self.calls.append("lost")
        self.lost.set_result(error)

    def stream_drained(self, stream: ByteStream) -> None:
        self.calls.append("drained")
        self.drained.set()

    async def received(self, count: int) -> bytes:
        while len(self.data) < count:
            self.more.clear()
            await within(self.more.wait())
        return bytes(self.data)


async def within(awaitable):  # type: ignore[no-untyped-def]
    return await asyncio.wait_for(awaitable, WAIT_S)


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Two connected TCP sockets; the first does not block, the second has a deadline."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname(), timeout=WAIT_S)
        ours, _ = listener.accept()
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
    return ours, theirs


@dataclass
class Authority:
    """A CA that writes what it issues to files."""

    ca: trustme.CA
    folder: Path

    def issue(self, *names: str, file: str = "", **options: object) -> Certificate:
        issued = self.ca.issue_cert(*names, **options)  # type: ignore[arg-type]
        path = self.folder / ((file or names[0].replace("*", "any")) + ".pem")
        path.unlink(missing_ok=True)
        for blob in (issued.private_key_pem, *issued.cert_chain_pems):
            blob.write_to_path(path, append=True)
        return Certificate(str(path))

    def spoil(self, file: str) -> None:
        (self.folder / file).write_text("half a file")

    @property
    def file(self) -> str:
        path = self.folder / "ca.pem"
        self.ca.cert_pem.write_to_path(path)
        return str(path)

    def client(self, **versions: ssl.TLSVersion) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.ca.configure_trust(context)
        for name, version in versions.items():
            setattr(context, name, version)
        return context


class Ends:
    """Makes our end of connections, and closes all at the end of the test."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.poller = Poller(asyncio.get_running_loop())
        self._exit = contextlib.ExitStack()

    def later(self, close: Callable[[], object]) -> None:
        """Call it at the end of the test."""
        self._exit.callback(close)

    def pair(self) -> tuple[Stream, socket.socket, Recorder]:
        ours, theirs = tcp_pair()
        self._exit.callback(theirs.close)
        recorder = Recorder()
        stream = Stream(self.poller, ours, recorder)
        self._exit.callback(stream.close)
        return stream, theirs, recorder

    def server(
        self, store: CertificateStore | None = None, initial: bytes = b""
    ) -> tuple[TlsStream, socket.socket, Recorder]:
        """We are the server; the socket is the client's."""
        plain, theirs, recorder = self.pair()
        store = store or CertificateStore(ListenTls((self.authority.issue("example.org"),)))
        stream = TlsStream(plain, recorder, store.wrap, recorder.on_ready, initial)
        self._exit.callback(stream.close)
        return stream, theirs, recorder

    async def open_server(
        self, store: CertificateStore | None = None, client: ssl.SSLContext | None = None
    ) -> tuple[TlsStream, ssl.SSLSocket, Recorder]:
        """As `server`, with the handshake done."""
        stream, theirs, recorder = self.server(store)
        sock = await self.handshake(theirs, client)
        await within(recorder.ready)
        return stream, sock, recorder

    async def handshake(
        self,
        theirs: socket.socket,
        client: ssl.SSLContext | None = None,
        name: str | None = "example.org",
    ) -> ssl.SSLSocket:
        context = client or self.authority.client()
        sock = await in_thread(lambda: context.wrap_socket(theirs, server_hostname=name))
        self._exit.callback(sock.close)
        return sock

    def close(self) -> None:
        self._exit.close()
        self.poller.close()


async def in_thread(call: Callable[[], T]) -> T:
    return await within(asyncio.to_thread(call))


def read_all(sock: socket.socket) -> bytes:
    return b"".join(_pieces(sock))


def read_exactly(sock: socket.socket, count: int, at_most: int = 65536) -> bytes:
    received = bytearray()
    while len(received) < count:
        data = sock.recv(min(at_most, count - len(received)))
        if not data:
            break
        received += data
    return bytes(received)


def _pieces(sock: socket.socket) -> Iterator[bytes]:
    while data := sock.recv(65536):
        yield data
