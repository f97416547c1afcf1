"""From an accepted socket to a session: PROXY header, ClientHello or TLS, as the listener wants.

While something must be read or settled first, the arrival stands in the engine's books in the
driver's place, with the handshake's deadline.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from l7lb.model import ListenSpec
from l7lb.net.certificates import CertificateStore
from l7lb.net.driver import Driver
from l7lb.net.preface import Arrived, Preface
from l7lb.net.service import Service
from l7lb.net.stream import ByteStream, Stream
from l7lb.net.tls import Negotiated, TlsStream
from l7lb_protocols.facts import PlainFacts
from l7lb_protocols.http.forwarded import ClientInfo
from l7lb_protocols.http.session import HttpSession
from l7lb_protocols.tunnel import TunnelSession
from l7lb_protocols.wire import PHASE_KEEP_ALIVE, PHASE_TLS

if TYPE_CHECKING:
    from l7lb.net.host import Host

log = logging.getLogger("l7lb.net")


class Reception:
    """What one listener does with every client, compiled."""

    def __init__(self, listen: ListenSpec, store: CertificateStore | None) -> None:
        self.passthrough = listen.passthrough
        self.store = store
        self.proxy_from = tuple(ipaddress.ip_network(text) for text in listen.proxy_from)
        self.is_plain = store is None and not listen.passthrough and not listen.proxy_from


class Arrival:
    """One client on its way in. `begin` once."""

    def __init__(self, host: Host, service: Service, stream: Stream, reception: Reception) -> None:
        self.host = host
        self.service = service
        self.source = ""
        self._port = 0
        self._stream: Stream = stream
        self._reception = reception
        self._left: Callable[[str], None] | None = None
        self._counted = ""
        self._sni = b""
        self._deadline = 0.0

    def begin(self, source: str, port: int, left: Callable[[str], None] | None) -> None:
        """`left(source)` is called when the connection has ended."""
        self.source = source
        self._counted = source
        self._port = port
        self._left = left
        reception = self._reception
        if reception.is_plain:
            self._http(self._stream, b"", b"")
            return
        self._deadline = self.host.now() + self.service.limits[PHASE_TLS]
        self.host.opened(self)
        if reception.proxy_from or reception.passthrough:
            self._stream.handler = Preface(
                self._stream,
                source,
                reception.proxy_from,
                reception.passthrough,
                self._arrived,
                self._failed,
            )
        else:
            self._secure(b"")

    def _arrived(self, arrived: Arrived) -> None:
        """What stands before the protocol has been read."""
        if arrived.source:
            self.source, self._port = arrived.source, arrived.source_port
        self._sni = arrived.sni
        if self._reception.passthrough:
            self._tunnel(arrived.rest)
        elif self._reception.store is not None:
            self._secure(arrived.rest)
        else:
            self.host.closed(self)
            self._http(self._stream, b"", arrived.rest)

    def _secure(self, initial: bytes) -> None:
        store = self._reception.store
        assert store is not None
        self._stream = TlsStream(self._stream, self, store.wrap, self._ready, initial)

    def _ready(self, stream: TlsStream, negotiated: Negotiated) -> None:
        self.host.closed(self)
        self._sni = negotiated.sni
        self._http(stream, b"".join(negotiated.peer_names[:1]), b"")

    def _failed(self, reason: str) -> None:
        log.info(
            "client refused before its request",
            extra={"service": self.service.name, "source": self.source, "reason": reason},
        )
        self.host.counters.refused(self.service.number)
        self._end()

    def _end(self) -> None:
        self._stream.close()
        self.host.closed(self)
        self.gone()

    def gone(self) -> None:
        if self._left is not None:
            self._left(self._counted)
            self._left = None

    # ------------------------------------------------------------------ sessions

    def _driver(self, stream: ByteStream, secure: bool) -> Driver:
        driver = Driver(self.host, self.service, stream, secure)
        driver.source, driver.source_port = self.source, self._port
        driver.left = self.gone
        stream.handler = driver
        self.host.opened(driver)
        return driver

    def _http(self, stream: ByteStream, tls_name: bytes, initial: bytes) -> None:
        secure = self._reception.store is not None
        driver = self._driver(stream, secure)
        client = ClientInfo(self.source, secure, self._sni, tls_name)
        driver.session = HttpSession(driver, self.service.settings, client)
        driver.draining = self.host.draining
        driver.phase(PHASE_KEEP_ALIVE)
        if initial:
            driver.stream_data(stream, initial)

    def _tunnel(self, initial: bytes) -> None:
        self.host.closed(self)
        driver = self._driver(self._stream, False)
        facts = PlainFacts(host=self._sni, sni=self._sni, source=self.source)
        session = TunnelSession(driver, facts)
        driver.session = session
        session.start(initial)

    # ------------------------------------------------------------------ in the engine's books

    def tick(self, now: float) -> None:
        if now >= self._deadline:
            self._failed("handshake took too long")

    def drain(self) -> None:
        """It has not asked for anything yet."""
        self._end()

    def abort(self) -> None:
        self._end()

    # ------------------------------------------------------------------ StreamHandler, until ready

    def stream_data(self, stream: ByteStream, data: bytes) -> None:
        """Comes only after `_ready`, which puts the driver in our place."""

    def stream_eof(self, stream: ByteStream) -> None:
        self._failed("client left before its request")

    def stream_lost(self, stream: ByteStream, error: OSError) -> None:
        self._failed(str(error))

    def stream_drained(self, stream: ByteStream) -> None:
        """Nothing of ours is written yet."""
