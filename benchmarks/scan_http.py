"""CPU per HTTP head: our scanners beside h11, on the same bytes, compiled or not as installed.

Run: `python benchmarks/scan_http.py [ROUNDS]`. CPU seconds of this process; the median of the
rounds, each of which measures every line once, so that a busy machine slows all alike.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import h11

from l7lb_protocols.http import scanner
from l7lb_protocols.http.chunked import ChunkScanner
from l7lb_protocols.http.scanner import DROP_XFF, RequestScanner, ResponseScanner

REQUEST = (
    b"GET /assets/app.js?v=12 HTTP/1.1\r\nHost: www.example.org\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
    b"Connection: keep-alive\r\nCookie: session=abcdef0123456789; theme=dark; L7LB=abcdefgh\r\n"
    b"Referer: https://www.example.org/\r\nUpgrade-Insecure-Requests: 1\r\n\r\n"
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 01 Jan 2030 00:00:00 GMT\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 13\r\nConnection: keep-alive\r\n"
    b'ETag: "abc"\r\n\r\n'
)
CHUNKED = b"1000\r\n" + b"x" * 4096 + b"\r\n0\r\n\r\n"
ADDED = b"X-Forwarded-For: 192.0.2.1\r\nVia: 1.1 l7lb\r\n"

requests = RequestScanner()
responses = ResponseScanner()
chunks = ChunkScanner()


def scan_request() -> None:
    requests.scan(REQUEST)


def scan_and_forward() -> None:
    requests.scan(REQUEST)
    requests.forward(ADDED, DROP_XFF)


def find_cookie() -> None:
    requests.cookie(b"L7LB")


def scan_response() -> None:
    responses.scan(RESPONSE, 0, b"GET")


def scan_and_forward_response() -> None:
    responses.scan(RESPONSE, 0, b"GET")
    responses.forward(b"")


def scan_chunks() -> None:
    chunks.reset()
    chunks.scan(CHUNKED)


def h11_request() -> None:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(REQUEST)
    connection.next_event()


def h11_response() -> None:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(RESPONSE)
    connection.next_event()


LINES: tuple[tuple[str, Callable[[], None], int], ...] = (
    (f"request head of {len(REQUEST)} bytes", scan_request, 20_000),
    ("request head, and the head to send on", scan_and_forward, 20_000),
    ("cookie out of a scanned request", find_cookie, 20_000),
    (f"response head of {len(RESPONSE)} bytes", scan_response, 20_000),
    ("response head, and the head to send on", scan_and_forward_response, 20_000),
    ("chunked body, one chunk of 4 KiB", scan_chunks, 20_000),
    ("h11: request head", h11_request, 500),
    ("h11: response head", h11_response, 500),
)


def cpu_per_call(work: Callable[[], None], count: int) -> float:
    start = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - start) / count


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    figures = [[cpu_per_call(work, count) for _, work, count in LINES] for _ in range(rounds)]
    compiled = not (scanner.__file__ or "").endswith(".py")
    print(f"{'compiled' if compiled else 'uncompiled'}, median of {rounds} rounds")
    for position, (name, _, _) in enumerate(LINES):
        seconds = statistics.median(row[position] for row in figures)
        print(f"{name:42} {seconds * 1e6:9.2f} us {1 / seconds:12,.0f}/s")


if __name__ == "__main__":
    main()
