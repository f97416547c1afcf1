"""Bytes passed on unseen once a server is chosen: TLS passthrough by SNI.

The listener has read the ClientHello; the facts are complete before the first call.
"""

from __future__ import annotations

from l7lb_protocols.facts import PlainFacts
from l7lb_protocols.wire import (
    CLIENT,
    FAILED,
    OUTCOME_CANCELLED,
    OUTCOME_FAILED,
    OUTCOME_OK,
    PENDING,
    PHASE_TUNNEL,
    SERVER,
    Session,
    Wire,
)


class TunnelSession(Session):
    """`start(initial)` chooses a server and sends it the bytes that were read already."""

    def __init__(self, wire: Wire, facts: PlainFacts) -> None:
        super().__init__()
        self.wire = wire
        self.facts = facts
        self.method = b"TUNNEL"
        self.host = facts.sni
        self._initial = b""
        self._ended = 0
        self._open = False

    def start(self, initial: bytes) -> None:
        self._initial = initial
        if self.wire.decide(self.facts).reply is not None:
            self._stop(OUTCOME_CANCELLED)
            return
        self._dispatched(self.wire.connect(self.facts, True))

    def _dispatched(self, code: int) -> None:
        if code == FAILED:
            self._stop(OUTCOME_CANCELLED)
        elif code != PENDING:
            self.server_ready()

    def client_data(self, data: bytes) -> None:
        """Only while the server is not there yet."""
        self._initial += data
        self.wire.hold(True)

    def client_eof(self) -> None:
        self._stop(OUTCOME_CANCELLED)

    def client_lost(self) -> None:
        self.wire.release(OUTCOME_CANCELLED, False)
        self.wire.log(self)

    def server_ready(self) -> None:
        self._open = True
        self.wire.send(SERVER, self._initial)
        self._initial = b""
        self.wire.hold(False)
        self.wire.phase(PHASE_TUNNEL)
        self.wire.relay(CLIENT, -1)
        self.wire.relay(SERVER, -1)

    def server_failed(self, status: int) -> None:
        self.tries += 1
        self._dispatched(self.wire.retry(self.facts, False))

    def server_data(self, data: bytes) -> None:
        self.wire.send(CLIENT, data)

    def server_eof(self) -> None:
        self._stop(OUTCOME_FAILED)

    def server_lost(self) -> None:
        self._stop(OUTCOME_FAILED)

    def relayed(self, source: int) -> None:
        self._ended |= 1 << source
        if self._ended == 3:
            self.wire.release(OUTCOME_OK, False)
            self.wire.log(self)
            self.wire.close(False)
        else:
            self.wire.end(SERVER if source == CLIENT else CLIENT)

    def expired(self, phase: int) -> None:
        self.flags += "X"
        self._stop(OUTCOME_OK if self._open else OUTCOME_CANCELLED)

    def _stop(self, outcome: int) -> None:
        self.wire.release(outcome, False)
        self.wire.log(self)
        self.wire.abort()
