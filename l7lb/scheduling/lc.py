"""lc: least connections. The server with the fewest open sessions; weights are ignored."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Generic

from l7lb.scheduling.base import C, Inputs, Scheduler


class _Seat(Generic[C]):
    """`turn` is the virtual time at which the server may win its next tie."""

    __slots__ = ("candidate", "cost", "index", "turn")

    def __init__(self, candidate: C, cost: float, turn: float) -> None:
        self.candidate = candidate
        self.index = candidate.index
        self.cost = cost
        self.turn = turn


class LeastConnections(Scheduler[C]):
    """Among equals the one whose turn is longest ago; a turn lasts one session's cost.

    A server that was left out for a while gets one early turn, not all that it missed.
    """

    def __init__(self, candidates: Sequence[C], inputs: Inputs) -> None:
        super().__init__(candidates, inputs)
        self._active = inputs.active
        self._turn = 0.0
        costs = [self.cost(each) for each in self.candidates]
        self._seats = [
            _Seat(each, cost, inputs.random() * cost)
            for each, cost in zip(self.candidates, costs, strict=True)
        ]

    def cost(self, candidate: C) -> float:
        """What one open session weighs on this server."""
        return 1.0

    def choose(self, key: bytes | None, exclude: Collection[C] = ()) -> C | None:
        active = self._active
        best: _Seat[C] | None = None
        least = 0.0
        for seat in self._seats:
            if exclude and seat.candidate in exclude:
                continue
            load = active(seat.index) * seat.cost
            if best is None or load < least or (load == least and seat.turn < best.turn):
                best = seat
                least = load
        if best is None:
            return None
        if best.turn > self._turn:
            self._turn = best.turn
        best.turn = self._turn + best.cost
        return best.candidate

    def reweigh(self) -> None:
        for seat in self._seats:
            seat.index = seat.candidate.index
            seat.cost = self.cost(seat.candidate)
