"""Copies of requests to a mirror pool. Nobody waits for them and nothing of theirs is shown.

Each copy has a connection of its own and a deadline; when too many are under way, a copy is
dropped and counted. So the real request can never be slowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l7lb.errors import NoServer
from l7lb.net.stream import ByteStream
from l7lb.pool.slot import Outcome, Slot
from l7lb_protocols.facts import PlainFacts

if TYPE_CHECKING:
    from l7lb.net.host import Cancellable, Host
    from l7lb.pool.pool import Pool

MAX_COPIES = 256
COPY_S = 10.0


class Mirror:
    """All copies of one worker."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.dropped = 0
        self.sent = 0
        self._copies: set[Copy] = set()

    def send(self, pool: Pool, head: bytes, body: bytes) -> None:
        if len(self._copies) >= MAX_COPIES:
            self.dropped += 1
            return
        try:
            slot = pool.take(PlainFacts())
        except NoServer:
            slot = None
        if slot is None:
            self.dropped += 1
            return
        self.sent += 1
        closing = head[:-2] + b"Connection: close\r\n\r\n"
        self._copies.add(Copy(self, pool, slot, closing + body))

    def ended(self, copy: Copy) -> None:
        self._copies.discard(copy)

    def sweep(self, now_s: float) -> None:
        for copy in [c for c in self._copies if c.deadline_s <= now_s]:
            copy.stop(Outcome.TIMEOUT)

    def close(self) -> None:
        for copy in list(self._copies):
            copy.stop(Outcome.CANCELLED)


class Copy:
    """One copy under way: sends, reads the answer to its end, throws it away."""

    source = "127.0.0.1"
    source_port = 0

    def __init__(self, mirror: Mirror, pool: Pool, slot: Slot, data: bytes) -> None:
        self.deadline_s = mirror.host.now() + COPY_S
        self._mirror = mirror
        self._slot = slot
        self._data = data
        self._stream: ByteStream | None = None
        self._dialing: Cancellable | None = mirror.host.dial(pool, slot.server, self)

    def dialed(self, stream: ByteStream | None, error: OSError | None) -> None:
        self._dialing = None
        if stream is None:
            self.stop(Outcome.CONNECT_FAILED)
            return
        self._stream = stream
        stream.write(self._data)
        self._data = b""

    def stream_data(self, stream: ByteStream, data: bytes) -> None:
        self._slot.first_byte()

    def stream_eof(self, stream: ByteStream) -> None:
        self.stop(Outcome.OK)

    def stream_lost(self, stream: ByteStream, error: OSError) -> None:
        self._stream = None
        self.stop(Outcome.FAILED)

    def stream_drained(self, stream: ByteStream) -> None:
        """All of the copy is sent."""

    def stop(self, outcome: Outcome) -> None:
        if self._dialing is not None:
            self._dialing.cancel()
            self._dialing = None
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self._slot.release(outcome)
        self._mirror.ended(self)
