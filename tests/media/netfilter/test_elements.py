"""Elements of sets: from the listing, and the commands from one state to another."""

from __future__ import annotations

import pytest

from l7lb.media.netfilter import elements


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("10.0.0.1", "10.0.0.1"),
        (554, "554"),
        ({"range": [5, 9]}, "5-9"),
        ({"prefix": {"addr": "10.0.0.0", "len": 8}}, "10.0.0.0/8"),
        ({"concat": ["10.0.0.1", {"range": [5, 9]}]}, "10.0.0.1 . 5-9"),
        ({"elem": {"val": {"concat": ["a", 1]}, "counter": {}}}, "a . 1"),
        ([{"elem": {"val": {"concat": ["a", 1]}}}, "b"], "a . 1 : b"),
    ],
)
def test_text_of_an_element(value: object, text: str) -> None:
    assert elements.text(value) == text


def test_what_is_none_of_ours_is_an_error() -> None:
    with pytest.raises(ValueError, match="none of ours"):
        elements.text({"set": []})


def test_only_named_sets_are_looked_at() -> None:
    objects = [
        {"table": {"name": "t"}},
        {"set": {"name": "a", "elem": [1, 2]}},
        {"set": {"name": "b", "elem": [{"strange": 1}]}},
        {"map": {"name": "m", "elem": [["k", "v"]]}},
        {"set": {"name": "empty"}},
    ]
    found = elements.found(objects, ["a", "m", "empty", "absent"])
    assert found == {
        "a": {"1", "2"},
        "m": {"k : v"},
        "empty": frozenset(),
        "absent": frozenset(),
    }


def test_gone_before_new_and_nothing_for_nothing() -> None:
    before = {"m": frozenset({"k : old", "same : 1"})}
    after = {"m": frozenset({"k : new", "same : 1"}), "s": frozenset({"x"})}
    assert elements.changes("inet t", before, after) == (
        "delete element inet t m { k }\n"
        "add element inet t m { k : new }\n"
        "add element inet t s { x }\n"
    )
    assert elements.changes("inet t", after, after) == ""
