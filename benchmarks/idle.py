"""Opens idle connections, each after one small request, and holds them until its input ends.

Run: `python -m benchmarks.idle PORT COUNT plain|tls`.
"""

from __future__ import annotations

import resource
import socket
import ssl
import sys

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: beta=0\r\n\r\n"
SPARE = 64


def trusting() -> ssl.SSLContext:
    """The certificate is our own, of this run."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def opened(port: int, context: ssl.SSLContext | None) -> socket.socket:
    sock = socket.create_connection(("127.0.0.1", port), timeout=30)
    if context is not None:
        sock = context.wrap_socket(sock)
    sock.sendall(REQUEST)
    answer = b""
    while not (answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"456\n")):
        piece = sock.recv(65536)
        if not piece:
            raise ConnectionError(answer[:80])
        answer += piece
    return sock


def main() -> None:
    port, count, kind = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, count + SPARE), limit))
    context = trusting() if kind == "tls" else None
    socks = [opened(port, context) for _ in range(count)]
    print("open", flush=True)
    sys.stdin.read()
    for sock in socks:
        sock.close()


if __name__ == "__main__":
    main()
