"""rr: round robin. Each server in turn; weights are ignored, as in LVS."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from l7lb.scheduling.base import C, Inputs, Scheduler


class RoundRobin(Scheduler[C]):
    """Starts at a random server, so that many workers do not all begin with the first."""

    def __init__(self, candidates: Sequence[C], inputs: Inputs) -> None:
        super().__init__(candidates, inputs)
        self._next = int(inputs.random() * len(self.candidates))

    def choose(self, key: bytes | None, exclude: Collection[C] = ()) -> C | None:
        candidates = self.candidates
        for _ in candidates:
            chosen = candidates[self._next]
            self._next = self._next + 1 if self._next + 1 < len(candidates) else 0
            if not exclude or chosen not in exclude:
                return chosen
        return None
