"""What clients ask for: films by Zipf's law, whose order of popularity drifts; seeded."""

from __future__ import annotations

import itertools
import random
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass

FILES = 5000
ALPHA = 0.8
MEDIAN_MB = 400
SPREAD = 0.7
"""Sigma of the log-normal sizes."""
RATE_S = 1.0
"""Viewings that begin in a second."""
PARTS = (0.1, 0.5, 1.0, 1.0)
"""Shares of a film that are watched, equally often."""
DRIFT_EVERY = 1000
DRIFT_FILES = 20
TOP = 200
"""So many of the most popular change places with any others each time."""


@dataclass(frozen=True, slots=True)
class Viewing:
    start_s: float
    file: int
    part: float


@dataclass(frozen=True, slots=True)
class Trace:
    sizes: list[int]
    viewings: list[Viewing]


def trace(seed: int, count: int) -> Trace:
    rng = random.Random(seed)
    sizes = [
        int(1e6 * min(4000.0, max(20.0, MEDIAN_MB * rng.lognormvariate(0, SPREAD))))
        for _ in range(FILES)
    ]
    return Trace(sizes, list(_viewings(rng, count)))


def _viewings(rng: random.Random, count: int) -> Iterator[Viewing]:
    ranked = list(range(FILES))
    rng.shuffle(ranked)
    weights = list(itertools.accumulate(1 / (rank + 1) ** ALPHA for rank in range(FILES)))
    now_s = 0.0
    for number in range(count):
        if number % DRIFT_EVERY == 0:
            for _ in range(DRIFT_FILES):
                one, other = rng.randrange(TOP), rng.randrange(FILES)
                ranked[one], ranked[other] = ranked[other], ranked[one]
        now_s += rng.expovariate(RATE_S)
        rank = bisect(weights, rng.random() * weights[-1])
        yield Viewing(now_s, ranked[rank], rng.choice(PARTS))
