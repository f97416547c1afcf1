"""Where clients come in: accept, count, hand over to an arrival.

One listening socket is shared by all workers; each accepts what it can serve.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections import Counter
from typing import TYPE_CHECKING

from l7lb.model import ListenSpec, ServiceSpec
from l7lb.net.arrival import Arrival, Reception
from l7lb.net.certificates import CertificateStore
from l7lb.net.kernel import accept
from l7lb.net.poller import READ, Pollable
from l7lb.net.stream import Stream

if TYPE_CHECKING:
    from l7lb.net.host import Host

ACCEPT_BATCH = 64
"""Connections taken before others get their turn, where one worker has them all."""
PAUSE_S = 0.5
"""How long no more are accepted when the process has no descriptors left."""
EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))
log = logging.getLogger("l7lb.net")


class Listener(Pollable):
    """Owns the listening socket of one `ServiceSpec.listen` entry in this worker."""

    def __init__(
        self,
        host: Host,
        sock: socket.socket,
        spec: ServiceSpec,
        listen: ListenSpec,
        store: CertificateStore | None,
    ) -> None:
        super().__init__()
        self.host = host
        self.sock = sock
        self._open = True
        self._by_source: Counter[str] = Counter()
        self.configure(spec, listen, store)
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:  # what it accepts inherits this
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host.poller.watch(sock.fileno(), self, READ)

    def configure(
        self, spec: ServiceSpec, listen: ListenSpec, store: CertificateStore | None
    ) -> None:
        """From now on accept by this specification; open connections keep theirs."""
        self.service = spec.name
        self._max_connections = spec.max_connections
        self._max_per_source = spec.max_per_source
        self._reception = Reception(listen, store)

    def close(self) -> None:
        if self._open:
            self._open = False
            self.host.poller.forget(self.sock.fileno())
            self.sock.close()

    def ready(self, events: int) -> None:
        for _ in range(self.host.accept_batch):
            try:
                client = accept(self.sock)
            except OSError as error:
                self._trouble(error)
                return
            if client is None:
                return
            sock, (source, port) = client
            self._accepted(sock, source, port)

    def _trouble(self, error: OSError) -> None:
        """Without descriptors epoll would report the same client without end: pause."""
        if error.errno not in EXHAUSTED:
            log.error("accept failed", extra={"service": self.service, "reason": str(error)})
            return
        log.error("no descriptors left, accepting paused", extra={"service": self.service})
        self.host.poller.forget(self.sock.fileno())
        self.host.poller.loop.call_later(PAUSE_S, self._again)

    def _again(self) -> None:
        if self._open:
            self.host.poller.watch(self.sock.fileno(), self, READ)

    def _accepted(self, sock: socket.socket, source: str, port: int) -> None:
        try:
            self._admit(sock, source, port)
        except Exception:
            log.exception("client dropped at the door", extra={"service": self.service})
            sock.close()

    def _admit(self, sock: socket.socket, source: str, port: int) -> None:
        service = self.host.services.get(self.service)
        if service is None:  # it was taken out of the rules, its socket goes soon
            sock.close()
            return
        if self._is_full(service.number) or not (
            self._reception.is_proxy(source) or self.enter(source)
        ):
            self.host.counters.refused(service.number)
            sock.close()
            return
        stream = Stream(self.host.poller, sock, NOBODY)
        arrival = Arrival(self.host, service, stream, self._reception)
        arrival.begin(source, port, self)

    def _is_full(self, number: int) -> bool:
        limit = self._max_connections
        return limit > 0 and self.host.counters.connections(number) >= limit

    def enter(self, source: str) -> bool:
        """Count one more connection of this client; False: it has as many as it may."""
        if self._max_per_source and self._by_source[source] >= self._max_per_source:
            return False
        self._by_source[source] += 1
        return True

    def leave(self, source: str) -> None:
        self._by_source[source] -= 1
        if self._by_source[source] <= 0:
            del self._by_source[source]


class _Nobody:
    """Handler of a stream in the moment before its arrival takes it."""

    def stream_data(self, stream: object, data: bytes) -> None: ...
    def stream_eof(self, stream: object) -> None: ...
    def stream_lost(self, stream: object, error: OSError) -> None: ...
    def stream_drained(self, stream: object) -> None: ...


NOBODY = _Nobody()
