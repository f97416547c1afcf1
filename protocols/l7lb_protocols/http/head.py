"""The part of a head that requests and responses share, in one pass: every byte is checked.

Compiled when a compiler is there (head.pxd); it must then and now mean the same.
It must not know start lines.
"""

from l7lb_protocols.http import grammar
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.fields import FieldSpans
from l7lb_protocols.http.grammar import SLOT_KINDS, SLOT_MASK, SLOT_NAMES, may_nominate

TABLE = grammar.OCTETS
LOWER_TABLE = grammar.LOWER
OCTETS = TABLE
LOWER = LOWER_TABLE
TOKEN = grammar.TOKEN
LETTERS = grammar.LETTERS
VALUE = grammar.VALUE
FRAMING = grammar.FRAMING
HOST = grammar.HOST
CONTENT_LENGTH = grammar.CONTENT_LENGTH
TRANSFER_ENCODING = grammar.TRANSFER_ENCODING
CONNECTION = grammar.CONNECTION
CLIENT_NAME = grammar.CLIENT_NAME
HIDDEN = grammar.HIDDEN
REMOVED = grammar.REMOVED
CLOSE = grammar.CLOSE
KEEP_ALIVE = grammar.KEEP_ALIVE
ASKS_UPGRADE = grammar.ASKS_UPGRADE
NAMED = grammar.NAMED

MAX_DIGITS = 18
"""Of Content-Length: fits a signed 64-bit number everywhere."""
QUICK = 1024
"""So much of an unfinished head is scanned again when more comes; the rest is only searched for
its end, so that a client that sends single bytes costs little more than its system calls."""


class HeadScanner(FieldSpans):
    """What RequestScanner and ResponseScanner have in common. `blame`: status of all refusals, or
    0 if each has its own."""

    def __init__(self, max_head: int, max_fields: int, blame: int) -> None:
        super().__init__(max_fields)
        self.max_head = max_head
        self._blame = blame
        self._underscores = True
        self._client_name = b""
        self._begin(b"")

    def _begin(self, data: bytes) -> None:
        self._data = data
        self._count = 0
        self._seen = 0
        self._options = 0
        self._host_at = -1
        self._digits = 0
        self._untidy = False
        self.content_length = -1
        self.chunked = False

    def _refusal(self, status: int, reason: str, clause: str) -> HttpRefusal:
        """The error to raise; for a response its status is always 502."""
        return HttpRefusal(self._blame or status, reason, clause)

    # ------------------------------------------------------------------ scanning

    def _stop(self, data: bytes, start: int, n: int) -> int:
        """Where to stop reading the head at `start`: at its limit, or soon while it has no end."""
        stop = start + self.max_head if n - start > self.max_head else n
        if stop - start <= QUICK or data.find(b"\r\n\r\n", start, stop) >= 0:
            return stop
        return stop if data.find(b"\n\n", start, stop) >= 0 else start + QUICK

    def _scan_fields(self, p: bytes, i: int, n: int) -> int:
        """Read fields from offset `i`. Returns the offset past the empty line or 0."""
        while True:
            if i >= n:
                return 0
            if p[i] == 13:
                if i + 1 >= n:
                    return 0
                if p[i + 1] != 10:
                    raise self._bad_name(13, True)
                self._close(i)
                return i + 2
            if self._count >= self.max_fields:
                raise self._refusal(431, "too many header fields", "RFC 6585 §5")
            i = self._scan_field(p, i, n)
            if i == 0:
                return 0

    def _scan_field(self, p: bytes, i: int, n: int) -> int:
        """Read one line `name: value` (RFC 9112 §5). Returns the offset past it or 0."""
        name = i
        while i < n and OCTETS[p[i]] & LETTERS:
            i += 1
        plain = True
        while i < n and OCTETS[p[i]] & TOKEN:
            plain = False
            i += 1
        if i >= n:
            return 0
        if p[i] != 58 or i == name:
            raise self._bad_name(p[i], i == name)
        end = i
        i += 1
        while i < n and (p[i] == 32 or p[i] == 9):
            i += 1
        value = i
        while i < n and OCTETS[p[i]] & VALUE:
            i += 1
        if i + 1 >= n:
            if i < n and p[i] != 13:
                raise self._bad_value(p[i])
            return 0
        if p[i] != 13 or p[i + 1] != 10:
            raise self._bad_value(p[i])
        last = i
        while last > value and (p[last - 1] == 32 or p[last - 1] == 9):
            last -= 1
        if value != end + 2 or p[end + 1] != 32 or last != i:
            self._untidy = True
        kind = self._kind(p, name, end - name) if plain or self._underscores else HIDDEN
        if kind & FRAMING:
            kind = self._note(p, value, last, kind)
        self._seen |= kind
        self._add(name, end, value, last, kind)
        return i + 2

    def _kind(self, p: bytes, at: int, length: int) -> int:
        """What the name of `length` bytes at `at` is to us (grammar.slot); 0: just a field."""
        slot = (length + 2 * LOWER[p[at]] + 3 * LOWER[p[at + length - 1]]) & SLOT_MASK
        known = SLOT_NAMES[slot]
        if length == len(known) and self._same(p, at, known, length):
            return SLOT_KINDS[slot]
        if length == len(self._client_name) and self._same(p, at, self._client_name, length):
            return CLIENT_NAME
        return 0

    def _note(self, p: bytes, start: int, end: int, kind: int) -> int:
        """A field that says where the message ends, or to whom it goes. Returns its kind."""
        if kind == HOST:
            if self._seen & HOST:
                raise self._refusal(400, "several Host fields", "RFC 9112 §3.2")
            self._host_at = self._count
        elif kind == CONNECTION:
            self._read_options(p, start, end)
        elif kind == CONTENT_LENGTH:
            length = self._length(p, start, end)
            if p[start] == 48 and end - start > 1:
                self._untidy = True
            if self._seen & CONTENT_LENGTH:
                same = length == self.content_length and end - start == self._digits
                if not self._blame or not same:
                    raise self._refusal(400, "several Content-Length fields", "RFC 9112 §6.3")
                return kind | REMOVED
            self.content_length = length
            self._digits = end - start
        else:
            if self._seen & TRANSFER_ENCODING:
                raise self._refusal(400, "several Transfer-Encoding fields", "RFC 9112 §6.1")
            if end - start != 7 or not self._same(p, start, b"chunked", 7):
                raise self._bad_coding(self._data[start:end])
            self._untidy = self._untidy or self._data[start:end] != b"chunked"
            self.chunked = True
        return kind

    def _length(self, p: bytes, start: int, end: int) -> int:
        if start == end or end - start > MAX_DIGITS:
            raise self._refusal(400, "empty or too long Content-Length", "RFC 9110 §8.6")
        length = 0
        for k in range(start, end):
            if p[k] < 48 or p[k] > 57:
                raise self._refusal(400, "Content-Length is not one number", "RFC 9112 §6.3")
            length = length * 10 + (p[k] - 48)
        return length

    def _bad_coding(self, value: bytes) -> HttpRefusal:
        """501 for codings that we do not know, 400 where the end of the body is in doubt."""
        codings = [coding.strip(b" \t").lower() for coding in value.split(b",")]
        final = codings.pop()
        known = b"chunked" in codings or b"identity" in codings or b"" in codings
        if final != b"chunked" or known:
            return self._refusal(400, "Transfer-Encoding does not end in chunked", "RFC 9112 §6.3")
        return self._refusal(501, "transfer coding not understood", "RFC 9112 §6.1")

    def _read_options(self, p: bytes, start: int, end: int) -> None:
        """Connection is a list of tokens (RFC 9110 §7.6.1)."""
        i = start
        while i < end:
            begin = i
            while i < end and OCTETS[p[i]] & TOKEN:
                i += 1
            length = i - begin
            while i < end and (p[i] == 32 or p[i] == 9):
                i += 1
            if i < end and p[i] != 44:
                raise self._refusal(400, "Connection is not a list of tokens", "RFC 9110 §7.6.1")
            i += 1
            while i < end and (p[i] == 32 or p[i] == 9):
                i += 1
            if length == 10 and self._same(p, begin, b"keep-alive", 10):
                self._options |= KEEP_ALIVE
            elif length == 5 and self._same(p, begin, b"close", 5):
                self._options |= CLOSE
            elif length == 7 and self._same(p, begin, b"upgrade", 7):
                self._options |= ASKS_UPGRADE
            elif length:
                self._options |= NAMED

    def _take_out_named(self) -> None:
        """Remove the fields that Connection names, but for those that it may not."""
        for option in self._joined(b"connection", b",").lower().split(b","):
            name = option.strip(b" \t")
            if name and may_nominate(name):
                self.remove(name)

    def _bad_name(self, octet: int, first: bool) -> HttpRefusal:
        if octet == 10 or octet == 13:
            return self._refusal(400, "bare CR or LF, or a line without colon", "RFC 9112 §2.2")
        if octet == 32 or octet == 9:
            if first:
                return self._refusal(400, "folded field line", "RFC 9112 §5.2")
            return self._refusal(400, "space before the colon", "RFC 9112 §5.1")
        if octet == 58:
            return self._refusal(400, "empty field name", "RFC 9110 §5.1")
        return self._refusal(400, "invalid byte in a field name", "RFC 9110 §5.1")

    def _bad_value(self, octet: int) -> HttpRefusal:
        if octet == 10 or octet == 13:
            return self._refusal(400, "bare CR or LF in a field value", "RFC 9112 §2.2")
        return self._refusal(400, "control byte in a field value", "RFC 9110 §5.5")

    def _unfinished(self, start: int, n: int) -> None:
        """Raise when no more bytes can make a lawful head of what begins at `start`."""
        if n - start >= self.max_head:
            raise self._refusal(431, "head too large", "RFC 6585 §5")
