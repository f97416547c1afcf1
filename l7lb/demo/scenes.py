"""What the demo asks of its cluster, scene by scene, and what it counts.

The proof is in the traffic: which origin answered, and that no visit failed.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from l7lb.demo.client import Reply, Visit, VisitFailed, converse, get
from l7lb.demo.cluster import Cluster
from l7lb.demo.rules import OriginSpec
from l7lb.demo.table import Table

VISITORS = 8
PAUSE_S = 0.01
REFRESH_S = 0.1
HEALTHY_S = 20.0
ALONE_S = 2.5


@dataclass(slots=True)
class Tally:
    """What came back."""

    answered: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def count(self, reply: Reply, expected: int) -> None:
        self.slowest_s = max(self.slowest_s, reply.took_s)
        if reply.status == expected:
            self.answered[reply.origin] += 1
        else:
            self.failures.append(f"status {reply.status}")

    @property
    def visits(self) -> int:
        return self.answered.total() + len(self.failures)


class Unexpected(Exception):
    """The cluster answered, but not as the rules say."""


class Stage:
    """Where the scenes play: the cluster, the table, and every failure so far."""

    def __init__(self, cluster: Cluster, table: Table) -> None:
        self.cluster = cluster
        self.table = table
        self.address = ("127.0.0.1", cluster.spec.port)
        self.failures: list[str] = []
        self.visits = 0

    async def visit(self, tally: Tally, visit: Visit, expected: int = 200) -> Reply | None:
        try:
            reply = await get(self.address, visit)
        except VisitFailed as error:
            tally.failures.append(str(error))
            return None
        tally.count(reply, expected)
        return reply

    async def crowd(self, tally: Tally, visits: Iterable[Visit]) -> None:
        """Several visitors share the list; each goes on when it has its reply."""
        queue: Iterator[Visit] = iter(visits)

        async def visitor() -> None:
            for visit in queue:
                await self.visit(tally, visit)
                await asyncio.sleep(PAUSE_S)

        async with asyncio.TaskGroup() as group:
            for _ in range(VISITORS):
                group.create_task(visitor())

    @asynccontextmanager
    async def scene(self, label: str) -> AsyncIterator[Tally]:
        """Counts in place while the body runs, then writes the finished row."""
        tally = Tally()

        async def refresh() -> None:
            while True:
                self.table.row(label, tally.answered, len(tally.failures), done=False)
                await asyncio.sleep(REFRESH_S)

        painter = asyncio.get_running_loop().create_task(refresh())
        try:
            yield tally
        finally:
            painter.cancel()
        self.table.row(label, tally.answered, len(tally.failures), done=True)
        self.failures += tally.failures
        self.visits += tally.visits

    def expect(self, true: bool, claim: str) -> None:
        if not true:
            raise Unexpected(claim)


async def rules(stage: Stage) -> None:
    """One row for each kind of rule in the file."""
    stage.table.title("Where requests go")
    stage.table.head()
    await spread(stage, "path    /", [Visit("/")] * 90, {"web-1", "web-2", "web-3"})
    await spread(
        stage,
        "path    /api/*, split 90 : 10",
        [Visit("/api/items")] * 200,
        {"api-1", "api-2", "canary-1"},
    )
    tester = Visit("/api/items", headers={"Cookie": "beta=1"})
    await spread(stage, "cookie  beta=1 on /api/*", [tester] * 30, {"canary-1"})
    picture = Visit("/logo.svg", host="static.demo.test")
    await spread(stage, "host    static.demo.test", [picture] * 30, {"static-1"})
    await sticky(stage)
    await tunnel(stage)


async def spread(stage: Stage, label: str, visits: list[Visit], expected: set[str]) -> None:
    async with stage.scene(label) as tally:
        await stage.crowd(tally, visits)
    if not tally.failures:
        answered = set(tally.answered)
        stage.expect(answered == expected, f"{label}: {sorted(answered)} answered")


async def sticky(stage: Stage) -> None:
    """A browser that sends its cookie back meets one server only."""
    label = "sticky  one browser with its L7LB cookie"
    async with stage.scene(label) as tally:
        first = await stage.visit(tally, Visit("/"))
        if first is not None:
            stage.expect(first.cookie.startswith("L7LB="), "no L7LB cookie was set")
            browser = Visit("/basket", headers={"Cookie": first.cookie})
            await stage.crowd(tally, [browser] * 29)
    if not tally.failures:
        stage.expect(len(tally.answered) == 1, "one browser met several servers")


async def tunnel(stage: Stage) -> None:
    """A WebSocket goes through, and every message comes back."""
    async with stage.scene("upgrade WebSocket /echo, 3 messages each") as tally:
        for _ in range(4):
            try:
                reply = await converse(stage.address, Visit("/echo"), ["one", "two", "three"])
            except VisitFailed as error:
                tally.failures.append(str(error))
            else:
                tally.count(reply, expected=101)


async def survive(stage: Stage) -> None:
    """One origin dies under load and comes back; nobody notices."""
    victim = next(origin for origin in stage.cluster.spec.origins if origin.name == "web-2")
    stage.table.title(f"{victim.name} is killed under load, and comes back")
    stage.table.head()

    async def die(tally: Tally) -> None:
        await until(lambda: tally.visits >= 20)
        stage.cluster.kill(victim.name)
        await asyncio.sleep(ALONE_S)

    async def return_to_work(tally: Tally) -> None:
        await asyncio.to_thread(stage.cluster.start_origin, victim)
        await until(lambda: tally.answered[victim.name] >= 30)

    await under_load(stage, "all servers up", lambda tally: until(lambda: tally.visits >= 150))
    await under_load(stage, f"{victim.name} gets SIGKILL now", die)
    await under_load(stage, f"{victim.name} started again", return_to_work)


async def under_load(
    stage: Stage, label: str, events: Callable[[Tally], Coroutine[None, None, None]]
) -> None:
    """Visitors come without a pause until `events` has run to its end."""
    async with stage.scene(label) as tally:
        happening = asyncio.get_running_loop().create_task(events(tally))
        visits = itertools.repeat(Visit("/"))
        await stage.crowd(tally, itertools.takewhile(lambda _: not happening.done(), visits))
        await happening


async def until(true: Callable[[], bool]) -> None:
    """Raises `Unexpected` if it does not come true in good time."""
    deadline = time.monotonic() + HEALTHY_S
    while not true():
        if time.monotonic() > deadline:
            raise Unexpected("the cluster did not recover in good time")
        await asyncio.sleep(REFRESH_S / 4)


def by_engine(origins: Iterable[OriginSpec]) -> str:
    """`nginx: web-1, web-2; python: …`."""
    groups: dict[str, list[str]] = {}
    for origin in origins:
        groups.setdefault(origin.engine, []).append(origin.name)
    return "; ".join(f"{engine}: {', '.join(names)}" for engine, names in sorted(groups.items()))
