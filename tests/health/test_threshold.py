from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.health.threshold import Threshold
from l7lb.model import Health


def play(threshold: Threshold, probes: str) -> str:
    """`+` a good probe, `-` a bad one; one letter of the verdict after each."""
    letters = []
    for probe in probes:
        threshold.record(probe == "+")
        letters.append(threshold.health.value[0])
    return "".join(letters)


@pytest.mark.parametrize(
    ("rise", "fall", "probes", "verdicts"),
    [
        (2, 3, "+", "u"),
        (2, 3, "-", "d"),
        (2, 3, "+--+---", "uuuuuud"),
        (2, 3, "---+-++", "ddddddu"),
        (1, 1, "+-+-", "udud"),
        (3, 2, "+--++-+++", "uudddddd" + "u"),
    ],
)
def test_verdict_after_each_probe(rise: int, fall: int, probes: str, verdicts: str) -> None:
    assert play(Threshold(rise, fall), probes) == verdicts


def test_record_says_when_the_verdict_changes() -> None:
    threshold = Threshold(2, 2)
    said = [threshold.record(ok) for ok in (True, True, False, False, False, True, True)]
    assert said == [True, False, False, True, False, False, True]


def test_in_doubt_before_the_first_probe_and_during_a_contrary_streak() -> None:
    threshold = Threshold(2, 2)
    assert threshold.is_in_doubt
    seen = []
    for ok in (True, False, True, False, False, False):
        threshold.record(ok)
        seen.append(threshold.is_in_doubt)
    assert seen == [False, True, False, True, False, False]


def test_a_given_verdict_is_not_left_by_one_probe() -> None:
    threshold = Threshold(2, 2, Health.DOWN)
    assert play(threshold, "++") == "du"


@pytest.mark.parametrize(("rise", "fall"), [(0, 1), (1, 0), (-1, 1)])
def test_limits_below_one_are_refused(rise: int, fall: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Threshold(rise, fall)


@given(st.integers(1, 5), st.integers(1, 5), st.lists(st.booleans(), min_size=1))
def test_verdict_changes_only_after_as_many_in_a_row(
    rise: int, fall: int, probes: list[bool]
) -> None:
    threshold = Threshold(rise, fall)
    threshold.record(probes[0])
    for end in range(2, len(probes) + 1):
        if threshold.record(probes[end - 1]):
            needed = rise if probes[end - 1] else fall
            assert set(probes[end - needed : end]) == {probes[end - 1]}
            assert threshold.health is (Health.UP if probes[end - 1] else Health.DOWN)
