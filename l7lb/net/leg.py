"""A server connection of its own, for whoever needs one outside a driver, or several at once.

Owns one stream, one deadline and, while it works for somebody, one slot. Knows no protocol: its
user speaks, and says when TLS begins.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from l7lb.net.flow import HIGH_WATER
from l7lb.net.stream import FULL, HOLD, ByteStream, Stream
from l7lb.net.tls import Negotiated, TlsStream
from l7lb.net.upstream import server_wrap
from l7lb.pool.slot import Outcome, Slot

if TYPE_CHECKING:
    from l7lb.net.host import Cancellable, Host
    from l7lb.pool.pool import Pool


class LegUser(Protocol):
    """Whoever speaks over a leg. After `leg_lost` no further call comes; none comes from within
    one of the leg's own methods."""

    def leg_ready(self) -> None:
        """Connected (with TLS where the pool has it from the start), or TLS has begun as asked."""

    def leg_data(self, data: bytes) -> None: ...

    def leg_ended(self) -> None:
        """The server sends no more."""

    def leg_drained(self) -> None:
        """All that was queued has gone to the kernel."""

    def leg_lost(self, reason: str) -> None:
        """It was not connected, or broke; it is closed."""

    def leg_late(self) -> None:
        """The deadline has passed."""


class Leg:
    """`connect` once; then `send` …, `release` and `employ` for each piece of work; `close`.

    `source` and `source_port` are what a PROXY header tells the server (`PoolSpec.send_proxy`).
    """

    def __init__(self, host: Host, pool: Pool, slot: Slot, user: LegUser) -> None:
        self.host = host
        self.pool = pool
        self.server = slot.server
        self.source = ""
        self.source_port = 0
        self.secure = False
        self.sent = 0
        """Octets since `employ`."""
        self._user = user
        self._slot: Slot | None = slot
        self._stream: ByteStream | None = None
        self._dialing: Cancellable | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def is_open(self) -> bool:
        return not self._closed

    @property
    def is_full(self) -> bool:
        """Send no more until `leg_drained`."""
        return self._stream is not None and self._stream.queued > HIGH_WATER

    def connect(self, port: int, limit_s: float) -> None:
        """Answers by `leg_ready`, `leg_lost` or, after `limit_s`, `leg_late`. `port`: instead of
        the address's; 0: that one."""
        self.within(limit_s)
        self._dialing = self.host.dial(self.pool, self.server, self, port)

    def dialed(self, stream: ByteStream | None, error: OSError | None) -> None:
        """The engine's answer."""
        self._dialing = None
        if self._closed:
            if stream is not None:
                stream.close()
        elif stream is None:
            self.host.note_failure(self.server, error)
            self._lost(str(error), Outcome.CONNECT_FAILED)
        else:
            self._stream = stream
            self.secure = isinstance(stream, TlsStream)
            self._user.leg_ready()

    def send(self, data: bytes) -> None:
        if self._stream is not None and data:
            self.sent += len(data)
            self._stream.write(data)

    def pause(self) -> None:
        """Read no more from the server."""
        if self._stream is not None:
            self._stream.pause(HOLD)

    def resume(self) -> None:
        if self._stream is not None:
            self._stream.resume(HOLD)

    def within(self, limit_s: float) -> None:
        """Call `leg_late` after so many seconds, instead of the deadline that runs."""
        self.at_ease()
        self._timer = self.host.poller.loop.call_later(limit_s, self._late)

    def at_ease(self) -> None:
        """No deadline."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        if self._stream is None:
            self._stop_dialing()
            self.host.note_failure(self.server, OSError("connect timed out"))
            self.release(Outcome.CONNECT_FAILED)
        self._user.leg_late()

    def start_tls(self) -> None:
        """TLS with what comes from now on; `leg_ready` or `leg_lost` follows."""
        stream = self._stream
        assert isinstance(stream, Stream)
        try:
            wrap = server_wrap(self.pool.spec, self.server.spec)
            self._stream = TlsStream(stream, self, wrap, self._secured)
        except (OSError, ValueError) as problem:  # a certificate or a CA that cannot be used
            self.host.poller.loop.call_soon(self._lost, f"TLS: {problem}", Outcome.FAILED)

    def _secured(self, stream: ByteStream, negotiated: Negotiated) -> None:
        self.secure = True
        self._user.leg_ready()

    # ------------------------------------------------------------------ work and its end

    def employ(self, slot: Slot) -> None:
        """An idle leg works again, on the same server."""
        assert slot.server is self.server
        self._slot = slot
        self.sent = 0

    def release(self, outcome: Outcome) -> None:
        """The work is over; the leg stays open. Only the first call after `employ` counts."""
        if self._slot is not None:
            self._slot.release(outcome)
            self._slot = None

    def close(self, outcome: Outcome = Outcome.CANCELLED) -> None:
        """No call comes any more."""
        self.at_ease()
        self._stop_dialing()
        self._closed = True
        if self._stream is not None:
            self._stream.close()
            self._stream = None
        self.release(outcome)

    def _stop_dialing(self) -> None:
        if self._dialing is not None:
            self._dialing.cancel()
            self._dialing = None

    def _lost(self, reason: str, outcome: Outcome) -> None:
        if not self._closed:
            self.close(outcome)
            self._user.leg_lost(reason)

    # ------------------------------------------------------------------ StreamHandler

    def stream_data(self, stream: ByteStream, data: bytes) -> None:
        if not self._closed:
            self._user.leg_data(data)

    def stream_eof(self, stream: ByteStream) -> None:
        if not self._closed:
            self._user.leg_ended()

    def stream_lost(self, stream: ByteStream, error: OSError) -> None:
        self._lost(str(error), Outcome.FAILED)

    def stream_drained(self, stream: ByteStream) -> None:
        stream.resume(FULL)
        if not self._closed:
            self._user.leg_drained()
