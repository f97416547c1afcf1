"""A server for the soak: small, large, chunked, echo of a body, and a WebSocket-like tunnel.

`python soak_origin.py PORT`. Standard library only; one thread for each connection.
"""

from __future__ import annotations

import socket
import sys
import threading

BIG = bytes(range(256)) * 1024
"""256 KiB, so that the director splices."""


def read_head(stream: socket.SocketIO) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.read(1)
        if not byte:
            return b""
        head += byte
    return head


def reply(path: bytes, body: bytes) -> bytes:
    if path.startswith(b"/chunked"):
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (b"a" * 100, b"b" * 5000))
        return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    payload = BIG if path.startswith(b"/big") else body or b"small answer\n"
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(payload) + payload


def tunnel(conn: socket.socket) -> None:
    conn.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
    )
    while data := conn.recv(4096):
        conn.sendall(data)


def serve(conn: socket.socket) -> None:
    stream = conn.makefile("rb")
    with conn, stream:
        try:
            while head := read_head(stream):  # type: ignore[arg-type]
                lower = head.lower()
                path = head.split(b" ")[1]
                if b"\r\nupgrade: echo" in lower:
                    tunnel(conn)
                    return
                length = 0
                for line in lower.split(b"\r\n"):
                    if line.startswith(b"content-length:"):
                        length = int(line[15:])
                conn.sendall(reply(path, stream.read(length)))
        except OSError:
            return  # the soak kills and cuts: that is what it is for


def main() -> None:
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=256)
    while True:
        conn, _ = listener.accept()
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(conn,), daemon=True).start()


if __name__ == "__main__":
    main()
