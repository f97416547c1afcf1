"""wrr: smooth weighted round robin (nginx): shares by weight, spread evenly over time.

Weights 5, 1, 1 give a a b a c a a, not a a a a a b c.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Generic

from l7lb.scheduling.base import C, Inputs, Scheduler


class _Turn(Generic[C]):
    __slots__ = ("candidate", "credit", "weight")

    def __init__(self, candidate: C) -> None:
        self.candidate = candidate
        self.weight = candidate.weight
        self.credit = 0.0


class WeightedRoundRobin(Scheduler[C]):
    """Each choice credits every server with its weight; the richest is chosen and pays it all."""

    def __init__(self, candidates: Sequence[C], inputs: Inputs) -> None:
        super().__init__(candidates, inputs)
        self._turns = [_Turn(each) for each in self.candidates]
        for _ in range(int(inputs.random() * len(self._turns))):
            self.choose(None)

    def choose(self, key: bytes | None, exclude: Collection[C] = ()) -> C | None:
        richest: _Turn[C] | None = None
        total = 0.0
        for turn in self._turns:
            if exclude and turn.candidate in exclude:
                continue
            turn.credit += turn.weight
            total += turn.weight
            if richest is None or turn.credit > richest.credit:
                richest = turn
        if richest is None:
            return None
        richest.credit -= total
        return richest.candidate

    def reweigh(self) -> None:
        for turn in self._turns:
            turn.weight = turn.candidate.weight
