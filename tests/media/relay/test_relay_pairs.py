"""Pairs of ports: even and odd, rested before they are used again, a clear end."""

import pytest

from l7lb.media.relay.pairs import Pairs, PairsExhausted
from l7lb.ports import ManualClock


def test_pairs_begin_at_an_even_port_and_end_inside_the_range() -> None:
    pairs = Pairs(20001, 20007, 10.0, ManualClock())
    assert pairs.size == 3
    assert [pairs.take() for _ in range(3)] == [20002, 20004, 20006]


def test_a_last_even_port_has_no_pair() -> None:
    pairs = Pairs(20000, 20002, 10.0, ManualClock())
    assert pairs.take() == 20000
    with pytest.raises(PairsExhausted, match="1 pairs in use, 0 resting"):
        pairs.take()


def test_a_pair_rests_before_it_is_used_again() -> None:
    clock = ManualClock()
    pairs = Pairs(20000, 20003, 10.0, clock)
    first, _ = pairs.take(), pairs.take()
    pairs.give_back(first)
    assert pairs.used == 1
    clock.advance(9.9)
    with pytest.raises(PairsExhausted, match="1 pairs in use, 1 resting"):
        pairs.take()
    clock.advance(0.1)
    assert pairs.take() == first


def test_the_pair_that_rested_longest_comes_first() -> None:
    pairs = Pairs(20000, 20005, 0.0, ManualClock())
    first = pairs.take()
    pairs.give_back(first)
    assert [pairs.take() for _ in range(3)] == [20002, 20004, first]
