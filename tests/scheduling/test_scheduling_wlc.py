"""wlc."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from l7lb.scheduling.wlc import WeightedLeastConnections
from support.candidates import World, held, names, servers


@given(st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_held_sessions_follow_the_weights(weights: list[int]):
    world = World()
    held(WeightedLeastConnections(servers(*weights), world.inputs), world, 10 * sum(weights))
    for n, weight in enumerate(weights):
        assert abs(world.open[n] - 10 * weight) <= 1


def test_a_quiet_pool_is_shared_by_weight_too():
    chosen = names(WeightedLeastConnections(servers(3, 1), World().inputs), 40)
    assert Counter(chosen) == {"a": 30, "b": 10}
    assert "bb" not in chosen


def test_sessions_per_weight_decide():
    world = World()
    scheduler = WeightedLeastConnections(servers(4, 1), world.inputs)
    world.open.update({0: 5, 1: 1})
    assert names(scheduler, 1) == "b"
    world.open[0] = 3
    assert names(scheduler, 1) == "a"


def test_a_ramp_is_followed_without_a_new_scheduler():
    a, b = both = servers(1, 1)
    scheduler = WeightedLeastConnections(both, World().inputs)
    a.weight = 0.1
    scheduler.reweigh()
    assert Counter(names(scheduler, 110))["a"] in (10, 11)
    assert b.weight == 1.0
