"""The grant rule: tables, and properties over all queues."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_storage import grant
from l7lb_storage.modes import Mode, compatible

NL, CR, CW, PR, PW, EX = Mode
QUEUES = st.lists(st.sampled_from(Mode), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("queue", "holds"),
    [
        ([EX], [True]),
        ([PR, PR, EX, PR], [True, True, False, False]),
        ([EX, NL, CR], [True, True, False]),
        ([PR, CW, CR, CW], [True, False, True, False]),
        ([CW, CW, PR, CW], [True, True, False, False]),
        ([PW, CR, PR, EX, NL, CR], [True, True, False, False, True, False]),
        ([], []),
    ],
)
def test_who_holds(queue: list[Mode], holds: list[bool]) -> None:
    assert grant.granted(queue) == holds


@given(QUEUES)
def test_one_pass_says_what_each_look_says(queue: list[Mode]) -> None:
    assert grant.granted(queue) == [grant.is_granted(queue, i) for i in range(len(queue))]


@given(QUEUES)
def test_short_look_finds_all_holders_but_null(queue: list[Mode]) -> None:
    found = set(grant.holders(queue))
    holds = {place for place, held in enumerate(grant.granted(queue)) if held}
    assert found <= holds
    assert all(queue[place] is NL for place in holds - found)


@given(QUEUES)
def test_holders_are_compatible(queue: list[Mode]) -> None:
    holders = [mode for mode, holds in zip(queue, grant.granted(queue), strict=True) if holds]
    for i, one in enumerate(holders):
        assert all(compatible(one, other) for other in holders[:i])


@given(QUEUES, st.sampled_from(Mode))
def test_who_comes_later_changes_nothing(queue: list[Mode], late: Mode) -> None:
    assert grant.granted([*queue, late])[:-1] == grant.granted(queue)
    assert grant.granted([*queue, late])[-1] is grant.could_join(queue, late)


@given(QUEUES, st.data())
def test_who_goes_takes_nothing_from_anybody(queue: list[Mode], data: st.DataObject) -> None:
    """What is granted stays granted, and somebody always holds: nobody starves."""
    index = data.draw(st.integers(0, len(queue) - 1))
    before, after = grant.granted(queue), grant.granted(queue[:index] + queue[index + 1 :])
    del before[index]
    assert all(new or not old for old, new in zip(before, after, strict=True))
    assert not after or after[0]


@given(QUEUES)
def test_obstacle_is_the_nearest_that_excludes(queue: list[Mode]) -> None:
    index = len(queue) - 1
    obstacle = grant.last_obstacle(queue, index)
    excluding = [i for i in range(index) if not compatible(queue[index], queue[i])]
    assert obstacle == (excluding[-1] if excluding else None)


@given(QUEUES, st.data(), st.sampled_from(Mode))
def test_conversion_takes_nothing_from_holders(
    queue: list[Mode], data: st.DataObject, mode: Mode
) -> None:
    holders = grant.granted(queue)
    index = data.draw(st.sampled_from([i for i, holds in enumerate(holders) if holds]))
    converted = [*queue[:index], mode, *queue[index + 1 :]]
    if grant.may_convert(queue, index, mode):
        after = grant.granted(converted)
        assert all(new or not old for old, new in zip(holders, after, strict=True))
    else:
        assert not grant.is_weaker(mode, queue[index])


def test_weaker() -> None:
    weaker = {(a.value, b.value) for a in Mode for b in Mode if a != b and grant.is_weaker(a, b)}
    chain = {("CR", "CW"), ("CR", "PR"), ("CR", "PW"), ("CW", "PW"), ("PR", "PW")}
    assert weaker == chain | {(a, "EX") for a in ("CR", "CW", "PR", "PW", "NL")} | {
        ("NL", b) for b in ("CR", "CW", "PR", "PW")
    }


def test_two_readers_cannot_upgrade() -> None:
    assert not grant.may_convert([PR, PR], 0, EX)
    assert not grant.may_convert([PR, PR], 1, EX)
    assert grant.may_convert([PR], 0, EX)
    assert not grant.may_convert([PR, EX], 0, EX)
    assert grant.may_convert([EX, PR, CR], 0, PR)


def test_who_is_told() -> None:
    assert grant.blocked_by([PR, CR, EX], 2) == [0, 1]
    assert grant.blocked_by([PR, EX, PR], 2) == []
    assert grant.first_waiter([PR, PR, EX, EX], 0) == 2
    assert grant.first_waiter([PR, PR], 0) is None
