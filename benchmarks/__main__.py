"""`python -m benchmarks`: run cases, print their figures, keep them in build/bench/."""

from __future__ import annotations

import argparse
import importlib.util
import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import network, procfs
from benchmarks.directory import lookups
from benchmarks.figures import Bench, Case, Result
from benchmarks.hotfiles import viewings
from benchmarks.http import bodies, latency, memory, requests, workers
from benchmarks.lab import Lab, check_command, environment, is_first
from benchmarks.load import LoadFailed
from benchmarks.locks import pairs
from benchmarks.mail import sessions
from benchmarks.media import control, kernel, relay
from benchmarks.setups import ROOT, Setup, render
from benchmarks.smtp import messages

CASES = (
    *requests.CASES,
    *bodies.CASES,
    *memory.CASES,
    *latency.CASES,
    *workers.CASES,
    *pairs.CASES,
    *lookups.CASES,
    *sessions.CASES,
    *messages.CASES,
    *relay.CASES,
    *kernel.CASES,
    *control.CASES,
    *viewings.CASES,
)
FOLDER = ROOT / "build/bench"
BUSY = 1.0
"""Load average above which figures vary too much to be quoted."""
SETUPS = (
    Setup(),
    Setup(log=False),
    Setup(tls=True),
    Setup(rules=100),
    Setup(workers=2),
    Setup(body_mib=100),
)
"""All that the cases use, less the long one."""
SEEN = (b"for=127.0.0.1", b"proto=http", b"host=127.0.0.1:", b"id=", b"via=1.1")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    names = ", ".join(case.name for case in CASES)
    parser.add_argument("case", nargs="*", help=f"only these, of: {names}")
    parser.add_argument("--quick", action="store_true", help="2 rounds of 2 s")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="length of a round")
    parser.add_argument("--peer", choices=("haproxy", "nginx", "both"), default="both")
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument(
        "--host-network", action="store_true", help="with the machine's own congestion control"
    )
    parser.add_argument(
        "--check", action="store_true", help="only ask whether all accept their configuration"
    )
    return parser.parse_args()


def chosen(names: list[str]) -> list[Case]:
    unknown = set(names) - {case.name for case in CASES}
    if unknown:
        sys.exit(f"no such case: {', '.join(sorted(unknown))}")
    return [case for case in CASES if case.name in names or not names]


def measured(case: Case, bench: Bench) -> Result | None:
    """None, with the reason printed, when no figure came of it."""
    load = procfs.load_average()
    bench.lab.case = case.name
    try:
        figures = case.measure(bench)
    except (LoadFailed, RuntimeError) as error:
        print(f"{case.name:15} FAILED: {error}", flush=True)
        return None
    finally:
        bench.lab.stop_proxies()
    result = Result(case, figures, load)
    result.keep(bench.lab.folder)
    print("\n".join(result.lines()), flush=True)
    return result


def introduction(bench: Bench) -> None:
    driver = importlib.util.find_spec("l7lb.net.driver")
    compiled = driver is not None and str(driver.origin).endswith(".so")
    lab = bench.lab
    print(
        f"l7lb {'compiled' if compiled else 'NOT COMPILED'}; proxy on core {lab.proxy_core}, "
        f"load and origin on core {lab.load_core}; {bench.rounds} rounds of {bench.seconds} s; "
        f"congestion control {network.congestion_control()}"
    )
    load = procfs.load_average()
    busy = "others wait (real-time priority)" if is_first() else "do not quote these figures"
    quiet = "" if load < BUSY else f": the machine is busy, {busy}"
    print(f"load average {load:.2f}{quiet}\n", flush=True)


def run(cases: list[Case], bench: Bench) -> int:
    start = time.monotonic()
    introduction(bench)
    results = [measured(case, bench) for case in cases]
    print("\nTargets (docs: benchmarks/README.md)")
    for result in results:
        if result is not None and result.holds is not None:
            print(result.verdict())
    print(f"{time.monotonic() - start:.0f} s, load average {procfs.load_average():.2f}")
    return 1 if None in results else 0


def check(lab: Lab, peers: tuple[str, ...]) -> int:
    """Every configuration is accepted, and all three forward the same fields."""
    good = True
    for kind in (*peers, "l7lb"):
        for number, setup in enumerate(SETUPS):
            config = render(kind, setup, lab.site(f"accepts-{kind}-{number}"))
            command = check_command(kind, config)
            done = subprocess.run(
                command, check=False, env=environment(), capture_output=True, text=True
            )
            good &= done.returncode == 0
            print(f"{kind} {setup}: {'accepted' if done.returncode == 0 else done.stderr}")
        status, seen = lab.start(kind, SETUPS[0]).get("/seen")
        told = status == 200 and all(part in seen for part in SEEN)
        good &= told
        print(f"{kind} forwards: {seen.decode().strip()}{'' if told else ' - NOT ALL'}")
    return 0 if good else 1


def main() -> int:
    options = arguments()
    cases = chosen(options.case)
    if not options.host_network:
        network.enter()
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    peers = ("haproxy", "nginx") if options.peer == "both" else (options.peer,)
    with Lab(options.folder) as lab:
        if options.check:
            return check(lab, peers)
        rounds = 2 if options.quick else options.rounds
        return run(cases, Bench(lab, peers, rounds, options.seconds))


if __name__ == "__main__":
    sys.exit(main())
