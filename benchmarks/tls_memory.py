"""Memory of idle TLS connections in our process: after the handshake, after small requests, after
1 MiB each way. Kernel buffers are not in it. `python benchmarks/tls_memory.py [CONNECTIONS]`."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import ssl
import sys
import tempfile
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

import trustme

from l7lb.model import Certificate, ListenTls
from l7lb.net.certificates import CertificateStore
from l7lb.net.poller import Poller
from l7lb.net.stream import ByteStream, Stream
from l7lb.net.tls import TlsStream

BULK = bytes(1 << 20)
SMALL = b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"


class Echo:
    """Sends back whatever comes."""

    def on_ready(self, *_: object) -> None: ...

    def stream_data(self, stream: ByteStream, data: bytes) -> None:
        stream.write(data)

    def stream_eof(self, stream: ByteStream) -> None:
        stream.close()

    def stream_lost(self, *_: object) -> None:
        raise RuntimeError("a client was lost")

    def stream_drained(self, *_: object) -> None: ...


def clients(address: tuple[str, int], ca: str, count: int, orders: Connection) -> None:
    """Runs in a process of its own, so that its memory does not count."""
    context = ssl.create_default_context(cafile=ca)
    socks = []
    for payload in iter(orders.recv, None):
        if payload == b"":
            for _ in range(count):
                raw = socket.create_connection(address)
                socks.append(context.wrap_socket(raw, server_hostname="example.org"))
        for sock in socks:
            for start in range(0, len(payload), 32768):
                piece = payload[start : start + 32768]
                sock.sendall(piece)
                left = len(piece)
                while left:
                    left -= len(sock.recv(left))
        orders.send("done")


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


async def measure(count: int, folder: str) -> None:
    ca = trustme.CA()
    issued = ca.issue_cert("example.org")
    pem, ca_file = f"{folder}/own.pem", f"{folder}/ca.pem"
    issued.private_key_and_cert_chain_pem.write_to_path(pem)
    ca.cert_pem.write_to_path(ca_file)
    store = CertificateStore(ListenTls((Certificate(pem),)))
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    orders, theirs = get_context("spawn").Pipe()
    process = get_context("spawn").Process(
        target=clients, args=(listener.getsockname(), ca_file, count, theirs)
    )
    process.start()
    loop = asyncio.get_running_loop()
    poller, echo, streams = Poller(loop), Echo(), []
    listener.setblocking(False)
    before = resident()
    for name, payload in (("handshake", b""), ("small request", SMALL), ("1 MiB each way", BULK)):
        orders.send(payload)
        while payload == b"" and len(streams) < count:
            sock, _ = await loop.sock_accept(listener)
            sock.setblocking(False)
            stream = Stream(poller, sock, echo)
            streams.append(TlsStream(stream, echo, store.wrap, echo.on_ready))
        await loop.run_in_executor(None, orders.recv)
        used = (resident() - before) / count / 1024
        print(f"after {name:15}  {used:6.1f} KiB for each of {count} idle connections")
    orders.send(None)
    process.join()
    poller.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 500, scratch))
