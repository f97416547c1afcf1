"""The plan: never worse, nobody twice, nobody lost."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from l7lb.mail.migration.rebalance import Move, Resident, imbalance, plan

SERVERS = ("m1", "m2", "m3", "m4")


@st.composite
def clusters(draw: st.DrawFn) -> tuple[list[Resident], dict[str, int]]:
    sizes = st.integers(0, 10**12) | st.integers(0, 50)
    traffic = st.just(0) | st.integers(0, 10**9)
    residents = [
        Resident(f"u{number}", draw(st.sampled_from(SERVERS)), draw(sizes), draw(traffic))
        for number in range(draw(st.integers(0, 30)))
    ]
    names = draw(st.sets(st.sampled_from(SERVERS)))
    return residents, {name: draw(st.integers(0, 5)) for name in names}


def moved(residents: list[Resident], moves: list[Move]) -> list[Resident]:
    goals = {move.account: move.target for move in moves}
    return [replace(each, server=goals.get(each.account, each.server)) for each in residents]


@given(clusters(), st.integers(0, 40))
def test_each_move_helps_and_nobody_moves_twice(
    cluster: tuple[list[Resident], dict[str, int]], limit: int
) -> None:
    residents, weights = cluster
    moves = plan(residents, weights, limit)
    assert len(moves) <= limit
    assert len({move.account for move in moves}) == len(moves)
    by_name = {each.account: each for each in residents}
    for move in moves:
        assert move.resident == by_name[move.account]
        assert move.source == move.resident.server
        assert weights.get(move.target, 0) > 0
    distances = [
        imbalance(moved(residents, moves[:number]), weights) for number in range(len(moves) + 1)
    ]
    assert all(after < before for before, after in pairwise(distances))


@given(clusters())
def test_it_is_the_same_whatever_the_order(
    cluster: tuple[list[Resident], dict[str, int]],
) -> None:
    residents, weights = cluster
    assert plan(residents, weights, 40) == plan(residents[::-1], weights, 40)


@given(st.lists(st.integers(1, 100), min_size=1, max_size=30), st.integers(2, 4))
def test_what_is_left_is_smaller_than_the_largest_account(sizes: list[int], count: int) -> None:
    """All on one server, and room for all moves."""
    residents = [Resident(f"u{number}", "m1", size) for number, size in enumerate(sizes)]
    weights = dict.fromkeys(SERVERS[:count], 1)
    after = moved(residents, plan(residents, weights, len(sizes)))
    loads = [sum(each.size_bytes for each in after if each.server == name) for name in weights]
    share = sum(sizes) / count
    assert max(abs(load - share) for load in loads) <= max(*sizes, 0.05 * share)


def test_weights_count() -> None:
    residents = [Resident(f"u{number}", "m1", 10) for number in range(12)]
    moves = plan(residents, {"m1": 1, "m2": 2}, 100)
    assert len(moves) == 8


def test_a_server_without_weight_is_emptied() -> None:
    residents = [Resident("a", "old", 10), Resident("b", "drained", 20), Resident("c", "m1", 5)]
    moves = plan(residents, {"m1": 1, "drained": 0}, 100)
    assert {(move.account, move.target) for move in moves} == {("a", "m1"), ("b", "m1")}


def test_near_enough_is_left_alone() -> None:
    residents = [Resident("a", "m1", 1000), Resident("b", "m1", 40), Resident("c", "m2", 1000)]
    assert plan(residents, {"m1": 1, "m2": 1}, 100) == []
    assert plan(residents, {"m1": 1, "m2": 1}, 100, tolerance_percent=1) == []
    one = Resident("d", "m1", 20)
    assert plan([*residents, one], {"m1": 1, "m2": 1}, 100, tolerance_percent=1) != []


def test_traffic_counts_like_size() -> None:
    """Two mailboxes of one size; the busy ones part."""
    residents = [
        Resident("busy1", "m1", 10, 100),
        Resident("busy2", "m1", 10, 100),
        Resident("idle1", "m2", 10, 0),
        Resident("idle2", "m2", 10, 0),
    ]
    [move] = plan(residents, {"m1": 1, "m2": 1}, 1)
    assert move.account in {"busy1", "busy2"}
    assert plan([replace(each, traffic_bytes=0) for each in residents], {"m1": 1, "m2": 1}, 9) == []


def test_the_cheaper_of_two_that_help_alike() -> None:
    residents = [
        Resident("large", "m1", 30, 10),
        Resident("small", "m1", 10, 30),
        Resident("there", "m2", 0, 0),
    ]
    [move] = plan(residents, {"m1": 1, "m2": 1}, 1)
    assert move.account == "small"


def test_nobody_to_give_to() -> None:
    assert plan([Resident("a", "m1", 10)], {"m1": 0}, 9) == []
    assert plan([Resident("a", "m1", 10)], {}, 9) == []
    assert plan([], {"m1": 1, "m2": 1}, 9) == []
