"""Counting the busiest accounts: nothing is made up, no heavy one is missed, memory is bounded."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.mail import traffic
from l7lb.mail.traffic import HALF_LIFE_S, VALUE_BYTES, Sketch, Use, decode, encode, total

NOW_S = 1.8e9


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10**6)), max_size=200))
def test_never_above_the_truth_and_the_heavy_ones_are_there(events: list[tuple[int, int]]) -> None:
    """Of all weights, each account with more than a place's share is found."""
    places = 10
    sketch, truth = Sketch(places), Counter[str]()
    for number, size in events:
        sketch.add(f"u{number}", Use(bytes=size), NOW_S)
        truth[f"u{number}"] += size
    found = sketch.uses(NOW_S)
    assert len(sketch) == len(found) <= places
    assert all(use.bytes <= truth[name] * 1.000001 for name, use in found.items())
    heavy = {name for name, size in truth.items() if size > truth.total() / places}
    assert heavy <= found.keys()


def test_what_is_old_counts_less() -> None:
    sketch = Sketch()
    sketch.add("old", Use(1e6, 2.0, 4.0), NOW_S)
    sketch.add("new", Use(6e5), NOW_S + HALF_LIFE_S)
    found = sketch.uses(NOW_S + HALF_LIFE_S)
    assert [*found] == ["new", "old"]
    assert (round(found["old"].bytes), found["old"].sessions) == (500_000, pytest.approx(1.0))
    assert found["new"].bytes == pytest.approx(6e5)


def test_a_steady_use_is_told_as_it_is() -> None:
    sketch = Sketch()
    for hour in range(24 * 30):
        sketch.add("a", Use(bytes=1000.0), NOW_S + 3600 * hour)
    found = sketch.uses(NOW_S + 3600 * 24 * 30)["a"].a_day
    assert found.bytes == pytest.approx(24_000, rel=0.05)


def test_it_counts_for_years(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "REBASE", 4.0)
    sketch = Sketch(places=2)
    for day in range(100):
        sketch.add("a", Use(bytes=1000.0), NOW_S + 86400 * day)
        sketch.add(f"b{day}", Use(bytes=1.0), NOW_S + 86400 * day)
    found = sketch.uses(NOW_S + 86400 * 99)
    assert found["a"].bytes == pytest.approx(2000.0, rel=1e-6)
    assert len(found) == 2


def test_a_clock_that_goes_back_does_no_harm() -> None:
    sketch = Sketch()
    sketch.add("a", Use(bytes=10.0), NOW_S)
    sketch.add("a", Use(bytes=10.0), NOW_S - HALF_LIFE_S)
    assert sketch.uses(NOW_S)["a"].bytes == pytest.approx(15.0)


def test_there_and_back() -> None:
    uses = {"a@b": Use(1000.0, 2.5, 3.0), 'c"\\@d': Use(10.0)}
    found = decode(encode(uses, NOW_S), NOW_S)
    assert {name: round(use.bytes) for name, use in found.items()} == {"a@b": 1000, 'c"\\@d': 10}
    assert found["a@b"].sessions == pytest.approx(2.5)
    later = decode(encode(uses, NOW_S), NOW_S + 2 * HALF_LIFE_S)
    assert later["a@b"].bytes == pytest.approx(250.0)
    assert decode(encode({}, NOW_S), NOW_S) == {}


def test_the_busiest_fit() -> None:
    names = [f"{number}".rjust(180, "x") for number in range(2000)]
    value = encode({name: Use(bytes=1e15, sessions=0.33) for name in names}, NOW_S)
    assert len(value) <= VALUE_BYTES + 100
    found = [*decode(value, NOW_S)]
    assert found == names[: len(found)]
    assert len(found) > 200
    json.loads(value)


@pytest.mark.parametrize(
    "value", [b"", b"[]", b"[1]", b'[1, ["x"]]', b'["x", []]', b"\xff", b"null", b"[1, [[1, 2]]]"]
)
def test_what_another_version_wrote_counts_as_nothing(value: bytes) -> None:
    assert decode(value, NOW_S) == {}


def test_workers_are_summed() -> None:
    parts = [{"a": Use(1.0, 1.0)}, {"a": Use(2.0, 0.0, 4.0), "b": Use(3.0)}]
    assert total(parts) == {"a": Use(3.0, 1.0, 4.0), "b": Use(3.0)}
