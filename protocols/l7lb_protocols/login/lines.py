"""Lines that end in CRLF, cut from a stream that comes in pieces of any size.

Owns the bytes that nobody has read yet. Must not know what a line means; what breaks the framing
is raised as the caller's own error.
"""

from __future__ import annotations

from collections.abc import Callable


class LineBuffer:
    """`problem` makes the error to raise: NUL, bare CR, bare LF, a line over its limit. After one
    the place where the next line begins is unknown: the connection must end."""

    def __init__(self, problem: Callable[[str], Exception]) -> None:
        self._problem = problem
        self._data = bytearray()
        self._scanned = 0

    def __len__(self) -> int:
        return len(self._data)

    def receive(self, data: bytes) -> None:
        """Bytes of the peer, in order."""
        self._data += data

    def take_line(self, max_bytes: int) -> bytes | None:
        """The next line without its CRLF, which `max_bytes` counts; None: more bytes are needed."""
        data = self._data
        end = data.find(b"\n", self._scanned)
        stop = end if end >= 0 else len(data)
        if stop >= max_bytes:
            raise self._problem("line over the limit")
        if data.find(b"\0", self._scanned, stop) >= 0:
            raise self._problem("NUL in a line")
        cr = data.find(b"\r", max(self._scanned - 1, 0), stop)
        if 0 <= cr < stop - 1:
            raise self._problem("bare CR in a line")
        if end < 0:
            self._scanned = stop
            return None
        if cr < 0:
            raise self._problem("bare LF in a line")
        return self._cut(end + 1)[:-2]

    def take(self, count: int) -> bytes | None:
        """The next `count` bytes; None: more are needed."""
        return None if len(self._data) < count else self._cut(count)

    def rest(self) -> bytes:
        """Everything that was not taken, untouched; the buffer is empty then."""
        return self._cut(len(self._data))

    def _cut(self, count: int) -> bytes:
        taken = bytes(self._data[:count])
        del self._data[:count]
        self._scanned = 0
        return taken
