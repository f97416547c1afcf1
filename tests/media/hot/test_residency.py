"""S3-FIFO in bytes: its rules one by one, its bounds always, and beside libcachesim's."""

from __future__ import annotations

import itertools
import random

import libcachesim
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.media.hot.residency import GHOSTS, Access, Residency, ResidencySpec


def nobody(_name: str) -> bool:
    return False


def take(residency: Residency, name: str, size: int, now_s: float = 0.0) -> Access:
    """One access, with the copy that it asks for."""
    access = residency.access(name, size, now_s)
    if access is Access.AGAIN:
        victims = residency.room(size, nobody)
        if victims is not None:
            for victim in victims:
                residency.remove(victim, now_s)
            residency.admit(name, size)
    return access


def test_only_the_second_access_wants_a_copy() -> None:
    residency = Residency(ResidencySpec(100))
    assert residency.access("a", 10, 0.0) is Access.FIRST
    assert residency.access("a", 10, 1.0) is Access.AGAIN
    assert "a" not in residency
    residency.admit("a", 10)
    assert residency.access("a", 10, 2.0) is Access.HIT
    assert (residency.bytes, residency.size("a"), list(residency)) == (10, 10, ["a"])


def test_a_second_access_that_comes_late_is_a_first_one() -> None:
    residency = Residency(ResidencySpec(100, ghost_s=60.0))
    assert residency.access("a", 10, 0.0) is Access.FIRST
    assert residency.access("a", 10, 61.0) is Access.FIRST
    assert residency.access("a", 10, 100.0) is Access.AGAIN


def test_ghosts_are_bounded_in_bytes_and_in_number() -> None:
    residency = Residency(ResidencySpec(100, ghost_share=1.0))
    residency.access("a", 60, 0.0)
    residency.access("b", 60, 0.0)
    assert residency.access("a", 60, 1.0) is Access.FIRST
    many = Residency(ResidencySpec(GHOSTS * 10))
    for number in range(GHOSTS + 1):
        many.access(f"f{number}", 1, 0.0)
    assert many.access("f0", 1, 1.0) is Access.FIRST
    assert many.access(f"f{GHOSTS}", 1, 1.0) is Access.AGAIN


def test_a_newcomer_that_nobody_asks_for_again_leaves_first() -> None:
    residency = Residency(ResidencySpec(100, small_share=0.1))
    for name in ("old", "liked", "lonely"):
        residency.admit(name, 30)
    residency.access("old", 30, 0.0)
    residency.access("liked", 30, 0.0)
    assert residency.room(30, nobody) == ["lonely"]


def test_main_goes_round_until_its_hits_are_used_up() -> None:
    residency = Residency(ResidencySpec(100, small_share=0.0))
    for name in ("a", "b"):
        residency.access(name, 50, 0.0)
        residency.admit(name, 50)
    for _ in range(5):
        residency.access("a", 50, 1.0)
    assert residency.room(50, nobody) == ["b"]


def test_who_was_resident_lately_comes_back_to_main() -> None:
    residency = Residency(ResidencySpec(100, small_share=0.5, ghost_share=10.0))
    residency.admit("back", 40)
    residency.remove("back", evicted_s=1.0)
    residency.admit("new", 40)
    residency.access("back", 40, 2.0)
    residency.admit("back", 40)
    residency.admit("newer", 20)
    assert residency.room(40, nobody) == ["new"]


def test_what_is_held_stays_and_then_there_may_be_no_room() -> None:
    residency = Residency(ResidencySpec(100))
    residency.admit("open", 60)
    residency.admit("shut", 40)
    assert residency.room(40, lambda name: name == "open") == ["shut"]
    assert residency.room(50, lambda name: name == "open") is None
    assert residency.room(101, nobody) is None
    assert residency.bytes == 100


def test_nothing_leaves_while_there_is_room_and_less_room_may_be_given() -> None:
    residency = Residency(ResidencySpec(100))
    residency.admit("a", 30)
    residency.admit("b", 30)
    assert residency.room(40, nobody) == []
    assert residency.room(0, nobody, 30) == ["a"]


def test_what_is_forgotten_leaves_no_ghost() -> None:
    residency = Residency(ResidencySpec(100))
    residency.access("a", 10, 0.0)
    residency.admit("a", 10)
    residency.forget("a")
    residency.forget("never seen")
    assert residency.bytes == 0
    assert residency.access("a", 10, 1.0) is Access.FIRST


def test_admitting_again_counts_once() -> None:
    residency = Residency(ResidencySpec(100))
    residency.admit("a", 10)
    residency.admit("a", 30)
    assert (residency.bytes, len(residency)) == (30, 1)


SIZES = dict(zip("abcdefgh", (1, 2, 3, 5, 8, 13, 21, 34), strict=True))
ACTS = st.lists(
    st.tuples(st.sampled_from(sorted(SIZES)), st.sampled_from(("take", "remove", "forget"))),
    max_size=200,
)


@given(ACTS, st.sets(st.sampled_from(sorted(SIZES))), st.booleans(), st.integers(10, 60))
def test_the_bound_holds_and_the_held_stay(
    acts: list[tuple[str, str]], held: set[str], second_access: bool, capacity: int
) -> None:
    residency = Residency(ResidencySpec(capacity, second_access=second_access))
    there: dict[str, int] = {}
    for step, (name, act) in enumerate(acts):
        if act == "take" and residency.access(name, SIZES[name], step) is Access.AGAIN:
            victims = residency.room(SIZES[name], held.__contains__)
            held_bytes = sum(size for each, size in there.items() if each in held)
            assert (victims is None) == (SIZES[name] + held_bytes > capacity)
            for victim in victims or ():
                assert victim not in held
                residency.remove(victim, step)
                del there[victim]
            if victims is not None:
                residency.admit(name, SIZES[name])
                there[name] = SIZES[name]
        elif act != "take":
            residency.forget(name) if act == "forget" else residency.remove(name, step)
            there.pop(name, None)
        assert residency.bytes == sum(there.values()) <= capacity
        assert set(residency) == set(there)


@pytest.mark.parametrize(("seed", "alpha"), [(1, 0.7), (2, 0.9), (3, 1.1)])
def test_without_the_second_access_it_hits_as_often_as_libcachesim(seed: int, alpha: float) -> None:
    rng = random.Random(seed)
    sizes = [max(1, int(rng.lognormvariate(6, 0.8))) for _ in range(1000)]
    weights = list(itertools.accumulate(1 / (rank + 1) ** alpha for rank in range(1000)))
    trace = rng.choices(range(1000), cum_weights=weights, k=20_000)
    capacity = sum(sizes) // 10
    oracle = libcachesim.S3FIFO(capacity)
    ours = {
        second: Residency(ResidencySpec(capacity, second_access=second, ghost_s=1e9))
        for second in (False, True)
    }
    hits = dict.fromkeys(("oracle", False, True), 0)
    for step, number in enumerate(trace):
        request = libcachesim.Request()
        request.obj_id, request.obj_size, request.clock_time = number, sizes[number], step
        hits["oracle"] += oracle.get(request)
        for second, residency in ours.items():
            hits[second] += take(residency, str(number), sizes[number], step) is Access.HIT
    assert hits[False] / hits["oracle"] == pytest.approx(1.0, abs=0.03)
    assert hits[True] / hits["oracle"] > 0.9
