"""Scores: what they add up to, how they age, and that they are bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.media.hot.popularity import Popularity


def test_a_viewing_halves_with_each_half_life() -> None:
    popular = Popularity(100.0)
    popular.add("a", 1.0, 0.0)
    assert popular.score("a", 0.0) == 1.0
    assert popular.score("a", 100.0) == pytest.approx(0.5)
    assert popular.score("a", 300.0) == pytest.approx(0.125)
    popular.add("a", 1.0, 100.0)
    assert popular.score("a", 100.0) == pytest.approx(1.5)
    assert popular.score("b", 100.0) == 0.0


def test_the_newly_popular_overtake_the_once_popular() -> None:
    popular = Popularity(100.0)
    popular.add("old", 10.0, 0.0)
    popular.add("new", 2.0, 500.0)
    popular.add("some", 0.5, 500.0)
    assert [name for name, _ in popular.top(2, 500.0)] == ["new", "some"]
    assert popular.total(500.0) == pytest.approx(10 / 32 + 2.5)


def test_the_least_popular_leave_when_there_are_too_many() -> None:
    popular = Popularity(100.0, limit=8)
    for number in range(9):
        popular.add(f"f{number}", float(number + 1), 0.0)
    assert len(popular) == 6
    assert set(popular) == {f"f{number}" for number in range(3, 9)}
    popular.forget("f8")
    popular.forget("never seen")
    assert popular.score("f8", 0.0) == 0.0


@pytest.mark.parametrize("gap_s", [4_100.0, 10_000.0, 1e9])
def test_long_times_neither_overflow_nor_forget_what_counts(gap_s: float) -> None:
    popular = Popularity(100.0)
    popular.add("a", 4.0, 0.0)
    popular.add("b", 1.0, gap_s)
    assert popular.score("b", gap_s) == pytest.approx(1.0)
    assert popular.score("a", gap_s) == pytest.approx(0.0, abs=1e-11)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.floats(0.0, 100.0), st.floats(0.0, 5000.0)),
        max_size=50,
    )
)
def test_scores_are_those_of_the_definition(adds: list[tuple[str, float, float]]) -> None:
    popular, now_s, said = Popularity(50.0), 0.0, []
    for name, viewings, later_s in adds:
        now_s += later_s
        popular.add(name, viewings, now_s)
        said.append((name, viewings, now_s))
    for name in "abc":
        expected = sum(v * 2.0 ** -min((now_s - t) / 50.0, 900) for n, v, t in said if n == name)
        assert popular.score(name, now_s) == pytest.approx(expected, rel=1e-6, abs=1e-6)
