"""Bytes that grow at their end: text, numbers and names written one after the other.

`line_buffer.pyx` is the same for a machine with a compiler, where nothing is allocated for a piece;
both keep to these docstrings, and one test holds them to it. Knows no format of a log.
"""

from __future__ import annotations

PLAIN = bytes(byte for byte in range(0x20, 0x7F) if byte not in b'"\\')
"""Bytes that stand for themselves between quotes."""


class LineBuffer:
    """`size` is what it holds, in bytes. It may hold any amount: whoever fills it takes in time."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces: list[bytes] = []

    def add(self, data: bytes) -> None:
        self._pieces.append(data)
        self.size += len(data)

    def add_plain(self, data: bytes) -> bool:
        """Add what needs no escape between quotes; False, and nothing is added, when it does."""
        if data.translate(None, PLAIN):
            return False
        self.add(data)
        return True

    def add_name(self, text: str) -> bool:
        """As `add_plain`, for text."""
        return text.isascii() and self.add_plain(text.encode("ascii"))

    def add_number(self, number: int) -> None:
        """In decimal; `number` fits into 64 bits with a sign."""
        self.add(b"%d" % number)

    def add_seconds(self, seconds: float) -> None:
        """With six digits behind the point. `seconds` is not negative and below 10**12."""
        self.add(b"%.6f" % seconds)

    def take(self) -> bytes:
        """All that it holds; it is empty afterwards."""
        data = b"".join(self._pieces)
        self._pieces = []
        self.size = 0
        return data
