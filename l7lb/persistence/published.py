"""Persistence by what is published: readers of a path meet its publisher (RTSP).

Learnt from ANNOUNCE and RECORD; the table is that of learnt cookies, with paths for values.
"""

from __future__ import annotations

from collections.abc import Callable

from l7lb.persistence.learned import PinTable
from l7lb_protocols.facts import Facts

LEVELS = 2
"""A path is looked up by itself and by the one above: `/live/cam` for `/live/cam/track1`."""


def value_of(path: bytes) -> bytes:
    """What stands in the table for a path: one with `/` at its end is the same."""
    return path.rstrip(b"/") or b"/"


class PublishedPins:
    """Looks the path up in the table."""

    def __init__(self, table: PinTable) -> None:
        self.table = table

    def find(self, facts: Facts) -> str | None:
        """Name of the server; counts as use."""
        return self._first(facts, self.table.find)

    def peek(self, facts: Facts) -> str | None:
        """As `find`, for `explain`: counts as no use."""
        return self._first(facts, self.table.peek)

    @staticmethod
    def _first(facts: Facts, read: Callable[[bytes], str | None]) -> str | None:
        value = value_of(facts.path)
        for _ in range(LEVELS):
            if not value.startswith(b"/"):
                return None
            server = read(value)
            if server is not None:
                return server
            value = value.rpartition(b"/")[0]
        return None
