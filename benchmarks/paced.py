"""An open-loop client: one request each 1/RATE seconds, whether or not earlier ones are answered.

Run: `python -m benchmarks.paced PORT PATH RATE SECONDS`. Latency counts from the moment at which a
request was due, so a proxy that stalls pays for every request that it made wait. Connections are
bounded; a request that finds none free waits for one.
"""

from __future__ import annotations

import gc
import json
import select
import socket
import sys
from collections import deque
from time import perf_counter

from benchmarks.load import HEADERS

CONNECTIONS = 64
BODY_END = b"456\n"
LONGEST_QUEUE_S = 1.0
DRAIN_S = 5.0


class FellBehind(Exception):
    """The rate was more than the proxy, or this client, could take."""


class Client:
    """Keep-alive connections, and the due times of the requests on them."""

    def __init__(self, port: int, request: bytes) -> None:
        self.request = request
        self.poll = select.epoll()
        self.socks: dict[int, socket.socket] = {}
        self.due: dict[int, float] = {}
        self.latencies: list[float] = []
        self.waiting: deque[float] = deque()
        for _ in range(CONNECTIONS):
            sock = socket.create_connection(("127.0.0.1", port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setblocking(False)
            self.poll.register(sock, select.EPOLLIN)
            self.socks[sock.fileno()] = sock
        self.free = list(self.socks)

    def run(self, rate: float, seconds: float) -> None:
        gap = 1 / rate
        start = perf_counter() + 0.01
        count = int(rate * seconds)
        sent = 0
        while sent < count or self.due or self.waiting:
            now = perf_counter()
            while sent < count and start + sent * gap <= now:
                self.waiting.append(start + sent * gap)
                sent += 1
            self.send(now)
            if now > start + seconds + DRAIN_S:
                raise FellBehind(f"{len(self.due)} requests without an answer")
            self.take(max(0.0, start + sent * gap - perf_counter()) if sent < count else 0.1)

    def send(self, now: float) -> None:
        waiting, free = self.waiting, self.free
        if waiting and now - waiting[0] > LONGEST_QUEUE_S:
            raise FellBehind(f"{len(waiting)} requests wait for a connection")
        while waiting and free:
            fd = free.pop()
            self.due[fd] = waiting.popleft()
            self.socks[fd].send(self.request)

    def take(self, timeout_s: float) -> None:
        # select, for epoll's own timeout is in milliseconds.
        if timeout_s and not select.select([self.poll], (), (), timeout_s)[0]:
            return
        for fd, _ in self.poll.poll(0):
            data = self.socks[fd].recv(65536)
            if not data:
                raise FellBehind("a connection was closed")
            if not data.endswith(BODY_END):
                continue
            self.latencies.append(perf_counter() - self.due.pop(fd))
            self.free.append(fd)


def main() -> None:
    port, path, rate, seconds = sys.argv[1:]
    fields = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{fields}\r\n".encode()
    gc.disable()
    client = Client(int(port), request)
    client.run(float(rate), float(seconds))
    found = sorted(client.latencies)
    figures = {
        "sent": len(found),
        "p50_ms": found[len(found) // 2] * 1e3,
        "p99_ms": found[len(found) * 99 // 100] * 1e3,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
