"""Bounded load on top of any hash (Mirrokni, Thorup, Zadimoghaddam 2018).

No server holds more than `bound` times its fair share of the open sessions, rounded up; a key
whose server is at its bound goes to the next in the hash's own order.
"""

from __future__ import annotations

from collections.abc import Collection
from math import ceil

from l7lb.scheduling.base import C, KeyScheduler, Scheduler


class BoundedLoad(Scheduler[C]):
    """`bound` is above 1; 1.25 is usual. The load is counted over all workers."""

    by_key = True

    def __init__(self, hashed: KeyScheduler[C], bound: float) -> None:
        super().__init__(hashed.candidates, hashed.inputs)
        self._hashed = hashed
        self._bound = bound
        self._weights = 0.0
        self._weigh()

    def choose(self, key: bytes | None, exclude: Collection[C] = ()) -> C | None:
        if key is None:
            return self._hashed.choose(None, exclude)
        if not self.candidates:
            return None
        active = self.inputs.counters.active
        total = 1
        for each in self.candidates:
            total += active(each.index)
        per_weight = self._bound * total / self._weights
        first = self._hashed.first(key)
        if self._has_room(first, per_weight) and (not exclude or first not in exclude):
            return first
        allowed = [each for each in self._hashed.walk(key) if each not in exclude]
        fallback = allowed[0] if allowed else None
        return next((each for each in allowed if self._has_room(each, per_weight)), fallback)

    def reweigh(self) -> None:
        self._hashed.reweigh()
        self._weigh()

    def _weigh(self) -> None:
        self._weights = sum(each.full_weight for each in self.candidates)

    def _has_room(self, candidate: C, per_weight: float) -> bool:
        share = ceil(per_weight * candidate.full_weight)
        return self.inputs.counters.active(candidate.index) < share
