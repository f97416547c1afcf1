"""Copies in proportion to demand, raised at once and lowered late."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l7lb.media.hot import demand as module
from l7lb.media.hot.demand import Demand


def asked(demand: Demand, file: int, count: int, now_s: float = 0.0) -> None:
    for _ in range(count):
        demand.ask(file, now_s)


def test_one_copy_of_what_nobody_or_few_ask_for() -> None:
    demand = Demand()
    assert demand.copies(1, 8, 0.0) == 1
    asked(demand, 1, 1)
    for file in range(2, 100):
        demand.ask(file, 0.0)
    assert demand.copies(1, 8, 0.0) == 1


def test_copies_are_in_proportion_to_the_share() -> None:
    demand = Demand(spread=0.5)
    asked(demand, 1, 40)
    asked(demand, 2, 10)
    asked(demand, 3, 50)
    assert demand.copies(1, 8, 0.0) == 7
    assert demand.copies(2, 8, 0.0) == 2
    assert demand.copies(3, 8, 0.0) == 8
    assert demand.copies(3, 2, 0.0) == 2


def test_a_file_at_the_edge_keeps_its_copies() -> None:
    demand = Demand(spread=0.5)
    asked(demand, 1, 26)
    asked(demand, 2, 74)
    assert demand.copies(1, 4, 0.0) == 3
    asked(demand, 2, 20)
    assert demand.copies(1, 4, 0.0) == 3, "1.73 would be two, but is not far enough below"
    asked(demand, 2, 60)
    assert demand.copies(1, 4, 0.0) == 2
    asked(demand, 2, 600)
    assert demand.copies(1, 4, 0.0) == 1


def test_old_demand_fades() -> None:
    demand = Demand(half_life_s=100.0)
    asked(demand, 1, 10)
    asked(demand, 2, 10, 1000.0)
    assert demand.copies(1, 4, 1000.0) == 1
    assert demand.copies(2, 4, 1000.0) == 4


def test_what_is_remembered_is_bounded(monkeypatch: object) -> None:
    demand = Demand()
    for file in range(module.LIMIT + 10):
        demand._remember(file, 2)
    assert len(demand._copies) == module.LIMIT


@given(st.lists(st.integers(0, 5), max_size=200), st.integers(1, 9))
def test_always_between_one_and_all(files: list[int], servers: int) -> None:
    demand = Demand()
    for step, file in enumerate(files):
        demand.ask(file, float(step))
        assert 1 <= demand.copies(file, servers, float(step)) <= servers
