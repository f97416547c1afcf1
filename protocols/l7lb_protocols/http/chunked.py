"""The chunked transfer coding, passed on as it comes, less its extensions (RFC 9112 §7.1).

Compiled when a compiler is there (chunked.pxd). It must not know whose body it is.
"""

from __future__ import annotations

import re

from l7lb_protocols.http import grammar
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.grammar import may_trail

HEX_TABLE = grammar.HEX_VALUES
CLASS_TABLE = grammar.OCTETS
HEX_VALUES = HEX_TABLE
OCTETS = CLASS_TABLE
VALUE = grammar.VALUE

# What the next byte must be. LINE begins a trailer field or the final empty line.
FIRST_DIGIT = 0
DIGITS = 1
EXTENSION = 2
SIZE_CR = 3
SIZE_LF = 4
DATA = 5
DATA_CR = 6
DATA_LF = 7
LINE = 8
FIELD = 9
LAST_LF = 10
DONE = 11

MAX_DIGITS = 16
MAX_BITS = 60
"""Of a chunk's size: all sizes of one body together still fit 64 bits."""
EXCESS_LINES = 4
"""Extensions may exceed the data that they come with by so many lines of full length in all."""

_FIELD = re.compile(rb"([-!#$%&'*+.^_`|~0-9A-Za-z]+):[\t -~\x80-\xff]*\r\n")


class ChunkScanner:
    """Reads one chunked body in pieces of any size.

    `max_line`: bytes of chunk extension in a line; `max_trailers`: bytes of all trailer fields.
    `decode`: give the bare data as output, for a peer of HTTP/1.0.
    """

    def __init__(
        self, max_line: int = 4096, max_trailers: int = 8192, decode: bool = False
    ) -> None:
        self.max_line = max_line
        self.max_trailers = max_trailers
        self.decode = decode
        self.reset()

    def reset(self) -> None:
        """Be ready for another body."""
        self.output = b""
        self.done = False
        self.size = 0
        """Bytes of data in all chunks so far, as announced."""
        self.left = 0
        """Bytes of the current chunk's data still to come: so many may be relayed unseen, then
        `skip` must be told."""
        self._state = FIRST_DIGIT
        self._digits = 0
        self._size = 0
        self._line = 0
        self._excess = 0
        self._trailers = 0
        self._held = b""

    def skip(self, n: int) -> None:
        """`n` bytes of the current chunk's data went another way. Raises ValueError if n > left."""
        if n < 0 or n > self.left:
            raise ValueError("more bytes skipped than the chunk has")
        self.left -= n
        if self.left == 0 and self._state == DATA:
            self._state = DATA_CR

    def scan(self, data: bytes, start: int = 0) -> int:
        """Read on from offset `start`; sets `output`, `done` and `left`.

        Returns the offset up to which `data` belongs to the body: its length until `done`.
        Raises HttpRefusal(400); the body is broken then, and `output` says nothing.
        """
        n = len(data)
        p = data
        i = start
        parts: list[bytes] = []
        begin = start if self._keeps() else -1
        while i < n and self._state != DONE:
            if self._state == DATA:
                i += self._take_data(n - i)
                if self.decode and self._state != DATA:
                    parts.append(p[begin:i])
                    begin = -1
            elif self._state == EXTENSION or self._state == FIELD:
                if begin >= 0 and i > begin:
                    parts.append(p[begin:i])
                begin = -1
                if self._state == EXTENSION:
                    i = self._skip_extension(p, i, n)
                else:
                    i = self._take_field(data, i, parts)
            elif self._step(p[i]):
                i += 1
            if begin < 0 and self._keeps():
                begin = i
        if begin == 0 and i == n and not parts:
            self.output = data
        else:
            if begin >= 0 and i > begin:
                parts.append(p[begin:i])
            self.output = parts[0] if len(parts) == 1 else b"".join(parts)
        return i

    def _keeps(self) -> bool:
        """Whether the next byte is passed on as it is."""
        if self.decode:
            return self._state == DATA
        return self._state != EXTENSION and self._state != FIELD and self._state != DONE

    def _take_data(self, available: int) -> int:
        taken = min(self.left, available)
        self.left -= taken
        if self.left == 0:
            self._state = DATA_CR
        return taken

    def _step(self, c: int) -> bool:
        """One byte of the framing. False: it is the first of an extension or a field."""
        state = self._state
        if state in (DIGITS, FIRST_DIGIT):
            return self._size_byte(c)
        if state in (DATA_CR, SIZE_CR):
            if c != 13:
                raise HttpRefusal(400, "chunk line or data without CRLF", "RFC 9112 §7.1")
            self._state = DATA_LF if state == DATA_CR else SIZE_LF
            return True
        if state == LINE:
            if c != 13:
                self._state = FIELD
                return False
            self._state = LAST_LF
            return True
        if c != 10:
            raise HttpRefusal(400, "bare CR in chunked coding", "RFC 9112 §7.1")
        if state == SIZE_LF:
            self._begin_chunk()
        elif state == DATA_LF:
            self._state = FIRST_DIGIT
        else:
            self._state = DONE
            self.done = True
        return True

    def _size_byte(self, c: int) -> bool:
        digit = HEX_VALUES[c]
        if digit != 255:
            self._digits += 1
            if self._digits > MAX_DIGITS or self._size >> MAX_BITS - 4:
                raise HttpRefusal(400, "chunk size too large", "RFC 9112 §7.1")
            self._size = self._size * 16 + digit
            self._state = DIGITS
            return True
        if self._state == DIGITS and c == 13:
            self._state = SIZE_LF
            return True
        if self._state == DIGITS and c == 59:
            self._state = EXTENSION
            return False
        raise HttpRefusal(400, "invalid chunk size", "RFC 9112 §7.1")

    def _begin_chunk(self) -> None:
        """The size line is whole. Many long extensions on little data are an attack."""
        self._excess += self._line
        if self._excess > self.max_line * EXCESS_LINES:
            raise HttpRefusal(400, "too many chunk extensions", "RFC 9112 §7.1.1")
        self._excess -= min(self._excess, self._size)
        self.size += self._size
        self.left = self._size
        self._state = DATA if self._size else LINE
        self._digits = 0
        self._size = 0
        self._line = 0

    def _skip_extension(self, p: bytes, i: int, n: int) -> int:
        """Pass over a chunk extension; returns the offset of the CR after it, or `n`."""
        begin = i
        while i < n and OCTETS[p[i]] & VALUE:
            i += 1
        self._line += i - begin
        if self._line > self.max_line:
            raise HttpRefusal(400, "chunk extension too long", "RFC 9112 §7.1.1")
        if i < n:
            self._state = SIZE_CR
        return i

    def _take_field(self, data: bytes, start: int, parts: list[bytes]) -> int:
        """Collect one trailer field and keep it if it may be passed on (RFC 9110 §6.5)."""
        end = data.find(b"\n", start) + 1 or len(data)
        self._trailers += end - start
        if self._trailers > self.max_trailers:
            raise HttpRefusal(400, "trailer section too large", "RFC 9112 §7.1.2")
        self._held += data[start:end]
        if self._held.endswith(b"\n"):
            field = _FIELD.fullmatch(self._held)
            if field is None:
                raise HttpRefusal(400, "invalid trailer field", "RFC 9112 §7.1.2")
            if may_trail(field[1].lower()) and not self.decode:
                parts.append(self._held)
            self._held = b""
            self._state = LINE
        return end
