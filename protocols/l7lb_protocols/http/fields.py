"""Header fields as offsets into the bytes that came: found, read, removed, copied onwards.

Compiled when a compiler is there (fields.pxd). It must not know how a head is scanned.
"""

from array import array

from l7lb_protocols.facts import Facts
from l7lb_protocols.http import grammar

LOWER_TABLE = grammar.LOWER
LOWER = LOWER_TABLE
HIDDEN = grammar.HIDDEN
REMOVED = grammar.REMOVED
CONTENT_LENGTH = grammar.CONTENT_LENGTH
TRANSFER_ENCODING = grammar.TRANSFER_ENCODING
HOP_BY_HOP = grammar.HOP_BY_HOP

WIDTH = 5
"""Offsets of one field: name start and end, value start and end, kind (grammar)."""


class FieldSpans(Facts):
    """Fields of one head. All answers are about the last scan that returned an offset.

    A C type has one base, so the facts of a request stand below all that reads heads; a response
    leaves them empty.
    """

    def __init__(self, max_fields: int) -> None:
        super().__init__()
        self.max_fields = max_fields
        self._spans = array("i", bytes(4 * WIDTH * (max_fields + 1)))
        self._data = b""
        self._count = 0
        self._untidy = False
        """Some field has spaces or a framing value that are lawful but rare: all are rewritten, so
        that no server can read them otherwise."""
        self.content_length = -1
        self.chunked = False

    def _add(self, name: int, end: int, value: int, last: int, kind: int) -> None:
        k = WIDTH * self._count
        self._spans[k] = name
        self._spans[k + 1] = end
        self._spans[k + 2] = value
        self._spans[k + 3] = last
        self._spans[k + 4] = kind
        self._count += 1

    def _close(self, offset: int) -> None:
        """The empty line is at `offset`."""
        self._spans[WIDTH * self._count] = offset

    def _end_of_fields(self) -> int:
        return self._spans[WIDTH * self._count]

    def _first_field(self) -> int:
        return self._spans[0]

    def _same(self, p: bytes, at: int, name: bytes, length: int) -> bool:
        """Whether the `length` bytes at `at` are `name` (lower case), in any case."""
        for k in range(length):  # noqa: SIM110 (a generator would not be compiled to a loop)
            if LOWER[p[at + k]] != name[k]:
                return False
        return True

    def _find(self, name: bytes, k: int) -> int:
        """Number of the first field `name` at or after field `k`, or -1."""
        p = self._data
        length = len(name)
        while k < self._count:
            at = self._spans[WIDTH * k]
            if (
                self._spans[WIDTH * k + 1] - at == length
                and self._same(p, at, name, length)
                and not self._spans[WIDTH * k + 4] & HIDDEN
            ):
                return k
            k += 1
        return -1

    def _value(self, k: int) -> bytes:
        p = self._data
        start = self._spans[WIDTH * k + 2]
        return p[start : self._spans[WIDTH * k + 3]]

    def _joined(self, name: bytes, separator: bytes) -> bytes:
        values = []
        k = self._find(name, 0)
        while k >= 0:
            values.append(self._value(k))
            k = self._find(name, k + 1)
        return separator.join(values)

    def header(self, name: bytes) -> bytes | None:
        """Value of the field `name` (lower case), repeated lines joined by `, ` (Cookie: `; `).

        None if absent. Hop-by-hop fields are seen too.
        """
        k = self._find(name, 0)
        if k < 0:
            return None
        if self._find(name, k + 1) < 0:
            return self._value(k)
        return self._joined(name, b"; " if name == b"cookie" else b", ")

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Fields that would be forwarded, in order, names as sent; no hop-by-hop fields."""
        return self._listed(HOP_BY_HOP)

    def _listed(self, skip: int) -> list[tuple[bytes, bytes]]:
        p = self._data
        kept = []
        for k in range(self._count):
            if not self._spans[WIDTH * k + 4] & skip:
                at = self._spans[WIDTH * k]
                end = self._spans[WIDTH * k + 1]
                kept.append((p[at:end], self._tidy_value(k)))
        return kept

    def _tidy_value(self, k: int) -> bytes:
        kind = self._spans[WIDTH * k + 4]
        if kind & CONTENT_LENGTH:
            return b"%d" % self.content_length
        return b"chunked" if kind & TRANSFER_ENCODING else self._value(k)

    def remove(self, name: bytes) -> None:
        """Leave all fields `name` (lower case) out of `fields` and `forward`."""
        k = self._find(name, 0)
        while k >= 0:
            self._spans[WIDTH * k + 4] |= REMOVED
            k = self._find(name, k + 1)

    def _kept(self, parts: list[bytes], begin: int, skip: int) -> None:
        """Append what stands from `begin` to the last field, less fields of kinds `skip`."""
        p = self._data
        if self._untidy:
            for name, value in self._listed(skip):
                parts += (name, b": ", value, b"\r\n")
            return
        for k in range(self._count):
            if self._spans[WIDTH * k + 4] & skip:
                at = self._spans[WIDTH * k]
                if at > begin:
                    parts.append(p[begin:at])
                begin = self._spans[WIDTH * k + WIDTH]
        at = self._spans[WIDTH * self._count]
        if at > begin:
            parts.append(p[begin:at])
