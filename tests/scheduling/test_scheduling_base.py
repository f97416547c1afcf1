"""The contract's own code: schedulers that hang on a key."""

from collections.abc import Iterator

from l7lb.scheduling.base import KeyScheduler
from l7lb.scheduling.rr import RoundRobin
from support.candidates import FakeServer, World, servers


class ByLength(KeyScheduler[FakeServer]):
    """Takes the candidate at the length of the key."""

    refilled = 0

    def first(self, key: bytes) -> FakeServer:
        return self.candidates[len(key)]

    def walk(self, key: bytes) -> Iterator[FakeServer]:
        yield from self.candidates[len(key) :]
        yield from self.candidates[: len(key)]

    def refill(self) -> None:
        self.refilled += 1


def build(candidates):
    inputs = World(lambda: 0.0).inputs
    return ByLength(candidates, inputs, RoundRobin(candidates, inputs))


def test_the_key_decides_then_the_walk_then_nobody():
    a, b, c = candidates = servers(1, 1, 1)
    scheduler = build(candidates)
    assert scheduler.choose(b"x") is b
    assert scheduler.choose(b"x", [a]) is b
    assert scheduler.choose(b"x", [b]) is c
    assert scheduler.choose(b"x", [b, c]) is a
    assert scheduler.choose(b"x", [a, b, c]) is None


def test_without_a_key_the_spare_decides():
    scheduler = build(servers(1, 1))
    assert [scheduler.choose(None).name for _ in range(3)] == ["a", "b", "a"]


def test_tables_are_made_anew_only_for_full_weights():
    a, _ = both = servers(1, 1)
    scheduler = build(both)
    a.weight = 0.5
    scheduler.reweigh()
    assert scheduler.refilled == 0
    a.full_weight = 2.0
    scheduler.reweigh()
    scheduler.reweigh()
    assert scheduler.refilled == 1
