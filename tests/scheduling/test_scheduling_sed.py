"""sed."""

from collections import Counter

from l7lb.scheduling.sed import ShortestExpectedDelay
from support.candidates import World, held, names, servers


def test_an_idle_pool_sends_to_the_heaviest():
    assert names(ShortestExpectedDelay(servers(1, 3, 2), World().inputs), 3) == "bbb"


def test_the_new_session_is_counted():
    world = World()
    # (0+1)/3, (1+1)/3, then (2+1)/3 against (0+1)/1: the first in the file wins the tie
    assert held(ShortestExpectedDelay(servers(3, 1), world.inputs), world, 4) == "aaab"


def test_held_sessions_follow_the_weights():
    world = World()
    chosen = held(ShortestExpectedDelay(servers(4, 2, 1), world.inputs), world, 70)
    assert Counter(chosen) == {"a": 40, "b": 20, "c": 10}


def test_excluded_are_not_chosen():
    both = servers(9, 1)
    scheduler = ShortestExpectedDelay(both, World().inputs)
    assert scheduler.choose(None, [both[0]]) is both[1]
    assert scheduler.choose(None, both) is None
