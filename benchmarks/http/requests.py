"""CPU time for one small request: kept connections, new ones, TLS, many rules, log or none."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from statistics import median

from benchmarks.figures import OURS, Bench, Case, Figures, Target
from benchmarks.lab import Proxy
from benchmarks.load import Load, Round, run_wrk
from benchmarks.setups import Setup

WARM_S = 1
FEW = f"{OURS}, 3 rules"
UNIT = "µs CPU/request"


def rounds_of(
    bench: Bench, proxies: dict[str, Proxy], load: Callable[[Proxy], Load]
) -> dict[str, list[Round]]:
    """Every proxy is warmed once, then measured in every round."""
    for proxy in proxies.values():
        run_wrk(proxy, load(proxy), WARM_S)
    return bench.interleave(
        {
            name: partial(run_wrk, proxy, load(proxy), bench.seconds)
            for name, proxy in proxies.items()
        }
    )


def app_load(connections: int = 32, close: bool = False) -> Callable[[Proxy], Load]:
    """The request that the URL + cookie rule in the middle of the table takes."""
    return lambda proxy: Load(proxy.setup.app, connections, close)


def figures(rounds: dict[str, list[Round]]) -> Figures:
    """CPU per request; our supervisor's apart."""
    above = median(r.supervisor_s / r.requests * 1e6 for r in rounds[OURS])
    rates = {f"{name}, requests/s": median(r.rate for r in found) for name, found in rounds.items()}
    per_request = {name: [r.cpu_us_per_request for r in found] for name, found in rounds.items()}
    return Figures(per_request, {"supervisor, µs CPU/request": above} | rates)


def cpu(
    setup: Setup, load: Callable[[Proxy], Load], others: dict[str, Setup] | None = None
) -> Callable[[Bench], Figures]:
    """`others`: more setups of ours to compare with."""

    def measure(bench: Bench) -> Figures:
        proxies = {kind: bench.lab.start(kind, setup) for kind in bench.kinds}
        for name, other in (others or {}).items():
            proxies[name] = bench.lab.start(OURS, other)
        return figures(rounds_of(bench, proxies, load))

    return measure


CASES = (
    Case(
        "small-32",
        "small request, 32 connections, access log",
        UNIT,
        cpu(Setup(), app_load(32)),
        Target(1.0),
    ),
    Case(
        "small-32-nolog",
        "small request, 32 connections, no log",
        UNIT,
        cpu(Setup(log=False), app_load(32)),
        Target(1.3),
    ),
    Case(
        "small-128",
        "small request, 128 connections, access log",
        UNIT,
        cpu(Setup(), app_load(128)),
        Target(1.0),
    ),
    Case(
        "small-128-nolog",
        "small request, 128 connections, no log",
        UNIT,
        cpu(Setup(log=False), app_load(128)),
        Target(1.3),
    ),
    Case(
        "rules-100",
        "small request, 100 rules",
        UNIT,
        cpu(Setup(rules=100), app_load(), {FEW: Setup()}),
        Target(1.1, FEW),
    ),
    Case(
        "rules-10000",
        "small request, 10,000 rules",
        UNIT,
        cpu(Setup(rules=10_000), app_load(), {FEW: Setup()}),
        Target(1.1, FEW),
    ),
    Case(
        "new-connection",
        "small request on a new connection",
        UNIT,
        cpu(Setup(), app_load(close=True)),
        Target(1.5),
    ),
    Case(
        "tls",
        "small request over TLS, kept connections",
        UNIT,
        cpu(Setup(tls=True), app_load()),
        Target(1.5),
    ),
)
