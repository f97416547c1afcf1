"""Bytes from shared storage, and how even the load is: ours beside round-robin and path hash.

A simulation, so its figures do not depend on the machine. All three copy by the same rules; only
who gets a viewing differs. Each round is another trace.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from benchmarks.figures import OURS, Bench, Case, Figures, Target
from benchmarks.hotfiles.choices import by_path, in_turn, ours
from benchmarks.hotfiles.cluster import SERVERS, Choose, Cluster, Counted
from benchmarks.hotfiles.trace import trace

TURN = "round-robin"
HASH = "path hash"
CHOICES: dict[str, Callable[[], Choose]] = {OURS: ours, TURN: in_turn, HASH: by_path}
VIEWINGS = 10_000
"""For each second of a round."""
EACH = 0.1
"""Disk of each server, as a share of the catalogue."""
TOGETHER = EACH / SERVERS
"""The same for all servers together."""


@cache
def counted(kind: str, seed: int, count: int, share: float) -> Counted:
    return Cluster(trace(seed, count), share, CHOICES[kind]()).run()


def measured(bench: Bench, share: float, figure: Callable[[Counted], float]) -> Figures:
    """Of each round's trace, in percent or as a ratio."""
    count = VIEWINGS * bench.seconds
    found = {
        kind: [counted(kind, seed, count, share) for seed in range(bench.rounds)]
        for kind in CHOICES
    }
    notes = {}
    for kind, rounds in found.items():
        notes[f"hit ratio in bytes, %, {kind}"] = mean([each.hit_percent for each in rounds])
        notes[f"busiest ÷ mean, bytes, {kind}"] = mean([each.busiest for each in rounds])
        notes[f"busiest ÷ mean, sessions, {kind}"] = mean([each.peak for each in rounds])
    return Figures(
        {kind: [figure(each) for each in rounds] for kind, rounds in found.items()}, notes
    )


def mean(figures: list[float]) -> float:
    return sum(figures) / len(figures)


CASES = (
    Case(
        "hotfiles-shared",
        f"bytes from shared storage, {SERVERS} servers with {EACH:.0%} of the catalogue each",
        "% of streamed",
        lambda bench: measured(bench, EACH, lambda each: each.shared_percent),
        Target(0.7, TURN),
    ),
    Case(
        "hotfiles-small",
        f"bytes from shared storage, {EACH:.0%} of the catalogue on all servers together",
        "% of streamed",
        lambda bench: measured(bench, TOGETHER, lambda each: each.shared_percent),
    ),
    Case(
        "hotfiles-busiest",
        f"busiest server, {EACH:.0%} of the catalogue each",
        "÷ mean, bytes",
        lambda bench: measured(bench, EACH, lambda each: each.busiest),
        Target(1.1, ""),
    ),
)
