"""mh: Maglev consistent hashing (Eisenbud et al., NSDI 2016, §3.4), weighted.

One look-up per choice, nearly even shares, and few keys move when a server comes or goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from l7lb.scheduling.base import C, Inputs, KeyScheduler, Scheduler
from l7lb.scheduling.hashing import hash64, owners_from

TABLE_SIZES = (4093, 16381, 65537)
"""Primes; the first that is 100 times the servers keeps shares within 1 % (§5.3). Few steps,
because another size moves every key. 4093 is the kernel's default."""


def table_size(members: int) -> int:
    """Length of the table for a pool of so many servers."""
    return next((size for size in TABLE_SIZES if size >= 100 * members), TABLE_SIZES[-1])


class Maglev(KeyScheduler[C]):
    """The table hangs on names and weights only, never on the order of the file."""

    def __init__(self, candidates: Sequence[C], inputs: Inputs, spare: Scheduler[C]) -> None:
        super().__init__(candidates, inputs, spare)
        self._size = table_size(max(inputs.members, len(self.candidates)))
        self._table: list[C] = []
        self.refill()

    def first(self, key: bytes) -> C:
        return self._table[hash64(key) % self._size]

    def walk(self, key: bytes) -> Iterator[C]:
        return owners_from(self._table, hash64(key) % self._size, self.candidates)

    def refill(self) -> None:
        """Each server in turn takes the next free entry of its own permutation of the table."""
        size = self._size
        owners = sorted(self.candidates, key=lambda each: each.name)
        if not owners:
            return
        heaviest = max(each.full_weight for each in owners)
        seeds = [each.name.encode() for each in owners]
        places = [hash64(b"offset\0" + seed) % size for seed in seeds]
        steps = [hash64(b"skip\0" + seed) % (size - 1) + 1 for seed in seeds]
        credit = [0.0] * len(owners)
        taken: list[C | None] = [None] * size
        left = size
        while left:
            for number, owner in enumerate(owners):
                credit[number] += owner.full_weight / heaviest
                if credit[number] < 1.0:
                    continue
                credit[number] -= 1.0
                place, step = places[number], steps[number]
                while taken[place] is not None:
                    place = (place + step) % size
                taken[place] = owner
                places[number] = place
                left -= 1
                if not left:
                    break
        self._table = [owner for owner in taken if owner is not None]
