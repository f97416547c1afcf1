"""Sets of numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.mailserver.imap_sets import is_set, members, render
from l7lb_protocols.imap.errors import ImapRefusal


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("1", []),
        ("3", [3]),
        ("1:4", [3, 4]),
        ("4:1", [3, 4]),
        ("*", [9]),
        ("20:*", [9]),
        ("*:4", [4, 9]),
        ("3,9,3", [3, 9]),
    ],
)
def test_members(text: str, found: list[int]) -> None:
    assert members(text, [3, 4, 9]) == found


def test_nobody_is_in_nothing() -> None:
    assert members("1:*", []) == []


@pytest.mark.parametrize("text", ["", "0", "1:", ":1", "1,,2", "a", "1:2:3", "-1", "1 2", "²"])
def test_nonsense_is_refused(text: str) -> None:
    assert not is_set(text)
    with pytest.raises(ImapRefusal):
        members(text, [1])


@given(st.sets(st.integers(1, 99), min_size=1))
def test_what_is_rendered_is_read(numbers: set[int]) -> None:
    text = render(sorted(numbers)).decode()
    assert members(text, range(1, 100)) == sorted(numbers)


def test_the_order_given_is_kept() -> None:
    assert render([5, 1, 2, 3, 7]) == b"5,1:3,7"
