"""Pools on a clock that stands still, for stories told by takes and views."""

from collections import Counter
from random import Random

from l7lb.model import (
    Address,
    PersistenceKind,
    PersistenceSpec,
    PoolSpec,
    SchedulerKind,
    SchedulerSpec,
    ServerSpec,
)
from l7lb.pool.pool import Pool, PoolEnvironment
from l7lb.pool.server import ServerUpdate
from l7lb.pool.slot import Outcome, Slot
from l7lb.ports import LocalCounters, ManualClock
from l7lb_protocols.facts import Facts, PlainFacts

RR = SchedulerSpec(SchedulerKind.RR)
COOKIE = PersistenceSpec(PersistenceKind.COOKIE, b"L7LB")
LEARNED = PersistenceSpec(PersistenceKind.LEARNED, b"sid", timeout_s=60.0)


def server_specs(*names: str, **options: object) -> tuple[ServerSpec, ...]:
    """Servers 10.0.0.1:80, 10.0.0.2:80, … with these names."""
    return tuple(
        ServerSpec(name, Address(f"10.0.0.{n}", 80), **options)  # type: ignore[arg-type]
        for n, name in enumerate(names, 1)
    )


class PoolStory:
    """One pool with its clock and counters."""

    def __init__(self, spec: PoolSpec, workers: int = 1, counters: LocalCounters | None = None):
        self.clock = ManualClock()
        self.counters = counters or LocalCounters()
        self.env = PoolEnvironment(
            self.clock, self.counters, Random(7).random, b"secret", workers=workers
        )
        self.pool = Pool(spec, self.indices(spec), self.env)

    @staticmethod
    def indices(spec: PoolSpec) -> dict[str, int]:
        return {each.name: number for number, each in enumerate(spec.servers)}

    def take(self, facts: Facts | None = None, *exclude: str) -> Slot | None:
        return self.pool.take(facts or PlainFacts(), [self.server(name) for name in exclude])

    def name(self, facts: Facts | None = None, *exclude: str) -> str:
        """Take a slot, give it back, and say where it was."""
        slot = self.take(facts, *exclude)
        if slot is None:
            return "full"
        slot.release(Outcome.OK)
        return slot.server.name

    def shares(self, count: int, facts: Facts | None = None) -> dict[str, int]:
        return dict(sorted(Counter(self.name(facts) for _ in range(count)).items()))

    def server(self, name: str):
        return next(each for each in self.pool.servers if each.name == name)

    def fail(self, name: str, outcome: Outcome) -> None:
        """One session on `name` that ends so."""
        others = [each for each in self.pool.servers if each.name != name]
        slot = self.pool.take(PlainFacts(), others)
        assert slot is not None
        assert slot.server.name == name
        slot.release(outcome)

    def seen(self, *keys: str) -> dict[str, object]:
        """From the view: server name → the values of these keys."""
        rows = self.pool.view()["servers"]
        return {row["name"]: tuple(row[key] for key in keys) for row in rows}  # type: ignore[attr-defined, index]

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.pool.tick()


def story(*names, server=None, **options):
    """A pool `web` of servers with these names; `server` are options of each of them."""
    workers = options.pop("workers", 1)
    counters = options.pop("counters", None)
    servers = options.pop("servers", None) or server_specs(*names, **(server or {}))
    return PoolStory(PoolSpec("web", servers, **options), workers, counters)


def apply(told, name, **changes):
    """One update of one server."""
    told.pool.apply(ServerUpdate(name, **changes))


def visitor(told, name):
    """Facts of a client whose cookie points to `name`."""
    value = told.server(name).cookie.split(b";")[0].removeprefix(b"L7LB=")
    return PlainFacts(cookies={b"L7LB": value})
