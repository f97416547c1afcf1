"""A client that never stops: it visits the directors in turn and reports each second.

`python -m l7lb.demo.visitor HOST:PORT...`. A director that takes no connection is passed over, as
a client with several addresses does; a visit fails when no director is left, or the one that took
it gives no good answer. Each line is JSON, and the last one, after SIGTERM, is the sum.
"""

import asyncio
import contextlib
import json
import signal
import sys
from collections import Counter
from dataclasses import dataclass, field

from l7lb.demo.client import Reply, Unreachable, Visit, VisitFailed, get

PAUSE_S = 0.02
REPORT_S = 1.0


@dataclass(slots=True)
class Report:
    directors: Counter[str] = field(default_factory=Counter)
    origins: Counter[str] = field(default_factory=Counter)
    failed: int = 0

    def add(self, other: "Report") -> None:
        self.directors += other.directors
        self.origins += other.origins
        self.failed += other.failed

    def line(self) -> str:
        return json.dumps(
            {"directors": self.directors, "origins": self.origins, "failed": self.failed},
            sort_keys=True,
        )


class Visitor:
    """Owns the turn and the counts."""

    def __init__(self, directors: list[tuple[str, int]]) -> None:
        self.directors = directors
        self.turn = 0
        self.report = Report()

    async def visit(self) -> None:
        """One visit, to the next director that takes a connection."""
        self.turn += 1
        for step in range(len(self.directors)):
            address = self.directors[(self.turn + step) % len(self.directors)]
            try:
                self.count(address[0], await get(address, Visit("/")))
                return
            except Unreachable:
                continue
            except VisitFailed as error:
                sys.stderr.write(f"{address[0]}: {error}\n")
                break
        self.report.failed += 1

    def count(self, director: str, reply: Reply) -> None:
        if reply.status == 200:
            self.report.directors[director] += 1
            self.report.origins[reply.origin] += 1
        else:
            sys.stderr.write(f"{director}: status {reply.status}\n")
            self.report.failed += 1

    def take_report(self) -> Report:
        """What was counted since the last time."""
        report, self.report = self.report, Report()
        return report


async def visit_until(visitor: Visitor, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await visitor.visit()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PAUSE_S)


async def run(directors: list[tuple[str, int]], stop: asyncio.Event) -> Report:
    """Visits and reports until `stop`; returns the sum."""
    visitor, total = Visitor(directors), Report()
    visits = asyncio.get_running_loop().create_task(visit_until(visitor, stop))
    while not visits.done():
        await asyncio.wait([visits], timeout=REPORT_S)
        report = visitor.take_report()
        total.add(report)
        sys.stdout.write(report.line() + "\n")
        sys.stdout.flush()
    await visits
    return total


def parse_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


async def main(arguments: list[str]) -> int:
    """0 when no visit failed, else 1."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    total = await run(list(map(parse_address, arguments)), stop)
    sys.stdout.write(f"sum {total.line()}\n")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
