"""CPU time for each MiB of a response body."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from benchmarks.figures import Bench, Case, Figures, Target
from benchmarks.http.requests import rounds_of
from benchmarks.load import Load
from benchmarks.setups import Setup

UNIT = "µs CPU/MiB"
BARE = "bare splice"
"""A C program that splices and does nothing else: what the kernel takes, whoever asks it."""


def cpu(mib: int, connections: int) -> Callable[[Bench], Figures]:
    def measure(bench: Bench) -> Figures:
        setup = Setup(body_mib=mib)
        proxies = {kind: bench.lab.start(kind, setup) for kind in bench.kinds}
        if "haproxy" in proxies:
            auto = replace(setup, always_splice=False)
            proxies["haproxy, auto"] = bench.lab.start("haproxy", auto)
        proxies[BARE] = bench.lab.start(BARE, setup)
        rounds = rounds_of(bench, proxies, lambda _: Load(f"/files/{mib}MiB", connections))
        return Figures({kind: [r.cpu_us_per_mib for r in rounds[kind]] for kind in rounds})

    return measure


CASES = (
    Case("body-1MiB", "response of 1 MiB", UNIT, cpu(1, 16), Target(0.6)),
    Case("body-100MiB", "response of 100 MiB", UNIT, cpu(100, 4), Target(0.6)),
)
