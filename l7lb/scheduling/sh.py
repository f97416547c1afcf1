"""sh: source hash. A fixed table of buckets filled by weight; the key picks the bucket, as in LVS.

Any change of the candidates moves most sources; where that hurts, take mh or rendezvous.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import heapify, heapreplace

from l7lb.scheduling.base import C, Inputs, KeyScheduler, Scheduler
from l7lb.scheduling.hashing import hash64, owners_from

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
        return owners_from(self._table, hash64(key) % len(self._table), self.candidates)

    def refill(self) -> None:
        """Deal the buckets out in turns as long as the weights are, in the order of the file."""
        size = BUCKETS
        while size < 8 * len(self.candidates):
            size *= 2
        turns = [(0.5 / each.full_weight, n) for n, each in enumerate(self.candidates)]
        heapify(turns)
        self._table = []
        for _ in range(size if turns else 0):
            due, number = turns[0]
            owner = self.candidates[number]
            self._table.append(owner)
            heapreplace(turns, (due + 1.0 / owner.full_weight, number))
