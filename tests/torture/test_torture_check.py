"""The checker of the torture test finds planted faults, and finds none where all is well."""

from __future__ import annotations

from dataclasses import replace

import pytest

from support.torture_check import check, differences, possible_values, repeats
from support.torture_history import (
    Append,
    Copy,
    Delivery,
    Entry,
    FlagChange,
    History,
    Mailbox,
    Outcome,
    Place,
    Removal,
    Sighting,
    Transfer,
)

DONE, REFUSED, UNKNOWN = Outcome.DONE, Outcome.REFUSED, Outcome.UNKNOWN
ANNA = "anna"


def at(uid: int, folder: str = "INBOX", validity: int = 7) -> Place:
    return Place(folder, validity, uid)


ONE, TWO, THREE = at(1), at(2), at(3)
THERE = at(1, "Archive", 8)


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


def kinds(entries: list[Entry], final: Mailbox) -> list[str]:
    return [each.kind for each in check(entries, {ANNA: final})]


def test_all_is_well() -> None:
    assert kinds(GOOD, FINAL) == []


def test_a_retry_after_an_unknown_outcome_may_double() -> None:
    assert kinds(GOOD, {**FINAL, at(4): copy("m2")}) == []


@pytest.mark.parametrize(
    ("final", "found"),
    [
        ({ONE: FINAL[ONE]}, ["lost"]),
        ({TWO: FINAL[TWO]}, ["lost"]),
        ({**FINAL, at(4): copy("m1")}, ["doubled"]),
        ({**FINAL, at(4): copy("m2"), at(5): copy("m2")}, ["doubled"]),
        ({**FINAL, at(4): copy("m3")}, ["doubled"]),
        ({**FINAL, at(4): copy("m9")}, ["invented"]),
        ({**FINAL, THREE: copy("m4")}, ["resurrected"]),
        ({**FINAL, ONE: copy("m1")}, ["flag"]),
        ({**FINAL, TWO: copy("m2", "S")}, ["flag"]),
        ({TWO: copy("m1", ""), ONE: copy("m2", "F")}, ["uid", "doubled"]),
        ({ONE: FINAL[ONE], at(2, validity=8): copy("m2")}, ["uid"]),
        ({ONE: FINAL[ONE], at(2, "Archive", 8): copy("m2")}, []),
    ],
)
def test_planted_faults(final: Mailbox, found: list[str]) -> None:
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


APPENDED = Append(ANNA, "m1", frozenset("F"), DONE, ONE)


@pytest.mark.parametrize(
    ("append", "final", "found"),
    [
        (APPENDED, {ONE: copy("m1", "F")}, []),
        (APPENDED, {}, ["lost"]),
        (APPENDED, {TWO: copy("m1", "F")}, ["doubled", "lost", "flag"]),
        (APPENDED, {ONE: copy("m1")}, ["flag"]),
        (APPENDED, {ONE: copy("m1", "FS")}, ["flag"]),
        (replace(APPENDED, outcome=REFUSED, place=None), {}, []),
        (replace(APPENDED, outcome=REFUSED, place=None), {ONE: copy("m1")}, ["doubled"]),
        (replace(APPENDED, outcome=UNKNOWN, place=None), {}, []),
        (replace(APPENDED, outcome=UNKNOWN, place=None), {ONE: copy("m1", "F")}, []),
    ],
)
def test_an_append_is_there_once_with_its_flags(
    append: Append, final: Mailbox, found: list[str]
) -> None:
    assert kinds([append], final) == found


BEFORE: list[Entry] = [Delivery(ANNA, "m1", DONE), Sighting(ANNA, ONE, "m1")]
COPIED = Transfer(ANNA, "m1", ONE, False, 1, 2, DONE, THERE)
MOVED = replace(COPIED, is_move=True)
UNSURE = replace(MOVED, outcome=UNKNOWN, target=None)
HERE_ONLY: Mailbox = {ONE: copy("m1")}
THERE_ONLY: Mailbox = {THERE: copy("m1")}
BOTH: Mailbox = HERE_ONLY | THERE_ONLY


@pytest.mark.parametrize(
    ("transfer", "final", "found"),
    [
        (COPIED, BOTH, []),
        (COPIED, HERE_ONLY, ["lost"]),
        (COPIED, THERE_ONLY, ["lost"]),
        (COPIED, BOTH | {at(2, "Archive", 8): copy("m1")}, ["doubled"]),
        (replace(COPIED, outcome=REFUSED, target=None), HERE_ONLY, []),
        (replace(COPIED, outcome=REFUSED, target=None), BOTH, ["doubled"]),
        (replace(COPIED, outcome=UNKNOWN, target=None), HERE_ONLY, []),
        (replace(COPIED, outcome=UNKNOWN, target=None), BOTH, []),
        (replace(COPIED, outcome=UNKNOWN, target=None), THERE_ONLY, ["lost"]),
        (MOVED, THERE_ONLY, []),
        (MOVED, BOTH, ["resurrected"]),
        (MOVED, {}, ["lost"]),
        (MOVED, HERE_ONLY, ["resurrected", "lost"]),
        (UNSURE, HERE_ONLY, []),
        (UNSURE, THERE_ONLY, []),
        (UNSURE, BOTH, []),
        (UNSURE, {}, ["lost"]),
    ],
)
def test_copy_and_move(transfer: Transfer, final: Mailbox, found: list[str]) -> None:
    assert kinds([*BEFORE, transfer], final) == found


def test_a_move_nobody_knows_of_is_no_excuse_for_the_copy_that_it_made() -> None:
    """Removed at its source after the move did nothing; or where it had arrived."""
    there = Sighting(ANNA, THERE, "m1")
    assert kinds([*BEFORE, UNSURE, Removal(ANNA, ONE, DONE)], {}) == []
    assert kinds([*BEFORE, UNSURE, there, Removal(ANNA, THERE, DONE)], {}) == []
    assert kinds([*BEFORE, UNSURE, there], {}) == ["lost"]


@pytest.mark.parametrize(
    ("change", "kept", "lost"),
    [
        (flag(True, 0, 1), {"F"}, [""]),
        (flag(True, 0, 2), {"F", ""}, []),
        (flag(True, 3, 4), {""}, ["F"]),
        (flag(True, 0, 1, UNKNOWN), {"F", ""}, []),
        (flag(True, 0, 1, REFUSED), {""}, ["F"]),
    ],
)
def test_a_copy_has_the_flags_of_its_source(
    change: FlagChange, kept: set[str], lost: list[str]
) -> None:
    """Those that it had meanwhile; what is changed later stays with each copy."""
    moved = replace(MOVED, started_s=1, ended_s=2)
    for flags in kept:
        assert kinds([*BEFORE, change, moved], {THERE: copy("m1", flags)}) == []
    for flags in lost:
        assert kinds([*BEFORE, change, moved], {THERE: copy("m1", flags)}) == ["flag"]


def test_flags_go_with_a_message_from_folder_to_folder() -> None:
    back = Transfer(ANNA, "m1", THERE, True, 5, 6, DONE, TWO)
    off = FlagChange(ANNA, THERE, "F", False, 3, 4, DONE)
    entries: list[Entry] = [*BEFORE, flag(True, 0, 1), replace(MOVED, started_s=1.5), back]
    assert kinds(entries, {TWO: copy("m1", "F")}) == []
    assert kinds(entries, {TWO: copy("m1")}) == ["flag"]
    assert kinds([*entries, off], {TWO: copy("m1")}) == []
    assert kinds([*entries, off], {TWO: copy("m1", "F")}) == ["flag"]


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
    assert possible_values(changes, {False}) == values


def test_what_is_told_and_what_is_stored() -> None:
    assert differences(ANNA, FINAL, dict(FINAL)) == []
    found = differences(ANNA, FINAL, {ONE: copy("m1"), THREE: copy("m4")})
    names = [each.text.partition(":")[0] for each in found]
    assert names == ["INBOX/7/1", "INBOX/7/2", "INBOX/7/3"]
    assert {each.kind for each in found} == {"disk"}


def test_outcomes_are_counted() -> None:
    history = History()
    for entry in [*GOOD, COPIED, MOVED]:
        history.note(entry)
    counted = history.outcomes()
    assert counted["Delivery", "acknowledged"] == 3
    assert counted["Removal", "refused"] == 1
    assert counted["Copy", "acknowledged"] == counted["Move", "acknowledged"] == 1
    assert not [key for key in counted if key[0] == "Sighting"]
