"""sh: source hash. A fixed table of buckets filled by weight; the key picks the bucket, as in LVS.

Any change of the candidates moves most sources; where that hurts, take mh or rendezvous.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import cycle, islice

from l7lb.scheduling.base import C, Inputs, KeyScheduler, Scheduler
from l7lb.scheduling.hashing import hash64

BUCKETS = 256
"""As in the kernel; doubled until each server can have eight."""


class SourceHash(KeyScheduler[C]):
    """An excluded server's keys go to the owner of the next bucket (the kernel's sh-fallback)."""

    def __init__(self, candidates: Sequence[C], inputs: Inputs, spare: Scheduler[C]) -> None:
        super().__init__(candidates, inputs, spare)
        self._table: list[C] = []
        self.refill()

    def first(self, key: bytes) -> C:
        return self._table[hash64(key) % len(self._table)]

    def walk(self, key: bytes) -> Iterator[C]:
        start = hash64(key) % len(self._table)
        around = islice(cycle(self._table), start, start + len(self._table))
        yield from dict.fromkeys(around)

    def refill(self) -> None:
        """Deal the buckets out by smooth weighted turns, in the order of the file."""
        size = BUCKETS
        while size < 8 * len(self.candidates):
            size *= 2
        weights = [each.full_weight for each in self.candidates]
        total = sum(weights)
        credit = [0.0] * len(weights)
        self._table = []
        for _ in range(size if weights else 0):
            for place, weight in enumerate(weights):
                credit[place] += weight
            richest = credit.index(max(credit))
            credit[richest] -= total
            self._table.append(self.candidates[richest])
