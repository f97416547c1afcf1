"""How much each account is used lately: the busiest ones, counted with decay in bounded memory.

Space-saving (Metwally, Agrawal, El Abbadi 2005) over weights that grow instead of sums that decay:
what was counted a half-life ago is worth half of what is counted now. An account that is new when
all places are taken gets that of the least; its rank begins there, its counts at nothing, so that
they are never above the truth. Pure: time is passed in, in seconds since 1970.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

HALF_LIFE_S = 86400.0
PLACES = 2000
"""Accounts that one worker counts."""
VALUE_BYTES = 60_000
"""Of what it tells, below what the store takes."""
LEAST_BYTES = 4096
"""What a session or a delivery is worth beside its bytes, when the busiest are sought."""
PER_DAY = 0.6931471805599453
"""A steady use of one a day adds up to 1 / ln 2 with this half-life."""
REBASE = 2.0**40


@dataclass(frozen=True, slots=True)
class Use:
    """Of one account; from a sketch, with what is old decayed."""

    bytes: float = 0.0
    sessions: float = 0.0
    deliveries: float = 0.0

    @property
    def rank(self) -> float:
        return self.bytes + LEAST_BYTES * (self.sessions + self.deliveries)

    def __add__(self, other: Use) -> Use:
        return Use(
            self.bytes + other.bytes,
            self.sessions + other.sessions,
            self.deliveries + other.deliveries,
        )

    def times(self, factor: float) -> Use:
        return Use(self.bytes * factor, self.sessions * factor, self.deliveries * factor)

    @property
    def a_day(self) -> Use:
        return self.times(PER_DAY)


class Sketch:
    def __init__(self, places: int = PLACES, half_life_s: float = HALF_LIFE_S) -> None:
        self._places = places
        self._half_life_s = half_life_s
        self._base_s: float | None = None
        self._rows: dict[str, list[float]] = {}
        """Rank, bytes, sessions, deliveries; all grown by the scale of their time."""
        self._least: list[tuple[float, str]] = []
        """A heap of ranks that were true once; they only grow."""

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, account: str, use: Use, now_s: float) -> None:
        scale = self._scale(now_s)
        row = self._rows.get(account)
        if row is None:
            row = self._rows[account] = [self._place(), 0.0, 0.0, 0.0]
            heapq.heappush(self._least, (row[0], account))
        row[0] += use.rank * scale
        row[1] += use.bytes * scale
        row[2] += use.sessions * scale
        row[3] += use.deliveries * scale

    def uses(self, now_s: float) -> dict[str, Use]:
        """The busiest first."""
        factor = 1.0 / self._scale(now_s)
        found = [(name, Use(*row[1:]).times(factor)) for name, row in self._rows.items()]
        return dict(sorted(found, key=lambda each: (-each[1].rank, each[0])))

    def _place(self) -> float:
        """Makes room; the rank to begin with."""
        if len(self._rows) < self._places:
            return 0.0
        while True:
            rank, account = heapq.heappop(self._least)
            if rank == self._rows[account][0]:
                del self._rows[account]
                return rank
            heapq.heappush(self._least, (self._rows[account][0], account))

    def _scale(self, now_s: float) -> float:
        if self._base_s is None:
            self._base_s = now_s
        scale = float(2.0 ** ((now_s - self._base_s) / self._half_life_s))
        if scale < REBASE:
            return scale
        self._rows = {name: [n / scale for n in row] for name, row in self._rows.items()}
        self._least = [(row[0], name) for name, row in self._rows.items()]
        heapq.heapify(self._least)
        self._base_s = now_s
        return 1.0


def encode(uses: Mapping[str, Use], now_s: float) -> bytes:
    """As many as fit, from the first."""
    rows: list[str] = []
    left = VALUE_BYTES
    for name, use in uses.items():
        row = json.dumps([name, round(use.bytes), round(use.sessions, 2), round(use.deliveries, 2)])
        left -= len(row) + 2
        if left < 0:
            break
        rows.append(row)
    return f"[{round(now_s)}, [{', '.join(rows)}]]".encode()


def decode(value: bytes, now_s: float) -> dict[str, Use]:
    """Decayed until now; empty for what another version may have written."""
    try:
        at_s, rows = json.loads(value)
        factor = 2.0 ** (-max(now_s - float(at_s), 0.0) / HALF_LIFE_S)
        return {
            str(name): Use(float(size), float(sessions), float(deliveries)).times(factor)
            for name, size, sessions, deliveries in rows
        }
    except (ValueError, TypeError, OverflowError):
        return {}


def total(parts: Iterable[Mapping[str, Use]]) -> dict[str, Use]:
    """Of all workers."""
    found: dict[str, Use] = {}
    for part in parts:
        for name, use in part.items():
            found[name] = found.get(name, Use()) + use
    return found
