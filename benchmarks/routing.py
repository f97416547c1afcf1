"""CPU time of one routing decision, with few rules and with many.

Run: `python benchmarks/routing.py`. Each figure is the median of several rounds; shapes of one
comparison are measured in turn within each round, so that a busy machine hits them alike.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from l7lb.model import MatchSpec, PathKind, PathMatch, Place, RouteSpec, ValueMatch
from l7lb.routing import table as module
from l7lb.routing.table import RoutingTable
from l7lb_protocols.facts import PlainFacts

ROUNDS = 15
CALLS = 20_000
SIZES = (10, 100, 10_000)
BETA = (ValueMatch(b"beta", b"1"),)


def prefix(text: bytes) -> PathMatch:
    return PathMatch(PathKind.PREFIX, text)


def one_host(n: int) -> MatchSpec:
    return MatchSpec(hosts=(b"www.example.org",), path=prefix(b"/app%05d/v1" % n), cookies=BETA)


def any_host(n: int) -> MatchSpec:
    return MatchSpec(path=prefix(b"/app%05d/v1" % n), cookies=BETA)


def many_hosts(n: int) -> MatchSpec:
    return MatchSpec(hosts=(b"h%05d.example.org" % n,), path=prefix(b"/app/v1"), cookies=BETA)


def wildcards(n: int) -> MatchSpec:
    return MatchSpec(hosts=(b"*.h%05d.example.org" % n,), path=prefix(b"/app/v1"), cookies=BETA)


SHAPES: dict[str, tuple[Callable[[int], MatchSpec], bytes, bytes]] = {
    "URL + cookie, any host": (any_host, b"www.example.org", b"/app00005/v1/list/42"),
    "URL + cookie, one host": (one_host, b"www.example.org", b"/app00005/v1/list/42"),
    "URL + cookie, a host each": (many_hosts, b"h00005.example.org", b"/app/v1/list/42"),
    "URL + cookie, a wildcard each": (wildcards, b"www.h00005.example.org", b"/app/v1/list/42"),
    "no rule of its own": (one_host, b"www.example.org", b"/other/list/of/things/42"),
}


def table_of(shape: Callable[[int], MatchSpec], size: int) -> RoutingTable:
    place = Place("cluster.yaml", 1, 1)
    rules = [RouteSpec(str(n), place, shape(n)) for n in range(size - 1)]
    return RoutingTable([*rules, RouteSpec("else", place)])


def cpu_us(table: RoutingTable, facts: PlainFacts) -> float:
    match = table.match
    start = time.process_time()
    for _ in range(CALLS):
        match(facts)
    return (time.process_time() - start) / CALLS * 1e6


def main() -> None:
    print("compiled" if module.__file__.endswith(".so") else "not compiled", "- µs per match")
    print(f"{'':32}" + "".join(f"{f'{size} rules':>14}" for size in SIZES) + "   most/least")
    for name, (shape, host, path) in SHAPES.items():
        facts = PlainFacts(host=host, path=path, method=b"GET", cookies={b"beta": b"1"})
        tables = [table_of(shape, size) for size in SIZES]
        rounds = [[cpu_us(table, facts) for table in tables] for _ in range(ROUNDS)]
        figures = [median(column) for column in zip(*rounds, strict=True)]
        ratio = median(row[-1] / row[0] for row in rounds)
        print(f"{name:32}" + "".join(f"{figure:14.3f}" for figure in figures) + f"{ratio:13.2f}")


if __name__ == "__main__":
    main()
