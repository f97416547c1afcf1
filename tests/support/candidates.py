"""Servers as schedulers see them, with sessions that a test opens and closes by hand."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from l7lb.ports import Counters, ManualClock
from l7lb.scheduling.base import Inputs, Scheduler
from l7lb.scheduling.peak_ewma import PeakEwma


@dataclass(eq=False)
class FakeServer:
    name: str
    index: int
    weight: float = 1.0
    full_weight: float = 1.0
    latency: PeakEwma = field(default_factory=PeakEwma)

    def __repr__(self) -> str:
        return self.name


class Open(Counters):
    """Sessions that a test counts by hand."""

    def __init__(self, sessions: Counter[int]) -> None:
        super().__init__()
        self.sessions = sessions

    def active(self, index: int) -> int:
        return self.sessions[index]


class World:
    """Open sessions, clock and dice."""

    def __init__(self, random: Callable[[], float] | None = None) -> None:
        self.open: Counter[int] = Counter()
        self.clock = ManualClock()
        self.random = random or Random(7).random
        self.inputs = Inputs(Open(self.open), self.random, self.clock.now)


def servers(*weights: float) -> list[FakeServer]:
    """a, b, c, … with these weights."""
    return [
        FakeServer(chr(ord("a") + n), n, float(weight), float(weight))
        for n, weight in enumerate(weights)
    ]


def many(count: int) -> list[FakeServer]:
    return [FakeServer(f"server-{n}", n) for n in range(count)]


def names(scheduler: Scheduler[FakeServer], count: int) -> str:
    """Choices one after the other, with no session held."""
    chosen = (scheduler.choose(None) for _ in range(count))
    return "".join(each.name if each else "-" for each in chosen)


def held(scheduler: Scheduler[FakeServer], world: World, count: int) -> str:
    """Choices one after the other, each session held open."""
    text = ""
    for _ in range(count):
        chosen = scheduler.choose(None)
        assert chosen is not None
        world.open[chosen.index] += 1
        text += chosen.name
    return text


def by_key(scheduler: Scheduler[FakeServer], keys: range) -> dict[int, str]:
    """The choice for each of many keys."""
    chosen = {n: scheduler.choose(b"key-%d" % n) for n in keys}
    return {n: each.name for n, each in chosen.items() if each is not None}
