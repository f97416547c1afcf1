"""Which accounts to move so that each server carries its share. Pure, and exact in integers.

An account's load is its part of all bytes, plus its part of all traffic where that is counted. A
server's share is its weight's part of all loads. Moves are chosen one by one: from the server that
is most above its share to the one most below, the account that helps most; of equals the smaller
one. Each move makes the sum of all distances from the shares smaller, so no plan makes it worse.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TOLERANCE_PERCENT = 5
"""A server so near its share is left alone."""


@dataclass(frozen=True, slots=True)
class Resident:
    """An account, where it is, and what it weighs."""

    account: str
    server: str
    size_bytes: int
    traffic_bytes: int = 0
    """In some period, the same for all; 0 for all: not counted."""
    sessions: float = 0.0
    """In the same period; for whoever reads the plan."""
    deliveries: float = 0.0


@dataclass(frozen=True, slots=True)
class Move:
    resident: Resident
    target: str

    @property
    def account(self) -> str:
        return self.resident.account

    @property
    def source(self) -> str:
        return self.resident.server


@dataclass(slots=True)
class _Server:
    name: str
    share: int
    """Loads here and below are times the sum of weights, which keeps them whole."""
    load: int = 0
    residents: list[tuple[int, Resident]] = field(default_factory=list)

    @property
    def above(self) -> int:
        return self.load - self.share


def plan(
    residents: Sequence[Resident],
    weights: Mapping[str, int],
    limit: int,
    tolerance_percent: int = TOLERANCE_PERCENT,
) -> list[Move]:
    """At most `limit` moves, in the order in which they help most; no account twice.

    A server that has accounts and no weight is emptied, one of weight 0 as well.
    """
    servers = _servers(residents, weights)
    moves: list[Move] = []
    while len(moves) < limit and len(servers) > 1:
        found = _next(servers, tolerance_percent)
        if found is None:
            break
        load, resident, source, target = found
        source.residents.remove((load, resident))
        source.load -= load
        target.load += load
        moves.append(Move(resident, target.name))
    return moves


def imbalance(residents: Sequence[Resident], weights: Mapping[str, int]) -> int:
    """Sum of the distances from the shares, in the plan's own unit: for comparing."""
    return sum(abs(server.above) for server in _servers(residents, weights))


def _servers(residents: Sequence[Resident], weights: Mapping[str, int]) -> list[_Server]:
    names = sorted({*weights, *(resident.server for resident in residents)})
    whole = sum(weights.values())
    loads = _loads(residents)
    servers = {name: _Server(name, sum(loads) * weights.get(name, 0)) for name in names}
    if not whole:
        return []
    for load, resident in zip(loads, residents, strict=True):
        server = servers[resident.server]
        server.load += load * whole
        server.residents.append((load * whole, resident))
    return list(servers.values())


def _loads(residents: Sequence[Resident]) -> list[int]:
    sizes = sum(resident.size_bytes for resident in residents)
    traffic = sum(resident.traffic_bytes for resident in residents)
    if not traffic:
        return [resident.size_bytes for resident in residents]
    if not sizes:
        return [resident.traffic_bytes for resident in residents]
    return [each.size_bytes * traffic + each.traffic_bytes * sizes for each in residents]


def _next(
    servers: list[_Server], tolerance_percent: int
) -> tuple[int, Resident, _Server, _Server] | None:
    """The best move between the two farthest from their shares, else between any other two."""
    target = min(servers, key=lambda server: (server.above, server.name))
    for source in sorted(servers, key=lambda server: (-server.above, server.name)):
        if source.above * 100 <= source.share * tolerance_percent:
            return None
        found = _best(source, target)
        if found is not None:
            return *found, source, target
    return None


def _best(source: _Server, target: _Server) -> tuple[int, Resident] | None:
    """None: every account here is so large that moving it helps nothing."""
    above, below = source.above, -target.above

    def gain(load: int) -> int:
        return above + below - abs(above - load) - abs(below - load)

    helpful = [each for each in source.residents if gain(each[0]) > 0]
    if not helpful:
        return None
    return min(helpful, key=lambda each: (-gain(each[0]), each[1].size_bytes, each[1].account))
