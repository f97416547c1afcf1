"""lc: least connections. The server with the fewest open sessions; weights are ignored."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import cast

from l7lb.ports import Counters
from l7lb.scheduling.base import C, Candidate, Inputs, Scheduler


class Seat:
    """`turn` is the virtual time at which the server may win its next tie."""

    def __init__(self, candidate: Candidate, cost: float, turn: float) -> None:
        self.candidate = candidate
        self.index = candidate.index
        self.cost = cost
        self.turn = turn


class Row:
    """Seats that take turns."""

    def __init__(self, seats: list[Seat], counters: Counters) -> None:
        self.seats = seats
        self._counters = counters
        self._turn = 0.0

    def choose(self, exclude: Collection[Candidate]) -> Candidate | None:
        """The candidate with the smallest load, or of those the one whose turn came first."""
        best: Seat | None = None
        least = 0.0
        for seat in self.seats:
            if exclude and seat.candidate in exclude:
                continue
            load = self._counters.active(seat.index) * seat.cost
            if best is None or load < least or (load == least and seat.turn < best.turn):
                best = seat
                least = load
        if best is None:
            return None
        self._turn = max(self._turn, best.turn)
        best.turn = self._turn + best.cost
        return best.candidate


class LeastConnections(Scheduler[C]):
    """Among equals the one whose turn is longest ago; a turn lasts one session's cost.

    A server that was left out for a while gets one early turn, not all that it missed.
    """

    def __init__(self, candidates: Sequence[C], inputs: Inputs) -> None:
        super().__init__(candidates, inputs)
        costs = [self.cost(each) for each in self.candidates]
        seats = [
            Seat(each, cost, inputs.random() * cost)
            for each, cost in zip(self.candidates, costs, strict=True)
        ]
        self._row = Row(seats, inputs.counters)

    def cost(self, candidate: C) -> float:
        """What one open session weighs on this server."""
        return 1.0

    def choose(self, key: bytes | None, exclude: Collection[C] = ()) -> C | None:
        return cast("C | None", self._row.choose(exclude))

    def reweigh(self) -> None:
        for seat, candidate in zip(self._row.seats, self.candidates, strict=True):
            seat.index = candidate.index
            seat.cost = self.cost(candidate)
