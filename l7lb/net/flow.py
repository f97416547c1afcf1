"""Bytes between a client and its server: passed to the session, copied, or spliced.

Keeps both sides from overrunning each other. It knows no protocol and no pool; `driver.Driver`
chooses the server and watches the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from l7lb.net.relay import SPLICE_MIN, Splice
from l7lb.net.service import FOREVER_S, Service
from l7lb.net.stream import FULL, HOLD, ByteStream, Stream
from l7lb.pool.cells import RESETS
from l7lb.pool.slot import Slot
from l7lb_protocols.wire import CLIENT, PHASE_NONE, SERVER, Session, Wire

if TYPE_CHECKING:
    from l7lb.net.host import Host

HIGH_WATER = 65536
"""Queued bytes above which the other side is not read."""
MUCH = HIGH_WATER
"""The same as a C constant, which cannot be imported."""


class Flow(Wire):
    """`StreamHandler` of both streams, and the half of `wire.Wire` that moves bytes."""

    def __init__(self, host: Host, service: Service, client: ByteStream) -> None:
        super().__init__()
        self.host = host
        self.service = service
        self.client = client
        self.server: ByteStream | None = None
        self.session: Session | None = None
        self.open = True
        self.left: Callable[[], None] | None = None
        self.deadline = FOREVER_S * 2
        self._asked_s = -FOREVER_S
        self._poller = host.poller
        self._counters = host.counters
        self._phase = PHASE_NONE
        self._limits = service.limits
        self._slot: Slot | None = None
        self._left = [0, 0]
        self._splice: list[Splice | None] = [None, None]
        self._is_splicing = False
        self._lingering = False
        self._closing = False
        self._started = 0.0
        self._bytes_in = 0
        self._bytes_out = 0

    # ------------------------------------------------------------------ Wire: bytes

    def send(self, side: int, data: bytes) -> None:
        if side == CLIENT:
            self._bytes_out += len(data)
            self.client.write(data)
            if self.client.queued > MUCH:
                self._fill()
        elif self.server is not None:
            self._bytes_in += len(data)
            self.server.write(data)
            if self.server.queued > MUCH:
                self.client.pause(FULL)

    def _fill(self) -> None:
        """The client does not keep up: read nothing that would add to what waits for it."""
        self.full = True
        if self.server is not None:
            self.server.pause(FULL)
        else:
            self.client.pause(FULL)

    def _let_client_go(self) -> None:
        """No server holds the client up any more; what waits for itself may."""
        if self.full and self.server is None:
            self.client.pause(FULL)
        else:
            self.client.resume(FULL)

    def relay(self, source: int, count: int) -> None:
        self._left[source] = count
        self._try_splice(source)

    def end(self, side: int) -> None:
        stream = self.client if side == CLIENT else self.server
        if stream is not None:
            stream.write_eof()

    def hold(self, on: bool) -> None:
        if on:
            self.client.pause(HOLD)
        else:
            self.client.resume(HOLD)

    def phase(self, phase: int) -> None:
        self._phase = phase
        self.deadline = self._poller.now_s + self._limits[phase]

    def since_asked_s(self) -> float:
        """Since relayed bytes of the client last came; very long: none ever did."""
        return self._poller.now_s - self._asked_s

    def moved(self) -> int:
        """Bytes of the exchange that is under way, both ways."""
        return self._bytes_in + self._bytes_out

    # ------------------------------------------------------------------ streams

    def stream_data(self, stream: ByteStream, data: bytes) -> None:
        session = self.session
        if stream is self.client:
            if self._closing or session is None:
                return
            if self._left[CLIENT] == 0:
                session.client_data(data)
            else:
                self._copy(CLIENT, data)
        elif stream is self.server and session is not None:
            if self._left[SERVER] == 0:
                session.server_data(data)
            else:
                self._copy(SERVER, data)

    def _copy(self, source: int, data: bytes) -> None:
        """Pass on relayed bytes; what lies beyond them is the session's."""
        session = self.session
        assert session is not None
        left = self._left[source]
        target = SERVER if source == CLIENT else CLIENT
        self.deadline = self._poller.now_s + self._limits[self._phase]
        if source == CLIENT:
            self._asked_s = self._poller.now_s
        if left < 0 or len(data) < left:
            self.send(target, data)
            if left > 0:
                self._left[source] = left - len(data)
            return
        rest = data[left:]
        self.send(target, data[:left] if rest else data)
        self._left[source] = 0
        if rest and source == SERVER:
            session.server_data(rest)
        session.relayed(source)
        if rest and source == CLIENT and not self._closing and self.open:
            session.client_data(rest)

    def stream_eof(self, stream: ByteStream) -> None:
        session = self.session
        if stream is self.client:
            if self._closing or session is None:
                if stream.queued == 0:
                    self._gone()
                    stream.close()
            elif self._left[CLIENT] < 0:
                self._left[CLIENT] = 0
                self._splice[CLIENT] = None
                session.relayed(CLIENT)
            else:
                session.client_eof()
        elif stream is self.server and session is not None:
            if self._left[SERVER] < 0:
                self._left[SERVER] = 0
                self._splice[SERVER] = None
                session.relayed(SERVER)
            else:
                self._count_reset()
                session.server_eof()

    def stream_lost(self, stream: ByteStream, error: OSError) -> None:
        session = self.session
        if stream is self.client:
            self._stop_relays()
            was_open = self.open
            self._gone()
            if session is not None and was_open and not self._closing:
                session.client_lost()
        elif stream is self.server:
            self._stop_relays()
            self.server = None
            self._let_client_go()
            if session is not None:
                self._count_reset()
                session.server_lost()

    def _gone(self) -> None:
        """The client connection has ended for every purpose."""
        if self.open:
            self.open = False
            self.host.closed(self)
            if self.left is not None:
                self.left()

    def _count_reset(self) -> None:
        """The server ended while its answer was due."""
        if self._slot is not None:
            self._counters.count(self._slot.server.index, RESETS)

    def stream_drained(self, stream: ByteStream) -> None:
        if stream is self.client:
            self._client_drained()
        else:
            self._let_client_go()
            if self._left[CLIENT]:
                self._try_splice(CLIENT)

    def _client_drained(self) -> None:
        was_full, self.full = self.full, False
        server = self.server
        if server is not None:
            server.resume(FULL)
        if server is None or not (server.queued > MUCH or blocks(server)):
            self.client.resume(FULL)
        if self._closing:
            if not self._lingering or self.client.at_eof:
                self._gone()
                self.client.close()
        elif self._left[SERVER]:
            self._try_splice(SERVER)
        elif was_full and self._started == 0.0 and self.session is not None:
            self.session.client_data(b"")

    # ------------------------------------------------------------------ splice

    def _try_splice(self, source: int) -> None:
        left = self._left[source]
        server = self.server
        if server is None or self._splice[source] is not None or (0 < left < SPLICE_MIN):
            return
        client = self.client
        if not (client.can_splice and server.can_splice):
            return
        assert isinstance(client, Stream)
        assert isinstance(server, Stream)
        origin, target = (client, server) if source == CLIENT else (server, client)
        if target.is_clear and not origin.at_eof:
            self._is_splicing = True
            self._splice[source] = Splice(origin, target, left, self, self.host.pipes)

    def relay_moved(self, relay: Splice, count: int) -> None:
        if relay is self._splice[CLIENT]:
            self._bytes_in += count
            self._asked_s = self._poller.now_s
        else:
            self._bytes_out += count
        self.deadline = self._poller.now_s + self._limits[self._phase]

    def relay_done(self, relay: Splice) -> None:
        source = CLIENT if relay is self._splice[CLIENT] else SERVER
        self._splice[source] = None
        self._left[source] = 0
        session = self.session
        assert session is not None
        if source == SERVER and self.server is not None and not self.server.is_quiet():
            session.server_data(b"")  # something lies behind the answer: of no more use
        session.relayed(source)

    def _stop_relays(self) -> None:
        self._left[CLIENT] = self._left[SERVER] = 0
        if self._is_splicing:
            self._is_splicing = False
            for source in (CLIENT, SERVER):
                splice = self._splice[source]
                if splice is not None:
                    self._splice[source] = None
                    splice.stop()


def blocks(stream: ByteStream) -> bool:
    """Bytes in a pipe wait for it: it takes none."""
    return isinstance(stream, Stream) and stream.pump_out is not None
