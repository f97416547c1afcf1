"""From an accepted socket to a session: PROXY header, ClientHello or TLS, as the listener wants.

While something must be read or settled first, the arrival stands in the engine's books in the
driver's place, with the handshake's deadline.
"""

from __future__ import annotations

import ipaddress
import logging
from typing import TYPE_CHECKING, Protocol

from l7lb.model import ListenSpec
from l7lb.net.certificates import CertificateStore
from l7lb.net.driver import Driver
from l7lb.net.preface import Arrived, Preface, is_trusted
from l7lb.net.service import Service
from l7lb.net.stream import ByteStream, Stream
from l7lb.net.tls import Negotiated, TlsStream
from l7lb_protocols.facts import PlainFacts
from l7lb_protocols.http.forwarded import ClientInfo
from l7lb_protocols.tunnel import TunnelSession
from l7lb_protocols.wire import PHASE_KEEP_ALIVE, PHASE_TLS

if TYPE_CHECKING:
    from l7lb.net.host import Host

log = logging.getLogger("l7lb.net")


class Reception:
    """What one listener does with every client, compiled."""

    def __init__(self, listen: ListenSpec, store: CertificateStore | None) -> None:
        self.passthrough = listen.passthrough
        self.store = store if listen.starttls is None else None
        self.starttls = store if listen.starttls is not None else None
        """For clients that ask for TLS in the protocol."""
        self.proxy_from = tuple(ipaddress.ip_network(text) for text in listen.proxy_from)
        self.is_plain = self.store is None and not listen.passthrough and not listen.proxy_from

    def is_proxy(self, source: str) -> bool:
        """Whether this peer says in a PROXY header for whom it speaks."""
        return is_trusted(source, self.proxy_from)


class Door(Protocol):
    """Counts the connections of each client."""

    def enter(self, source: str) -> bool:
        """False: this client has as many as it may."""

    def leave(self, source: str) -> None: ...


class Arrival:
    """One client on its way in. `begin` once."""

    def __init__(self, host: Host, service: Service, stream: Stream, reception: Reception) -> None:
        self.host = host
        self.service = service
        self.source = ""
        self._port = 0
        self._stream: Stream = stream
        self._reception = reception
        self._door: Door | None = None
        self._counted = ""
        self._sni = b""
        self._deadline = 0.0

    def begin(self, source: str, port: int, door: Door) -> None:
        """The client has entered by this door, unless it is a proxy: then the one that it speaks
        for does, when its name is known."""
        self.source = source
        self._port = port
        self._door = door
        reception = self._reception
        self._counted = "" if reception.is_proxy(source) else source
        if reception.is_plain:
            self._serve(self._stream, b"", b"")
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
        if not self._counted:
            assert self._door is not None
            if not self._door.enter(self.source):
                self._failed("too many connections of this client")
                return
            self._counted = self.source
        if self._reception.passthrough:
            self._tunnel(arrived.rest)
        elif self._reception.store is not None:
            self._secure(arrived.rest)
        else:
            self._serve(self._stream, b"", arrived.rest)

    def _secure(self, initial: bytes) -> None:
        store = self._reception.store
        assert store is not None
        self._stream = TlsStream(self._stream, self, store.wrap, self._ready, initial)

    def _ready(self, stream: TlsStream, negotiated: Negotiated) -> None:
        self._sni = negotiated.sni
        self._serve(stream, b"".join(negotiated.peer_names[:1]), b"")

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
        if self._counted and self._door is not None:
            self._door.leave(self._counted)
            self._counted = ""

    # ------------------------------------------------------------------ sessions

    def _driver(self, stream: ByteStream, secure: bool) -> Driver:
        driver = Driver(self.host, self.service, stream, secure)
        driver.source, driver.source_port = self.source, self._port
        driver.left = self.gone
        stream.handler = driver
        if self in self.host.drivers:
            self.host.replaced(self, driver)
        else:
            self.host.opened(driver)
        return driver

    def _serve(self, stream: ByteStream, tls_name: bytes, initial: bytes) -> None:
        secure = self._reception.store is not None
        driver = self._driver(stream, secure)
        driver.starttls = self._reception.starttls
        client = ClientInfo(self.source, secure, self._sni, tls_name)
        session = self.service.plug.open(driver, self.service, client)
        driver.session = session
        driver.draining = self.host.draining
        driver.phase(PHASE_KEEP_ALIVE)
        session.begin()
        if initial:
            driver.stream_data(stream, initial)

    def _tunnel(self, initial: bytes) -> None:
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
