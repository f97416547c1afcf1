"""Where others ask the relay: a listening SOCK_SEQPACKET socket and its connections.

Owns who may ask, reading requests, answering, and telling news. It never waits: whoever does not
read its answers is cut off, and connects again. Must not know what the verbs do.
"""

from __future__ import annotations

import logging
import os
import select
import socket
import struct
from collections.abc import Callable

from l7lb.media.relay import wire
from l7lb.media.relay.verbs import Hear, News, Refusal, RelayRefusal, Request

CONNECTIONS = 256
REQUESTS = 32
"""Of one connection, before packets have their turn again."""

Answerer = Callable[[Request], wire.Reply]
"""Raises RelayRefusal."""

_log = logging.getLogger("l7lb.media.relay")


class Desk:
    """`ready` with each descriptor of its that can be read."""

    def __init__(self, listener: socket.socket, epoll: select.epoll, answer: Answerer) -> None:
        self._listener = listener
        self._epoll = epoll
        self._answer = answer
        self._connections: dict[int, socket.socket] = {}
        self._hearers: set[int] = set()
        listener.setblocking(False)
        epoll.register(listener, select.EPOLLIN)

    def ready(self, fd: int) -> None:
        if fd == self._listener.fileno():
            self._accept()
        elif fd in self._connections:
            self._serve(fd)

    def tell(self, news: News) -> None:
        """To all who want to hear."""
        data = wire.encode_news(news)
        for fd in list(self._hearers):
            self._send(fd, data)

    def close(self) -> None:
        for fd in list(self._connections):
            self._drop(fd)
        self._listener.close()

    # ------------------------------------------------------------------ connections

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        sock.setblocking(False)
        if not is_ours(sock) or len(self._connections) >= CONNECTIONS:
            _log.warning("relay-refused-connection", extra={"uid": peer_uid(sock)})
            sock.close()
            return
        self._connections[sock.fileno()] = sock
        self._epoll.register(sock, select.EPOLLIN)

    def _drop(self, fd: int) -> None:
        sock = self._connections.pop(fd, None)
        self._hearers.discard(fd)
        if sock is not None:
            self._epoll.unregister(sock)
            sock.close()

    def _serve(self, fd: int) -> None:
        for _ in range(REQUESTS):
            sock = self._connections.get(fd)
            if sock is None:
                return
            try:
                data = sock.recv(wire.REQUEST_BYTES + 1)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._drop(fd)
                return
            self._send(fd, self._reply(fd, data))

    def _reply(self, fd: int, data: bytes) -> bytes:
        try:
            number, request = wire.decode_request(data)
        except wire.WireError as error:
            refusal = RelayRefusal(Refusal.BAD_REQUEST, str(error))
            return wire.encode_reply(max(error.number, 0), refusal)
        if isinstance(request, Hear):
            self._hearers.add(fd)
            return wire.encode_reply(number, {})
        try:
            return wire.encode_reply(number, self._answer(request))
        except RelayRefusal as refusal:
            return wire.encode_reply(number, refusal)

    def _send(self, fd: int, data: bytes) -> None:
        try:
            self._connections[fd].send(data, socket.MSG_NOSIGNAL)
        except OSError:  # it is gone, or it does not read
            self._drop(fd)


def peer_uid(sock: socket.socket) -> int:
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return int(struct.unpack("3i", data)[1])


def is_ours(sock: socket.socket) -> bool:
    """The other end runs as root or as we do."""
    return peer_uid(sock) in {0, os.geteuid()}
