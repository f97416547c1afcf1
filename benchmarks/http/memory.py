"""Memory of the workers for each idle client connection, after one request on it.

Kernel memory is not in it. Every round has fresh processes: what one leaves behind would hide the
next one's needs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from benchmarks.figures import Bench, Case, Figures, Target
from benchmarks.load import idle_connections
from benchmarks.setups import Setup

CONNECTIONS = 2000
WARM = 64
SETTLES_S = 1.0
ROUNDS = 3
UNIT = "KiB/connection"


def per_connection(bench: Bench, kind: str, setup: Setup) -> float:
    proxy = bench.lab.start(kind, setup)
    try:
        with idle_connections(proxy, WARM):
            time.sleep(SETTLES_S)
        before = proxy.pss_bytes()
        with idle_connections(proxy, CONNECTIONS):
            time.sleep(SETTLES_S)
            return (proxy.pss_bytes() - before) / CONNECTIONS / 1024
    finally:
        bench.lab.stop_proxies()


def memory(setup: Setup) -> Callable[[Bench], Figures]:
    def measure(bench: Bench) -> Figures:
        subjects = {kind: partial(per_connection, bench, kind, setup) for kind in bench.kinds}
        return Figures(bench.at_most(ROUNDS).interleave(subjects))

    return measure


CASES = (
    Case(
        "memory",
        "idle connection",
        UNIT,
        memory(Setup()),
        Target(4.0, against=""),
    ),
    Case("memory-tls", "idle TLS connection", UNIT, memory(Setup(tls=True))),
)
