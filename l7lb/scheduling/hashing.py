"""What the hashes share: 64 bits, the same in every process and machine, and walks of tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from itertools import chain
from typing import TypeVar

T = TypeVar("T")


def hash64(data: bytes) -> int:
    """Unsigned 64-bit BLAKE2b of `data`."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big")


def owners_from(table: Sequence[T], start: int, owners: Sequence[T]) -> Iterator[T]:
    """Each of `owners` once: as they come in `table` from `start` on, round its end.

    Those too light to have an entry come last.
    """
    seen: set[T] = set()
    for place in chain(range(start, len(table)), range(start)):
        if len(seen) == len(owners):
            return
        if table[place] not in seen:
            seen.add(table[place])
            yield table[place]
    yield from (each for each in owners if each not in seen)
