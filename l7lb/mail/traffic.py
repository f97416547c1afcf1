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
        self._uses: dict[str, Use] = {}
        self._ranks: dict[str, float] = {}
        self._least: list[tuple[float, str]] = []
        """A heap of ranks that were true once; they only grow."""

    def __len__(self) -> int:
        return len(self._uses)

    def add(self, account: str, use: Use, now_s: float) -> None:
        grown = use.times(self._scale(now_s))
        if account not in self._uses:
            self._ranks[account] = self._place()
            self._uses[account] = Use()
            heapq.heappush(self._least, (self._ranks[account], account))
        self._uses[account] += grown
        self._ranks[account] += grown.rank

    def uses(self, now_s: float) -> dict[str, Use]:
        """The busiest first."""
        factor = 1.0 / self._scale(now_s)
        names = sorted(self._uses, key=lambda name: (-self._uses[name].rank, name))
        return {name: self._uses[name].times(factor) for name in names}

    def _place(self) -> float:
        """Makes room; the rank to begin with."""
        if len(self._uses) < self._places:
            return 0.0
        while True:
            rank, account = heapq.heappop(self._least)
            if rank == self._ranks[account]:
                del self._uses[account], self._ranks[account]
                return rank
            heapq.heappush(self._least, (self._ranks[account], account))

    def _scale(self, now_s: float) -> float:
        if self._base_s is None:
            self._base_s = now_s
        scale = float(2.0 ** ((now_s - self._base_s) / self._half_life_s))
        if scale < REBASE:
            return scale
        self._uses = {name: use.times(1.0 / scale) for name, use in self._uses.items()}
        self._ranks = {name: rank / scale for name, rank in self._ranks.items()}
        self._least = [(rank, name) for name, rank in self._ranks.items()]
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
