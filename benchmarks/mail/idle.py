"""Opens idle sessions, each after a login, and holds them until its input ends.

Run: `python -m benchmarks.mail.idle PORT COUNT plain|tls FIRST`.
"""

from __future__ import annotations

import resource
import socket
import ssl
import sys

from benchmarks.idle import SPARE, trusting

WAIT_S = 30.0
MOST_BYTES = 8192


def opened(port: int, number: int, context: ssl.SSLContext | None) -> socket.socket:
    """A session of account `number`, logged in. Raises OSError."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=WAIT_S)
    try:
        if context is not None:
            sock = context.wrap_socket(sock)
        awaited(sock, b"* OK ")
        sock.sendall(b"a LOGIN user%d@example.org secret\r\n" % number)
        awaited(sock, b"a OK ")
        sock.sendall(b"b NOOP\r\n")
        awaited(sock, b"b OK ")
    except OSError:
        sock.close()
        raise
    return sock


def awaited(sock: socket.socket, words: bytes) -> None:
    """Read until a line that begins so. Raises ConnectionError."""
    answer = b""
    while not (answer.endswith(b"\r\n") and (b"\n" + answer).rpartition(b"\n" + words)[1]):
        piece = sock.recv(MOST_BYTES)
        if not piece or len(answer) > MOST_BYTES or answer.startswith(words[:2] + b"NO"):
            raise ConnectionError(answer[:80])
        answer += piece


def main() -> None:
    port, count, kind, first = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, count + SPARE), limit))
    context = trusting() if kind == "tls" else None
    socks = [opened(port, first + number, context) for number in range(count)]
    print("open", flush=True)
    sys.stdin.read()
    for sock in socks:
        sock.close()


if __name__ == "__main__":
    main()
