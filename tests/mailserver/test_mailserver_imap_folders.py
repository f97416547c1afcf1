"""Patterns of LIST."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.mailserver.imap_folders import matches


@pytest.mark.parametrize(
    ("pattern", "name", "is_match"),
    [
        ("*", "a.b", True),
        ("%", "a.b", False),
        ("%", "a", True),
        ("%.%", "a.b", True),
        ("a*", "a", True),
        ("a%", "ab.c", False),
        ("a.*", "a", False),
        ("", "", True),
        ("a", "ab", False),
        ("*%*", "abc", True),
    ],
)
def test_patterns(pattern: str, name: str, *, is_match: bool) -> None:
    assert matches(pattern, name) == is_match


@given(st.text("ab.*%", max_size=8), st.text("ab.", max_size=8))
def test_they_mean_what_regular_expressions_mean(pattern: str, name: str) -> None:
    signs = {"*": ".*", "%": "[^.]*"}
    oracle = "".join(signs.get(sign) or re.escape(sign) for sign in pattern)
    assert matches(pattern, name) == bool(re.fullmatch(oracle, name))


def test_many_wild_cards_cost_little() -> None:
    assert not matches("*a" * 100 + "b", "a" * 200)
