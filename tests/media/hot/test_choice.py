"""Who gets a client: by what each holds, by load, and the same at each director."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.media.hot.choice import BOUND, SLACK, Candidate, Why, choose, home_order

FILE = 0x1234


def servers(*loads: float, holds: str = "", full: str = "") -> list[Candidate]:
    return [
        Candidate(f"m{number}", load, str(number) in holds, str(number) in full)
        for number, load in enumerate(loads)
    ]


HOMES = [each.name for each in home_order(FILE, servers(0, 0, 0))]
FIRST = HOMES[0][1]
"""Number of the file's home."""
LAST = HOMES[-1][1]


def test_a_holder_that_is_not_busy() -> None:
    choice = choose(FILE, servers(10, 10, 10, holds=LAST))
    assert (choice.name, choice.why) == (f"m{LAST}", Why.HOLDER)
    assert choice.words() == [
        f"held by m{LAST}; worth 1 copy; nobody is busy",
        f"m{LAST} holds it and is not busy",
    ]


def test_of_holders_the_least_loaded() -> None:
    choice = choose(FILE, servers(11, 10, 12, holds="012"))
    assert (choice.name, choice.why) == ("m1", Why.HOLDER)


def test_nobody_holds_it_so_its_home_reads_it() -> None:
    choice = choose(FILE, servers(10, 10, 10))
    assert (choice.name, choice.why) == (f"m{FIRST}", Why.HOME)
    assert "held by nobody" in choice.words()[0]


def test_a_busy_home_gives_it_to_the_next() -> None:
    loads = [10.0, 10.0, 10.0]
    loads[int(FIRST)] = 40.0
    assert choose(FILE, servers(*loads)).name == HOMES[1]


def test_a_busy_holder_gives_it_to_a_home() -> None:
    loads = [10.0, 10.0, 10.0]
    loads[int(LAST)] = 40.0
    choice = choose(FILE, servers(*loads, holds=LAST))
    assert (choice.name, choice.why) == (HOMES[0], Why.HOME)
    assert f"busy: m{LAST}" in choice.words()[0]


def test_a_holder_that_says_it_is_full_is_busy() -> None:
    assert choose(FILE, servers(1, 1, 1, holds=LAST, full=LAST)).name == HOMES[0]


def test_few_sessions_are_no_imbalance() -> None:
    assert choose(FILE, servers(0, 0, SLACK, holds="2")).name == "m2"


def test_all_busy_the_least_loaded() -> None:
    choice = choose(FILE, servers(9, 7, 8, full="012", holds="0"))
    assert (choice.name, choice.why) == ("m1", Why.LEAST)
    assert choose(FILE, servers(3, full="0")).why is Why.LEAST


def test_one_more_copy_is_made_where_it_belongs_and_load_is_less() -> None:
    loads = [10.0, 10.0, 10.0]
    loads[int(LAST)] = 12.0
    choice = choose(FILE, servers(*loads, holds=LAST), copies=2)
    assert (choice.name, choice.why) == (HOMES[0], Why.GROW)
    assert choose(FILE, servers(*loads, holds=LAST), copies=1).why is Why.HOLDER
    assert choose(FILE, servers(10, 10, 10, holds=LAST), copies=2).why is Why.HOLDER


def test_nobody_to_choose_from() -> None:
    with pytest.raises(ValueError, match="no server"):
        choose(FILE, [])


CANDIDATES = st.lists(
    st.tuples(st.floats(0, 1000), st.booleans(), st.booleans(), st.floats(0.5, 10)),
    min_size=1,
    max_size=8,
).map(lambda found: [Candidate(f"m{n}", *each) for n, each in enumerate(found)])


@given(st.integers(0, 2**64 - 1), CANDIDATES, st.integers(1, 8))
def test_what_always_holds(file: int, candidates: list[Candidate], copies: int) -> None:
    choice = choose(file, candidates, copies)
    chosen = next(each for each in candidates if each.name == choice.name)
    turned = choose(file, candidates[::-1], copies)
    assert (turned.name, turned.why) == (choice.name, choice.why)
    weight = sum(each.weight for each in candidates)
    mean = sum(each.load * each.weight for each in candidates) / weight
    limit = BOUND * mean + SLACK
    free = [each for each in candidates if not each.full and each.load <= limit]
    if free:
        assert chosen in free
        if choice.why is Why.HOLDER:
            assert chosen.load == min(each.load for each in free if each.holds)
        else:
            assert not chosen.holds
    else:
        assert chosen.load == min(each.load for each in candidates)


@given(st.integers(0, 2**64 - 1), st.integers(2, 8))
def test_a_server_that_goes_moves_its_own_files_only(file: int, count: int) -> None:
    homes = [each.name for each in home_order(file, servers(*[0.0] * count))]
    for gone in homes:
        left = [each for each in servers(*[0.0] * count) if each.name != gone]
        assert [each.name for each in home_order(file, left)] == [n for n in homes if n != gone]
