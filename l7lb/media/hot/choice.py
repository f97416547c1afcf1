"""Which server gets a client that wants a file: decided at DESCRIBE, before anything is pinned.

A holder that is not busy; of several the least loaded. While a file has fewer copies than its
demand is worth, its next home takes some, and so becomes a holder. A file that nobody holds goes
to its home, the first of a fixed order of servers that is not busy, so that its second client
meets its first. When all are busy, the least loaded. Pure: it must not know sockets or clocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from l7lb.scheduling.rendezvous import draw

BOUND = 1.05
"""A server is busy for others' files above so many times the mean load,"""
SLACK = 2.0
"""and this many sessions more: with few sessions one more is no imbalance."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A server that may be chosen now."""

    name: str
    load: float
    """Sessions ÷ weight, as late as it is known."""
    holds: bool = False
    full: bool = False
    """It says itself that it is busy."""
    weight: float = 1.0


class Why(StrEnum):
    HOLDER = "holds it and is not busy"
    GROW = "is to hold one more copy"
    HOME = "reads it from shared storage; nobody who holds it is free"
    LEAST = "is the least loaded; all are busy"


@dataclass(frozen=True, slots=True)
class Choice:
    name: str
    why: Why
    holders: tuple[str, ...]
    copies: int
    """Copies that the file is worth."""
    busy: tuple[str, ...]

    def words(self) -> list[str]:
        """For `explain` and `status`."""
        held = f"held by {', '.join(self.holders)}" if self.holders else "held by nobody"
        copies = f"worth {self.copies} cop{'y' if self.copies == 1 else 'ies'}"
        busy = f"busy: {', '.join(self.busy)}" if self.busy else "nobody is busy"
        return [f"{held}; {copies}; {busy}", f"{self.name} {self.why}"]


def home_order(file: int, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The same for each director; a server that comes or goes moves its own files only."""
    key = file.to_bytes(8, "big")
    return sorted(candidates, key=lambda each: (draw(key, each.name, each.weight), each.name))


def choose(file: int, candidates: Sequence[Candidate], copies: int = 1) -> Choice:
    """Raises ValueError when there is nobody to choose from."""
    if not candidates:
        raise ValueError("no server to choose from")
    limit = _limit(candidates)
    free = [each for each in candidates if not each.full and each.load <= limit]
    name, why = _decide(home_order(file, candidates), free, copies)
    free_names = {each.name for each in free}
    return Choice(
        name,
        why,
        tuple(each.name for each in candidates if each.holds),
        copies,
        tuple(each.name for each in candidates if each.name not in free_names),
    )


def _limit(candidates: Sequence[Candidate]) -> float:
    weight = sum(each.weight for each in candidates)
    mean = sum(each.load * each.weight for each in candidates) / weight
    return BOUND * mean + SLACK


def _decide(homes: list[Candidate], free: list[Candidate], copies: int) -> tuple[str, Why]:
    """`homes` are all candidates in the file's order."""
    if not free:
        return min(homes, key=_load).name, Why.LEAST
    names = {each.name for each in free}
    homes = [each for each in homes if each.name in names]
    holders = [each for each in homes if each.holds]
    if not holders:
        return homes[0].name, Why.HOME
    best = min(holders, key=_load)
    if sum(each.holds for each in homes) < copies:
        grown = next((each for each in homes if not each.holds and each.load < best.load), None)
        if grown is not None:
            return grown.name, Why.GROW
    return best.name, Why.HOLDER


def _load(candidate: Candidate) -> float:
    return candidate.load
