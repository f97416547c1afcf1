"""wrr."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from l7lb.scheduling.wrr import WeightedRoundRobin
from support.candidates import World, names, servers


def test_interleaves_as_nginx_does():
    scheduler = WeightedRoundRobin(servers(5, 1, 1), World(lambda: 0.0).inputs)
    assert names(scheduler, 14) == "aabacaaaabacaa"


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6))
def test_every_round_is_exactly_by_weight(weights: list[int]):
    scheduler = WeightedRoundRobin(servers(*weights), World(lambda: 0.0).inputs)
    for _ in range(2):
        seen = Counter(names(scheduler, sum(weights)))
        assert [seen[chr(ord("a") + n)] for n in range(len(weights))] == weights


def test_excluded_servers_leave_their_share_to_the_others():
    a, b, c = all_three = servers(2, 1, 1)
    scheduler = WeightedRoundRobin(all_three, World(lambda: 0.0).inputs)
    seen = Counter(str(scheduler.choose(None, [c])) for _ in range(30))
    assert seen == {"a": 20, "b": 10}
    assert scheduler.choose(None, [a, b, c]) is None


def test_new_weights_count_from_the_next_choice():
    a, b = both = servers(1, 1)
    scheduler = WeightedRoundRobin(both, World(lambda: 0.0).inputs)
    a.weight, b.weight = 3.0, 1.0
    scheduler.reweigh()
    assert Counter(names(scheduler, 40)) == {"a": 30, "b": 10}


def test_does_not_always_start_with_the_first():
    assert names(WeightedRoundRobin(servers(1, 1), World(lambda: 0.9).inputs), 2) == "ba"
