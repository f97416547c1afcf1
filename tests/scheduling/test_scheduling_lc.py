"""lc."""

from collections import Counter

from l7lb.scheduling.lc import LeastConnections
from support.candidates import World, held, names, servers


def test_fewest_sessions_win_whatever_the_weights():
    world = World()
    scheduler = LeastConnections(servers(1, 50, 1), world.inputs)
    world.open.update({0: 2, 1: 2, 2: 1})
    assert names(scheduler, 3) == "ccc"


def test_held_sessions_are_spread_evenly():
    world = World()
    assert Counter(held(LeastConnections(servers(1, 9, 3), world.inputs), world, 30)) == {
        "a": 10,
        "b": 10,
        "c": 10,
    }


def test_equals_take_turns():
    chosen = names(LeastConnections(servers(1, 1, 1), World().inputs), 30)
    assert Counter(chosen) == {"a": 10, "b": 10, "c": 10}
    assert len(set(chosen[:3])) == 3


def test_who_was_left_out_does_not_get_all_that_it_missed():
    world = World()
    scheduler = LeastConnections(servers(1, 1), world.inputs)
    world.open[0] = 1
    assert names(scheduler, 100) == "b" * 100
    world.open[0] = 0
    assert Counter(names(scheduler, 10))["a"] in (5, 6)


def test_excluded_are_not_chosen():
    a, b = both = servers(1, 1)
    scheduler = LeastConnections(both, World().inputs)
    assert {scheduler.choose(None, [a]) for _ in range(5)} == {b}
    assert scheduler.choose(None, both) is None


def test_a_new_index_is_read():
    world = World()
    both = servers(1, 1)
    scheduler = LeastConnections(both, world.inputs)
    world.open[5] = 3
    both[0].index = 5
    scheduler.reweigh()
    assert names(scheduler, 3) == "bbb"
