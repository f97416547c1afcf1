"""The slowest hundredth of requests at a rate that is half of the first peer's peak.

The same requests straight to the origin show what client and origin alone need: where that is not
far below the others, the machine was too busy for this figure.
"""

from __future__ import annotations

from functools import partial
from statistics import median

from benchmarks.figures import Bench, Case, Figures, Target
from benchmarks.http.requests import WARM_S
from benchmarks.load import Load, run_paced, run_wrk
from benchmarks.setups import Setup

PEAK_CONNECTIONS = 64
PEAK_ROUNDS = 3
SHARE = 0.5


def p99(bench: Bench) -> Figures:
    setup = Setup()
    proxies = {kind: bench.lab.start(kind, setup) for kind in bench.kinds}
    load = Load(setup.app, PEAK_CONNECTIONS)
    for proxy in proxies.values():
        run_wrk(proxy, load, WARM_S)
    first = proxies[bench.kinds[0]]
    peak = median(run_wrk(first, load, bench.seconds).rate for _ in range(PEAK_ROUNDS))
    rate = peak * SHARE
    rounds = bench.interleave(
        {
            name: partial(run_paced, proxy, setup.app, rate, bench.seconds)
            for name, proxy in (proxies | {"no proxy": bench.lab.origin}).items()
        }
    )
    halves = {f"{kind}, p50 ms": median(r.p50_ms for r in rounds[kind]) for kind in rounds}
    notes = {"requests/s": rate} | halves
    return Figures({kind: [r.p99_ms for r in rounds[kind]] for kind in rounds}, notes)


CASES = (
    Case("p99", "99th percentile of latency at half of HAProxy's peak", "ms", p99, Target(1.5)),
)
