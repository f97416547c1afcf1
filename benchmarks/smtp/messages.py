"""CPU for each message of 10 KiB to one recipient, by Debian's smtp-source, ours beside Postfix.

Postfix answers 250 when the message is fsynced in its queue, and delivers it afterwards; the
director when the server behind has answered 250. Both are counted until the server has it.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from statistics import median

from benchmarks.figures import OURS, Bench, Case, Figures, Target
from benchmarks.lab import cores, pinned, system
from benchmarks.load import LOG_SETTLES_S, LoadFailed
from benchmarks.smtp.relays import POSTFIX, RECIPIENT, Relay, Sink, relays, until

MESSAGE_BYTES = 10240
SESSIONS = 10
PER_SECOND = 250
"""Messages of a round for each of its seconds: a round's work is fixed, its time is not."""
WARM_UP = 100
ROUND_S = 300.0
UNIT = "µs CPU/message"


def send(relay: Relay, sink: Sink, count: int, *, kept: bool) -> float:
    """Messages in a second, until the sink has them all. `kept`: each session sends all its
    messages over one connection. Raises LoadFailed."""
    before, start = sink.messages, time.monotonic()
    command = [system("smtp-source"), *(["-d"] if kept else [])]
    command += ["-s", str(SESSIONS), "-m", str(count), "-l", str(MESSAGE_BYTES)]
    command += ["-f", "sender@example.net", "-t", RECIPIENT, f"127.0.0.1:{relay.port}"]
    done = subprocess.run(
        pinned(cores()[0], command), check=False, capture_output=True, text=True, timeout=ROUND_S
    )
    if done.returncode or "error" in done.stderr:
        raise LoadFailed(f"{relay.kind}: {done.stderr[-500:]}")
    until(lambda: sink.messages >= before + count, ROUND_S, f"{relay.kind} keeps messages")
    if sink.messages != before + count:
        raise LoadFailed(f"{relay.kind}: a message came twice")
    return count / (time.monotonic() - start)


def measure(*, kept: bool) -> Callable[[Bench], Figures]:
    def run(bench: Bench) -> Figures:
        rates: dict[str, list[float]] = {OURS: [], POSTFIX: []}
        with relays(bench.lab, (OURS, POSTFIX)) as (sink, found):
            for relay in found.values():
                send(relay, sink, WARM_UP, kept=kept)

            def subject(name: str) -> Callable[[], float]:
                def one() -> float:
                    relay, count = found[name], PER_SECOND * bench.seconds
                    before = relay.cpu_s()
                    rates[name].append(send(relay, sink, count, kept=kept))
                    time.sleep(LOG_SETTLES_S)
                    return (relay.cpu_s() - before) / count * 1e6

                return one

            rounds = bench.interleave({name: subject(name) for name in found})
        return Figures(rounds, {f"messages/s, {name}:": median(rates[name]) for name in rates})

    return run


CASES = (
    Case(
        "smtp-10k",
        "message of 10 KiB, a connection for each; Postfix fsyncs, ours waits for the server",
        UNIT,
        measure(kept=False),
        Target(1.0, POSTFIX),
    ),
    Case(
        "smtp-10k-kept",
        "the same, kept client connections",
        UNIT,
        measure(kept=True),
        Target(1.0, POSTFIX),
    ),
)
