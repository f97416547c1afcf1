"""A server connection whose session is over on our side: kept until the server has ended its own.

A server may still be at work for the session when the client has gone. Its own end says that it
is done. Owns the connection from then on; knows no protocol.
"""

from __future__ import annotations

from collections.abc import Callable

from l7lb.net.stream import FULL, HOLD, ByteStream

PARTING_S = 60.0
"""A server that has not ended its side by then is cut off."""
DISCARD_BYTES = 1 << 20
"""What it may still say to nobody; one that says more is cut off, which ends what it does."""


class Parting:
    """A `StreamHandler`. `ended` is called once, when the connection is closed, but not by
    `close`."""

    def __init__(
        self, stream: ByteStream, until_s: float, ended: Callable[[Parting], None]
    ) -> None:
        self._stream = stream
        self._until_s = until_s
        self._ended = ended
        self._left = DISCARD_BYTES
        stream.handler = self
        stream.resume(HOLD | FULL)
        stream.write_eof()

    def tick(self, now_s: float) -> None:
        if now_s >= self._until_s:
            self._end()

    def close(self) -> None:
        """Nobody waits any more."""
        self._stream.close()

    def _end(self) -> None:
        self._stream.close()
        self._ended(self)

    # ------------------------------------------------------------------ StreamHandler

    def stream_data(self, stream: ByteStream, data: bytes) -> None:
        self._left -= len(data)
        if self._left < 0:
            self._end()

    def stream_eof(self, stream: ByteStream) -> None:
        self._end()

    def stream_lost(self, stream: ByteStream, error: OSError) -> None:
        self._ended(self)

    def stream_drained(self, stream: ByteStream) -> None:
        """What the client had said has gone to the server: nobody needs to know."""
