"""A server that records exactly what arrives, read by h11, and answers each request at once."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import h11

from badinput.seen import Reader, Seen

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
READ = 65536
WAIT_S = 10.0


class Loopback:
    """Accepts on a free port of loopback, a thread for each connection, until closed."""

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._serve = serve
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for sock in self._open:
                sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(sock)
            threading.Thread(target=self._run, args=(sock,), daemon=True).start()

    def _run(self, sock: socket.socket) -> None:
        try:
            self._serve(sock)
        except OSError:
            pass  # the other side went away, as some entries make it do
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()


class Recorder:
    """Whole requests in the order of their ends; `noise` counts what was begun and not finished,
    and everything that h11 refuses."""

    def __init__(self) -> None:
        self._seen: list[Seen] = []
        self._noise: list[bytes] = []
        self._begun: dict[socket.socket, bytes] = {}
        """What open connections have sent of requests that are not whole yet."""
        self._lock = threading.Lock()
        self._server = Loopback(self._serve)
        self.port = self._server.port

    def close(self) -> None:
        self._server.close()

    def add(self, seen: Seen) -> None:
        with self._lock:
            self._seen.append(seen)

    def take(self) -> list[Seen]:
        """What arrived since the last call."""
        with self._lock:
            seen, self._seen = self._seen, []
            return seen

    def take_noise(self) -> list[bytes]:
        """Bytes that are no whole request and came since the last call."""
        with self._lock:
            noise, self._noise = self._noise, []
            return noise + [raw for raw in self._begun.values() if raw]

    def _serve(self, sock: socket.socket) -> None:
        reader = Reader()
        try:
            while data := sock.recv(READ):
                self._note(sock, self._begun.get(sock, b"") + data)
                for seen in reader.feed(data):
                    self.add(seen)
                    self._note(sock, b"")  # before the answer, which lets the test go on
                    sock.sendall(OK)
        except h11.RemoteProtocolError:
            pass  # it stays as noise
        finally:
            with self._lock:
                raw = self._begun.pop(sock, b"")
                self._noise += [raw] if raw else []

    def _note(self, sock: socket.socket, raw: bytes) -> None:
        with self._lock:
            self._begun[sock] = raw
