"""rendezvous: weighted highest random weight (Thaler and Ravishankar 1998; Schindelhauer 2005).

Each server draws a number from the key and its own name; the best draw wins. A server that goes
moves its own keys only, each to its second choice, and shares follow the weights exactly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from math import log

from l7lb.scheduling.base import C, Inputs, KeyScheduler, Scheduler

REMEMBERED = 8192
"""Answers kept for keys seen lately: one draw per server costs about 0.7 microseconds."""
LONG_KEY_BYTES = 64


def draw(key: bytes, name: str, weight: float) -> float:
    """The draw of one server: the smallest wins, with a chance in proportion to its weight."""
    return _draw(name.encode() + b"\0", key, weight)


def _draw(prefix: bytes, key: bytes, weight: float) -> float:
    drawn = int.from_bytes(blake2b(prefix + key, digest_size=8).digest(), "big")
    return -log((drawn + 0.5) / 18446744073709551616.0) / weight


class Rendezvous(KeyScheduler[C]):
    """Exact for every key; answers for the last keys are remembered."""

    def __init__(self, candidates: Sequence[C], inputs: Inputs, spare: Scheduler[C]) -> None:
        super().__init__(candidates, inputs, spare)
        self._prefixes = [(each, each.name.encode() + b"\0") for each in self.candidates]
        self._answers: dict[bytes, C] = {}

    def first(self, key: bytes) -> C:
        if len(key) > LONG_KEY_BYTES:
            key = blake2b(key, digest_size=32).digest()
        known = self._answers.get(key)
        if known is not None:
            return known
        best, least = self.candidates[0], -1.0
        for each, prefix in self._prefixes:
            drawn = _draw(prefix, key, each.full_weight)
            if least < 0.0 or drawn < least:
                best, least = each, drawn
        if len(self._answers) >= REMEMBERED:
            self._answers.clear()
        self._answers[key] = best
        return best

    def walk(self, key: bytes) -> Iterator[C]:
        if len(key) > LONG_KEY_BYTES:
            key = blake2b(key, digest_size=32).digest()
        draws = [(_draw(prefix, key, each.full_weight), each) for each, prefix in self._prefixes]
        draws.sort(key=lambda pair: pair[0])
        return iter([each for _, each in draws])

    def refill(self) -> None:
        self._answers.clear()
