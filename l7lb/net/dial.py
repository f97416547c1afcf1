"""Connections to servers: opened with a deadline by whoever asks, kept open, used again.

Knows no protocol; `net.upstream` adds the PROXY header and TLS.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable

from l7lb.model import Endpoint
from l7lb.net.poller import WRITE, Pollable, Poller
from l7lb.net.stream import ByteStream, Stream, StreamHandler


class Dialing(Pollable):
    """One connection being opened. `done(stream, error)` is called once, unless cancelled."""

    def __init__(
        self,
        poller: Poller,
        endpoint: Endpoint,
        handler: StreamHandler,
        done: Callable[[Stream | None, OSError | None], None],
    ) -> None:
        super().__init__()
        self._poller = poller
        self._handler = handler
        self._done = done
        self._sock: socket.socket | None = None
        try:
            self._open(endpoint)
        except OSError as error:
            self._forget_socket()
            poller.loop.call_soon(self._finish, error)

    def _open(self, endpoint: Endpoint) -> None:
        family, address = endpoint
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._sock = sock
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        self._poller.watch(sock.fileno(), self, WRITE)

    def ready(self, events: int) -> None:
        """Called by the poller: connected, or refused."""
        sock = self._sock
        assert sock is not None
        code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._forget_socket()
            self._finish(OSError(code, os.strerror(code)))
        else:
            self._sock = None
            self._done(Stream(self._poller, sock, self._handler), None)

    def _finish(self, error: OSError) -> None:
        done, self._done = self._done, _nothing
        done(None, error)

    def cancel(self) -> None:
        self._done = _nothing
        self._forget_socket()

    def _forget_socket(self) -> None:
        if self._sock is not None:
            self._poller.forget(self._sock.fileno())
            self._sock.close()
            self._sock = None


def _nothing(stream: Stream | None, error: OSError | None) -> None:
    """Nobody waits any more."""


class IdleConnections:
    """Open connections to one server that no exchange uses. Last in, first out, so that a burst's
    surplus grows old and is closed."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._idle: dict[ByteStream, float] = {}

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, careful: bool) -> ByteStream | None:
        """`careful`: look whether the server has closed it meanwhile (one system call)."""
        while self._idle:
            stream, _ = self._idle.popitem()
            if not careful or stream.is_quiet():
                return stream
            stream.close()
        return None

    def put(self, stream: ByteStream, until_s: float) -> None:
        """Keep until this monotonic time."""
        if len(self._idle) >= self.limit:
            stream.close()
        else:
            stream.handler = self
            self._idle[stream] = until_s

    def sweep(self, now_s: float) -> None:
        """Close what is too old."""
        for stream in [s for s, until_s in self._idle.items() if until_s <= now_s]:
            self._drop(stream)

    def close(self) -> None:
        for stream in list(self._idle):
            self._drop(stream)

    def _drop(self, stream: ByteStream) -> None:
        self._idle.pop(stream, None)
        stream.close()

    # An idle connection has nothing to say: whatever comes, it is of no more use.

    def stream_data(self, stream: ByteStream, data: bytes) -> None:
        self._drop(stream)

    def stream_eof(self, stream: ByteStream) -> None:
        self._drop(stream)

    def stream_lost(self, stream: ByteStream, error: OSError) -> None:
        self._idle.pop(stream, None)

    def stream_drained(self, stream: ByteStream) -> None:
        """Nothing waits on an idle connection."""
