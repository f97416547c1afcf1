"""The checker of the torture test finds planted faults, and finds none where all is well."""

from __future__ import annotations

import pytest

from support.torture_history import (
    Copy,
    Delivery,
    Entry,
    FlagChange,
    History,
    Outcome,
    Removal,
    Sighting,
    check,
    differences,
    last_values,
    repeats,
)

DONE, REFUSED, UNKNOWN = Outcome.DONE, Outcome.REFUSED, Outcome.UNKNOWN
ANNA = "anna"
ONE, TWO, THREE = (7, 1), (7, 2), (7, 3)


def flag(value: bool, started_s: float, ended_s: float, outcome: Outcome = DONE) -> FlagChange:
    return FlagChange(ANNA, ONE, "F", value, started_s, ended_s, outcome)


def copy(message: str, flags: str = "") -> Copy:
    return Copy(message, frozenset(flags))


GOOD: list[Entry] = [
    Delivery(ANNA, "m1", DONE),
    Delivery(ANNA, "m2", UNKNOWN),
    Delivery(ANNA, "m2", DONE),
    Delivery(ANNA, "m3", REFUSED),
    Delivery(ANNA, "m4", DONE),
    Sighting(ANNA, ONE, "m1"),
    Sighting(ANNA, THREE, "m4"),
    flag(True, 1, 2),
    Removal(ANNA, THREE, REFUSED),
    Removal(ANNA, THREE, DONE),
]
FINAL = {ONE: copy("m1", "F"), TWO: copy("m2")}


def kinds(entries: list[Entry], final: dict[tuple[int, int], Copy]) -> list[str]:
    return [each.kind for each in check(entries, {ANNA: final})]


def test_all_is_well() -> None:
    assert kinds(GOOD, FINAL) == []


def test_a_retry_after_an_unknown_outcome_may_double() -> None:
    assert kinds(GOOD, {**FINAL, (7, 4): copy("m2")}) == []


@pytest.mark.parametrize(
    ("final", "found"),
    [
        ({ONE: FINAL[ONE]}, ["lost"]),
        ({TWO: FINAL[TWO]}, ["lost"]),
        ({**FINAL, (7, 4): copy("m1")}, ["doubled"]),
        ({**FINAL, (7, 4): copy("m2"), (7, 5): copy("m2")}, ["doubled"]),
        ({**FINAL, (7, 4): copy("m3")}, ["doubled"]),
        ({**FINAL, (7, 4): copy("m9")}, ["invented"]),
        ({**FINAL, THREE: copy("m4")}, ["resurrected"]),
        ({**FINAL, ONE: copy("m1")}, ["flag"]),
        ({**FINAL, TWO: copy("m2", "S")}, ["flag"]),
        ({TWO: copy("m1", ""), ONE: copy("m2", "F")}, ["uid", "doubled"]),
        ({ONE: FINAL[ONE], (8, 2): copy("m2")}, ["uid"]),
    ],
)
def test_planted_faults(final: dict[tuple[int, int], Copy], found: list[str]) -> None:
    assert kinds(GOOD, final) == found


def test_a_spool_may_deliver_twice_but_not_never() -> None:
    entries: list[Entry] = [Delivery(ANNA, "m1", DONE, by_spool=True)]
    assert kinds(entries, {ONE: copy("m1")}) == []
    twice = {ONE: copy("m1"), TWO: copy("m1")}
    assert kinds(entries, twice) == []
    assert repeats(entries, {ANNA: twice}) == 1
    assert repeats(entries, {ANNA: {ONE: copy("m1")}}) == 0
    assert kinds(entries, {}) == ["lost"]


def test_a_refused_removal_changes_nothing() -> None:
    entries: list[Entry] = [Delivery(ANNA, "m1", DONE), Sighting(ANNA, ONE, "m1")]
    entries.append(Removal(ANNA, ONE, REFUSED))
    assert kinds(entries, {ONE: copy("m1")}) == []
    assert kinds(entries, {}) == ["lost"]
    entries.append(Removal(ANNA, ONE, UNKNOWN))
    assert kinds(entries, {}) == kinds(entries, {ONE: copy("m1")}) == []


@pytest.mark.parametrize(
    ("changes", "values"),
    [
        ([], {False}),
        ([flag(True, 1, 2)], {True}),
        ([flag(True, 1, 2), flag(False, 3, 4)], {False}),
        ([flag(True, 1, 4), flag(False, 3, 5)], {True, False}),
        ([flag(True, 1, 2), flag(False, 3, 4, REFUSED)], {True}),
        ([flag(True, 1, 2, REFUSED)], {False}),
        ([flag(True, 1, 2, UNKNOWN)], {True, False}),
        ([flag(True, 1, 2, UNKNOWN), flag(False, 3, 4)], {True, False}),
        ([flag(False, 1, 2, UNKNOWN), flag(False, 3, 4)], {False}),
        ([flag(True, 1, 9), flag(False, 2, 3), flag(False, 4, 5)], {True, False}),
    ],
)
def test_what_a_flag_may_be_in_the_end(changes: list[FlagChange], values: set[bool]) -> None:
    assert last_values(changes) == values


def test_what_is_told_and_what_is_stored() -> None:
    assert differences(ANNA, FINAL, dict(FINAL)) == []
    found = differences(ANNA, FINAL, {ONE: copy("m1"), THREE: copy("m4")})
    assert [each.text.partition(":")[0] for each in found] == ["(7, 1)", "(7, 2)", "(7, 3)"]
    assert {each.kind for each in found} == {"disk"}


def test_outcomes_are_counted() -> None:
    history = History()
    for entry in GOOD:
        history.note(entry)
    counted = history.outcomes()
    assert counted["Delivery", "acknowledged"] == 3
    assert counted["Removal", "refused"] == 1
    assert not [key for key in counted if key[0] == "Sighting"]
