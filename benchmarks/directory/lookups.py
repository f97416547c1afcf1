"""CPU of the client for each look-up of an account, cold and cached, against slapd."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from statistics import median

from benchmarks.directory.server import Server, slapd
from benchmarks.figures import OURS, Bench, Case, Figures
from benchmarks.lab import environment, pinned

UNIT = "µs CPU/look-up"
GRACE_S = 180


def measure(subjects: dict[str, str]) -> Callable[[Bench], Figures]:
    """`subjects`: name → kind of client. The server has the load's core, the client the proxy's."""

    def run(bench: Bench) -> Figures:
        rates: dict[str, list[float]] = defaultdict(list)
        server_us: list[float] = []
        with slapd(bench.lab.load_core) as server:

            def subject(name: str, kind: str) -> Callable[[], float]:
                def one() -> float:
                    before = server.cpu_s()
                    found = client(bench, kind, server)
                    rates[name].append(found["rate"])
                    if kind == "cold":
                        server_us.append((server.cpu_s() - before) / found["done"] * 1e6)
                    return found["cpu_us"]

                return one

            made = {name: subject(name, kind) for name, kind in subjects.items()}
            rounds = bench.interleave(made)
        notes = {f"look-ups/s, {name}:": median(found) for name, found in rates.items()}
        if server_us:
            notes["slapd, µs CPU/look-up (with warming up):"] = median(server_us)
        return Figures(rounds, notes)

    return run


def client(bench: Bench, kind: str, server: Server) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.directory.client", kind, server.url]
    done = subprocess.run(
        pinned(bench.lab.proxy_core, [*command, str(bench.seconds)]),
        check=False,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=GRACE_S + bench.seconds,
    )
    if done.returncode:
        raise RuntimeError(done.stderr[-500:])
    found: dict[str, float] = json.loads(done.stdout)
    return found


CASES = (
    Case(
        "lookup",
        "account looked up in slapd, 64 at once",
        UNIT,
        measure({"blocking calls": "blocking", "one at a time": "tasks-1", OURS: "cold"}),
    ),
    Case(
        "lookup-cached",
        "account looked up in the cache",
        UNIT,
        measure({"cold": "cold", OURS: "cached"}),
    ),
)
