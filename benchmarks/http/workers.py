"""Requests in a second with one worker and with two.

One worker has a core of its own beside load and origin. Two share both cores of a small machine
with them, so there the figure is the whole machine's; more cores tell more.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.figures import Bench, Case, Figures
from benchmarks.http.requests import WARM_S
from benchmarks.lab import Proxy
from benchmarks.load import Load, run_wrk
from benchmarks.setups import Setup

CONNECTIONS = 64
ROUNDS = 3


def rate(proxy: Proxy, seconds: int) -> float:
    pinned = proxy.setup.workers == 1
    load = Load(proxy.setup.app, CONNECTIONS)
    return run_wrk(proxy, load, seconds, -1 if pinned else None).rate


def rates(workers: int) -> Callable[[Bench], Figures]:
    def measure(bench: Bench) -> Figures:
        setup = Setup(workers=workers)
        proxies = {kind: bench.lab.start(kind, setup, workers == 1) for kind in bench.kinds}
        for proxy in proxies.values():
            rate(proxy, WARM_S)
        subjects = {kind: partial(rate, proxy, bench.seconds) for kind, proxy in proxies.items()}
        return Figures(bench.at_most(ROUNDS).interleave(subjects))

    return measure


CASES = (
    Case("rate-1", "requests/s with one worker", "requests/s", rates(1)),
    Case("rate-2", "requests/s with two workers", "requests/s", rates(2)),
)
