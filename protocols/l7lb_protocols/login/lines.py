"""Lines that end in CRLF, cut from a stream that comes in pieces of any size.

Owns the bytes that nobody has read yet. Must not know what a line means; what breaks the framing
is raised as the caller's own error.
"""

from __future__ import annotations

from collections.abc import Callable

NUL, TAB, LF, CR = b"\0\t\n\r"


class LineBuffer:
    """`problem` makes the error to raise: NUL, bare CR, bare LF, a line over its limit. After one
    the place where the next line begins is unknown: the connection must end."""

    def __init__(self, problem: Callable[[str], Exception]) -> None:
        self._problem = problem
        self._data = b""
        self._at = 0
        """Where the next line begins."""
        self._scanned = 0

    def __len__(self) -> int:
        return len(self._data) - self._at

    def receive(self, data: bytes) -> None:
        """Bytes of the peer, in order."""
        if self._at < len(self._data):
            self._data = self._data[self._at :] + data
            self._scanned -= self._at
        else:
            self._data = data
            self._scanned = 0
        self._at = 0

    def take_line(self, max_bytes: int) -> bytes | None:
        """The next line without its CRLF, which `max_bytes` counts; None: more bytes are needed."""
        data, at = self._data, self._at
        index = self._scanned
        stop = min(len(data), at + max_bytes)
        while index < stop:
            byte = data[index]
            if byte <= CR and byte != TAB:
                if byte == LF:
                    if index == at or data[index - 1] != CR:
                        raise self._problem("bare LF in a line")
                    self._at = self._scanned = index + 1
                    return data[at : index - 1]
                if byte == NUL:
                    raise self._problem("NUL in a line")
            if index > at and data[index - 1] == CR:
                raise self._problem("bare CR in a line")
            index += 1
        if index - at >= max_bytes:
            raise self._problem("line over the limit")
        self._scanned = index
        return None

    def take(self, count: int) -> bytes | None:
        """The next `count` bytes; None: more are needed."""
        if len(self) < count:
            return None
        at = self._at
        self._at = self._scanned = at + count
        return self._data[at : at + count]

    def rest(self) -> bytes:
        """Everything that was not taken, untouched; the buffer is empty then."""
        rest = self._data[self._at :]
        self._data = b""
        self._at = self._scanned = 0
        return rest
