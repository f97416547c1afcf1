"""Figures of a case: interleaved rounds, medians, ratios, and how they are shown and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import TypeVar

from benchmarks import network
from benchmarks.lab import Lab

OURS = "l7lb"
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """`ours` ÷ `against` is at most `limit`; without `against`, `ours` itself is."""

    limit: float
    against: str = "haproxy"


@dataclass(frozen=True, slots=True)
class Bench:
    """What a case works with."""

    lab: Lab
    peers: tuple[str, ...]
    rounds: int
    seconds: int

    @property
    def kinds(self) -> tuple[str, ...]:
        return (*self.peers, OURS)

    def at_most(self, rounds: int) -> Bench:
        return replace(self, rounds=min(self.rounds, rounds))

    def interleave(self, subjects: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
        """Each subject in turn, each round in the other direction, so that a drift hits all."""
        found: dict[str, list[T]] = {name: [] for name in subjects}
        for number in range(self.rounds):
            names = list(subjects)
            for name in names if number % 2 == 0 else reversed(names):
                found[name].append(subjects[name]())
        return found


@dataclass(frozen=True, slots=True)
class Figures:
    """Subject → its figure in each round; the subjects are `l7lb`, the peers, and what else."""

    rounds: dict[str, list[float]]
    notes: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """`measure` starts what it needs in the lab and leaves it running; the runner ends it."""

    name: str
    title: str
    unit: str
    measure: Callable[[Bench], Figures]
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A case that was measured."""

    case: Case
    figures: Figures
    load_average: float

    def median(self, subject: str) -> float:
        return median(self.figures.rounds[subject])

    def ratio(self, subject: str) -> float:
        """Of the medians."""
        return self.median(OURS) / self.median(subject)

    def spread(self, subject: str) -> tuple[float, float]:
        """Lowest and highest ratio of one round."""
        rounds = self.figures.rounds
        ratios = [a / b for a, b in zip(rounds[OURS], rounds[subject], strict=True)]
        return min(ratios), max(ratios)

    @property
    def others(self) -> list[str]:
        return [name for name in self.figures.rounds if name != OURS]

    @property
    def reached(self) -> float | None:
        """What the target speaks of; None: there is none, or its peer was left out."""
        target = self.case.target
        if target is None or (target.against and target.against not in self.figures.rounds):
            return None
        return self.ratio(target.against) if target.against else self.median(OURS)

    @property
    def holds(self) -> bool | None:
        if self.reached is None or self.case.target is None:
            return None
        return self.reached <= self.case.target.limit

    def lines(self) -> list[str]:
        """One line for ours, one for each other subject."""
        unit = self.case.unit
        lines = [f"{self.case.name:15} {self.case.title}"]
        lines.append(f"{'':15} {OURS:18} {self.median(OURS):10.2f} {unit}")
        for name in self.others:
            low, high = self.spread(name)
            lines.append(
                f"{'':15} {name:18} {self.median(name):10.2f} {unit:15}"
                f" ours ÷ this = {self.ratio(name):5.2f}  ({low:.2f} to {high:.2f})"
            )
        notes = (f"{name} {value:.2f}" for name, value in self.figures.notes.items())
        return [*lines, *(f"{'':15} {note}" for note in notes)]

    def verdict(self) -> str:
        """For a case with a target that could be measured."""
        assert self.case.target is not None
        what = f"÷ {self.case.target.against}" if self.case.target.against else self.case.unit
        return (
            f"{'holds' if self.holds else 'MISSED':7} {self.case.name:15} "
            f"{self.reached:6.2f} of {self.case.target.limit:<5} {what:20} {self.case.title}"
        )

    def keep(self, folder: Path) -> None:
        """As JSON; `peer` and `ratio` are HAProxy's, or those of the only peer."""
        peer = self.others[0]
        found = {
            "case": self.case.name,
            "title": self.case.title,
            "unit": self.case.unit,
            "ours": self.median(OURS),
            "peer": self.median(peer),
            "peer_name": peer,
            "ratio": self.ratio(peer),
            "ratios": {name: self.ratio(name) for name in self.others},
            "spread": {name: self.spread(name) for name in self.others},
            "medians": {name: self.median(name) for name in self.figures.rounds},
            "rounds": self.figures.rounds,
            "notes": self.figures.notes,
            "target": self.case.target and self.case.target.limit,
            "reached": self.reached,
            "holds": self.holds,
            "load_average": self.load_average,
            "congestion_control": network.congestion_control(),
        }
        (folder / f"{self.case.name}.json").write_text(json.dumps(found, indent=2) + "\n")
