"""What both directions of an RTSP session share: its state, its line of requests, its server.

Owns when a session begins and ends to have a server, and which deadline runs.
"""

from __future__ import annotations

import logging
import socket
from typing import TYPE_CHECKING

from l7lb.media.control.held import Held
from l7lb.media.control.line import Asked, Line
from l7lb.media.control.states import NEXT, State, Turn
from l7lb.media.ports import Choice, RelayAsk
from l7lb.media.quiet import make_quiet
from l7lb_protocols.rtsp.message import response
from l7lb_protocols.rtsp.reader import Reader
from l7lb_protocols.wire import (
    CLIENT,
    OUTCOME_CANCELLED,
    OUTCOME_OK,
    PHASE_FIRST_BYTE,
    PHASE_HEAD,
    PHASE_KEEP_ALIVE,
    PHASE_TUNNEL,
    Session,
)

if TYPE_CHECKING:
    from l7lb.media.control.naming import Naming
    from l7lb.media.control.plug import Front, RtspPlug
    from l7lb.net.driver import Driver
    from l7lb.net.stream import ByteStream
    from l7lb.pool.pool import Pool
    from l7lb.pool.server import Server
    from l7lb_protocols.http.forwarded import ClientInfo

log = logging.getLogger("l7lb.media")
NO_CHOICE = Choice(None, "no server is chosen")


class RtspBase(Session):
    def __init__(self, driver: Driver, plug: RtspPlug, client: ClientInfo) -> None:
        super().__init__()
        self.driver = driver
        self.plug = plug
        self.client = client
        self.office = plug.office
        self.state = State.FREE
        self.front: Front = plug.front(driver.service)
        self.line = Line()
        self.held: dict[bytes, Held] = {}
        """Sessions that were set up over this connection, by the server's id."""
        self.choice = NO_CHOICE
        self.pinned_path = b""
        self._from_client = Reader(self.front.limits)
        self._from_server = Reader(self.front.limits)
        self._pool: Pool | None = None
        self._server: Server | None = None
        self._naming: Naming | None = None
        self._asked_client: set[int] = set()
        """Numbers of the server's requests that the client has not answered."""
        self._deferred: Asked | None = None
        """For another server, when this one has answered what it was asked."""
        self._setting_up: tuple[Asked, RelayAsk] | None = None
        """Ports are being opened for it, as asked here."""
        self._phase = -1
        self._last_words = b""
        self._is_quiet = False
        self.is_closing = False
        """Nothing is read from the client any more; what it asked before is answered."""

    # ------------------------------------------------------------------ state

    def _turn(self, turn: Turn) -> None:
        self.state = NEXT[self.state, turn]
        self._phase = -1

    @property
    def is_over(self) -> bool:
        return self.state is State.OVER

    @property
    def is_interleaved(self) -> bool:
        """Media comes over this connection."""
        return any(held.is_interleaved for held in self.held.values())

    def _is_at(self, pool: str, server: str) -> bool:
        """Whether this is where the connection is pinned."""
        return (
            self._pool is not None
            and self._server is not None
            and (self._pool.name, self._server.name) == (pool, server)
        )

    # ------------------------------------------------------------------ answers

    def _refuse(self, asked: Asked, status: int, reason: str = "") -> None:
        """An answer of our own, in its turn."""
        if reason:
            log.info("request refused", extra=self._fields(f"{status}: {reason}"))
        asked.settle(status, response(status, asked.cseq))
        self._flush()

    def _flush(self) -> None:
        """Send what is due, in the order of the requests."""
        while (asked := self.line.due()) is not None:
            assert asked.answer is not None
            self.driver.send(CLIENT, asked.answer)
            self._log(asked)
        if self.is_closing and not self.line:
            self._say_last()

    def _close_after(self, words: bytes, status: int) -> None:
        """Close when all that was asked is answered, with these words behind."""
        if self.is_over or self.is_closing:
            return
        self.is_closing = True
        self._last_words = words
        self.driver.hold(True)
        if words:
            self.status = status
            self.flags = "B"
        if not self.line:
            self._say_last()

    def _say_last(self) -> None:
        if self._last_words:
            self.driver.begin_exchange()
            self.driver.send(CLIENT, self._last_words)
            self.method = self.target = self.host = b""
            self.driver.log(self)
        self._end(OUTCOME_OK, linger=bool(self._last_words))

    def _log(self, asked: Asked) -> None:
        self.method = asked.method
        self.target = asked.request.target
        self.host = asked.target.host
        self.agent = asked.request.get(b"user-agent")
        self.status = asked.status
        self.driver.served(self._pool, self._server)
        self.driver.log(self)
        self.flags = ""
        self.tries = 0
        if self.line:
            self.driver.begin_exchange()

    # ------------------------------------------------------------------ the server's end

    def _let_go(self, outcome: int) -> None:
        """No server any more; what UDP sessions hold stays until their timeout."""
        self._set_quiet(False)
        self._keep_places()
        self.driver.release(outcome, False)
        self.office.sessions.discard(self)
        self._from_server = Reader(self.front.limits)
        self._asked_client.clear()
        self.held.clear()
        self.pinned_path = b""
        self.choice = NO_CHOICE
        self._pool = self._server = self._naming = None

    def _keep_places(self) -> None:
        """One slot stands for the connection's sessions: the longest of them keeps it. Many a
        player leaves before its TEARDOWN is answered: it has no use for the session any more."""
        relays = self.office.parts.relays
        leaving = {
            asked.tagged.id
            for asked in self.line.at_server()
            if asked.method == b"TEARDOWN" and asked.tagged is not None
        }
        lasting = []
        for held in self.held.values():
            held.stop_listening()
            if not held.is_interleaved and held.id not in leaving:
                lasting.append(held)
            elif held.relay and relays is not None:
                self.office.tell(relays.close(held.relay))
        if not lasting:
            return
        slot = self.driver.keep_slot()
        if slot is not None:
            longest = max(lasting, key=lambda held: held.timeout_s)
            self.office.book.keep(longest.token, slot, longest.timeout_s)

    def _end(self, outcome: int, *, linger: bool = False) -> None:
        """Once: everything is given back, the client's connection closed."""
        if self.is_over:
            return
        self._turn(Turn.END)
        server, pool = self._server, self._pool
        self._let_go(outcome)
        if self.line:
            self._server, self._pool = server, pool
            self._log(self.line.open()[0])
        self.driver.close(linger)

    def _set_quiet(self, is_quiet: bool) -> None:
        """Whether the end of this process shall go unheard, on both sides (`media.quiet`)."""
        if is_quiet == self._is_quiet:
            return
        self._is_quiet = is_quiet
        for stream in (self.driver.client, self.driver.server):
            if stream is not None and not stream.closed:
                make_quiet(stream.fd, is_quiet)

    # ------------------------------------------------------------------ time

    def _pace(self) -> None:
        """Which deadline runs. A head's runs from its first byte; more bytes do not extend it."""
        if self.is_over or self.state in (State.CHOOSING, State.SETTING_UP):
            return
        if self.line.at_server():
            phase = PHASE_FIRST_BYTE
        elif self.held:
            phase = PHASE_TUNNEL
        elif not self._from_client.is_between:
            phase = PHASE_HEAD
        else:
            phase = PHASE_KEEP_ALIVE
        if phase != self._phase or phase not in (PHASE_HEAD, PHASE_FIRST_BYTE):
            self._phase = phase
            self.driver.phase(phase)
        if self.driver.draining and not self.line and not self.held and phase == PHASE_KEEP_ALIVE:
            self._end(OUTCOME_CANCELLED)

    def _fields(self, reason: str) -> dict[str, object]:
        return {
            "service": self.driver.service.name,
            "source": self.driver.source,
            "server": self._server.name if self._server is not None else "",
            "reason": reason,
        }


def local_address(stream: ByteStream | None) -> str:
    """Ours of this connection; empty where it has none (a unix socket)."""
    if stream is None or stream.closed:
        return ""
    with socket.socket(fileno=stream.fd) as sock:
        try:
            name = sock.getsockname()
        finally:
            sock.detach()
    return str(name[0]) if isinstance(name, tuple) else ""
