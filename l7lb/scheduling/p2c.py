"""p2c: power of two choices (Mitzenmacher 2001) by peak-EWMA latency.

Two servers are drawn; the one with the smaller latency * (open sessions + 1) / weight wins.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from l7lb.scheduling.base import C, Scheduler

UNMEASURED_S = 1.0
"""Latency that is assumed of a server that has sessions open but answered none yet."""


class PowerOfTwoChoices(Scheduler[C]):
    """A server that was never measured and is idle costs nothing: it is tried at once."""

    reads_latency = True

    def choose(self, key: bytes | None, exclude: Collection[C] = ()) -> C | None:
        candidates: Sequence[C] = self.candidates
        if exclude:
            candidates = [each for each in candidates if each not in exclude]
        count = len(candidates)
        if count < 2:
            return candidates[0] if count else None
        random = self.inputs.random
        first = int(random() * count)
        second = int(random() * (count - 1))
        if second >= first:
            second += 1
        now_s = self.inputs.now()
        one, other = candidates[first], candidates[second]
        return one if self.cost(one, now_s) <= self.cost(other, now_s) else other

    def cost(self, candidate: C, now_s: float) -> float:
        """Expected wait on this server in seconds, by weight."""
        active = self.inputs.counters.active(candidate.index)
        latency_s = candidate.latency.value(now_s)
        if latency_s == 0.0 and active:
            latency_s = UNMEASURED_S
        return latency_s * (active + 1) / candidate.weight
