"""rr."""

from l7lb.scheduling.rr import RoundRobin
from support.candidates import World, names, servers


def test_each_server_in_turn_whatever_the_weights():
    assert names(RoundRobin(servers(5, 1, 1), World(lambda: 0.0).inputs), 7) == "abcabca"


def test_starts_at_a_random_place():
    assert names(RoundRobin(servers(1, 1, 1), World(lambda: 0.99).inputs), 4) == "cabc"


def test_passes_over_the_excluded():
    all_three = servers(1, 1, 1)
    scheduler = RoundRobin(all_three, World(lambda: 0.0).inputs)
    chosen = [scheduler.choose(None, [all_three[1]]) for _ in range(4)]
    assert [str(each) for each in chosen] == ["a", "c", "a", "c"]
    assert scheduler.choose(None, all_three) is None


def test_of_none_there_is_none():
    assert names(RoundRobin([], World().inputs), 2) == "--"
