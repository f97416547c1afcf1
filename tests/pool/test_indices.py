"""Numbers for names that come and go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.model import Address, ClusterSpec, PoolSpec, ServerSpec
from l7lb.pool.indices import COOL_DOWN_S, IndexTable, Numbers, TooMany


def idle(_: int) -> bool:
    return False


def take(numbers: Numbers[str], names: str, now_s: float) -> dict[str, int]:
    planned = numbers.plan(names, now_s, idle)
    numbers.commit(planned, now_s)
    return planned


def test_who_stays_keeps_its_number() -> None:
    numbers: Numbers[str] = Numbers(4)
    first = take(numbers, "abc", 0)
    second = take(numbers, "cb", 1)
    assert second == {name: first[name] for name in "cb"}


def test_a_plan_alone_changes_nothing() -> None:
    numbers: Numbers[str] = Numbers(3)
    first = take(numbers, "a", 0)
    numbers.plan("bc", 1000, idle)
    assert take(numbers, "a", 2000) == first


def test_a_freed_number_rests_before_another_gets_it() -> None:
    numbers: Numbers[str] = Numbers(1)
    take(numbers, "a", 0)
    take(numbers, "", 10)
    with pytest.raises(TooMany):
        numbers.plan("b", 10 + COOL_DOWN_S - 1, idle)
    assert numbers.plan("b", 10 + COOL_DOWN_S, idle) == {"b": 0}


def test_a_busy_number_is_not_given_away() -> None:
    numbers: Numbers[str] = Numbers(1)
    take(numbers, "a", 0)
    take(numbers, "", 0)
    with pytest.raises(TooMany):
        numbers.plan("b", 1e6, lambda index: index == 0)


def test_who_comes_back_gets_its_old_number_and_counts_on() -> None:
    numbers: Numbers[str] = Numbers(3)
    first = take(numbers, "ab", 0)
    take(numbers, "b", 1)
    planned = numbers.plan("ab", 2, idle)
    assert planned == first
    assert numbers.commit(planned, 2) == []


def test_new_owners_are_told_so_that_counts_start_anew() -> None:
    numbers: Numbers[str] = Numbers(1)
    take(numbers, "a", 0)
    take(numbers, "", 0)
    planned = numbers.plan("b", 1e6, idle)
    assert numbers.commit(planned, 1e6) == [0]
    assert numbers.numbers() == [0]


@given(st.lists(st.sets(st.sampled_from("abcdefgh"), max_size=5), max_size=20))
def test_no_number_is_ever_owned_twice(generations: list[set[str]]) -> None:
    numbers: Numbers[str] = Numbers(8)
    for step, names in enumerate(generations):
        planned = take(numbers, "".join(sorted(names)), step * COOL_DOWN_S)
        assert len(set(planned.values())) == len(names)
        assert all(0 <= number < 8 for number in planned.values())
        assert len(set(numbers.numbers())) == len(numbers.numbers())


def test_a_table_numbers_servers_of_all_pools_and_services() -> None:
    server = ServerSpec("s", Address("192.0.2.1", 80))
    pools = {name: PoolSpec(name, (server,)) for name in ("x", "y")}
    spec = ClusterSpec(pools, {})
    indices = IndexTable(2, 1).plan(spec, 0, idle, idle)
    assert sorted(indices.servers) == [("x", "s"), ("y", "s")]
    assert len(set(indices.servers.values())) == 2
    with pytest.raises(TooMany, match="more than 1 servers"):
        IndexTable(1, 1).plan(spec, 0, idle, idle)
