"""Persistence by the application's own cookie: which server gave out which value.

The table is a port: the one here is of this process, a shared store can stand in its place.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Protocol

from l7lb.model import PersistenceSpec
from l7lb_protocols.facts import Facts

LONG_VALUE_BYTES = 64
TELL_SHARE = 0.25
"""Of the timeout, after which a use is told again."""
TELL_EVERY_S = 4 * 86400.0
"""In its place where there is no timeout."""


class PinTable(Protocol):
    """Which server a value belongs to. Bounded; forgets what was long unused."""

    def find(self, value: bytes) -> str | None:
        """Name of the server; counts as use."""

    def peek(self, value: bytes) -> str | None:
        """Name of the server; changes nothing."""

    def remember(self, value: bytes, server: str) -> bool:
        """Note that `value` belongs to `server`; True when that is news."""

    on_use: Callable[[bytes, str], None] | None

    def __len__(self) -> int: ...


class LocalPinTable:
    """Least recently used goes first; an entry unused for `timeout_s` is gone (0: never)."""

    def __init__(self, limit: int, timeout_s: float, now: Callable[[], float]) -> None:
        self._limit = limit
        self._timeout_s = timeout_s
        self._now = now
        self._entries: OrderedDict[bytes, tuple[str, float, float]] = OrderedDict()
        """Server, last use, and when others were last told of a use."""
        self.on_use: Callable[[bytes, str], None] | None = None
        """Told of a use now and then: so often that nobody who is told forgets the entry."""

    def __len__(self) -> int:
        return len(self._entries)

    def find(self, value: bytes) -> str | None:
        value = short(value)
        server = self._living(value)
        if server is None:
            self._entries.pop(value, None)
            return None
        now_s, told_s = self._now(), self._entries[value][2]
        is_due = now_s - told_s > (self._timeout_s or TELL_EVERY_S) * TELL_SHARE
        self._entries[value] = (server, now_s, now_s if is_due else told_s)
        self._entries.move_to_end(value)
        if is_due and self.on_use is not None:
            self.on_use(value, server)
        return server

    def peek(self, value: bytes) -> str | None:
        return self._living(short(value))

    def remember(self, value: bytes, server: str) -> bool:
        value = short(value)
        is_news = self._living(value) != server
        now_s = self._now()
        self._entries[value] = (server, now_s, now_s)
        self._entries.move_to_end(value)
        while len(self._entries) > self._limit:
            self._entries.popitem(last=False)
        return is_news

    def _living(self, value: bytes) -> str | None:
        entry = self._entries.get(value)
        if entry is None or (self._timeout_s > 0 and self._now() - entry[1] > self._timeout_s):
            return None
        return entry[0]


def short(value: bytes) -> bytes:
    """A digest in place of a long value, so that the table's size is bounded in bytes too."""
    return value if len(value) <= LONG_VALUE_BYTES else blake2b(value, digest_size=32).digest()


class LearnedPins:
    """Looks the application's cookie up in the table."""

    def __init__(self, spec: PersistenceSpec, table: PinTable) -> None:
        self.name = spec.name
        self.table = table

    def find(self, facts: Facts) -> str | None:
        value = facts.cookie(self.name)
        return self.table.find(value) if value else None

    def peek(self, facts: Facts) -> str | None:
        """As `find`, for `explain`: counts as no use."""
        value = facts.cookie(self.name)
        return self.table.peek(value) if value else None
