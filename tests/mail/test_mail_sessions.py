"""The index of live sessions: whose, where, and who is let go."""

from __future__ import annotations

from l7lb.mail.assignments import UNKNOWN, Assignment
from l7lb.mail.sessions import FEW, Sessions
from l7lb.ports import ManualClock

KEY = ("mail", "alice")


class One:
    is_fixed = False

    def __init__(self, sessions: Sessions, assignment: Assignment) -> None:
        self.key = KEY
        self.assignment = assignment
        self.is_locked = False
        self.ended = ""
        self._sessions = sessions
        sessions.enter(self)

    def moved_bytes(self) -> int:
        return 0

    def end(self, reason: str) -> None:
        self.ended = reason
        self._sessions.leave(self)


def test_whoever_has_left_is_not_there() -> None:
    sessions = Sessions(ManualClock())
    found = [One(sessions, Assignment("m1")) for _ in range(3)]
    assert sessions.of(KEY) == found
    assert len(sessions) == 3
    for each in found:
        sessions.leave(each)
        sessions.leave(each)
    assert len(sessions) == 0
    assert [*sessions.keys] == []
    assert sessions.movable("mail", "m1") == []


def test_a_new_server_ends_those_on_the_old_one_only() -> None:
    sessions = Sessions(ManualClock())
    old = One(sessions, Assignment("m1", kicks=1))
    new = One(sessions, Assignment("m2", kicks=2))
    sessions.assigned(KEY, Assignment("m2", kicks=2))
    assert (old.ended, new.ended) == ("the account has moved", "")


def test_a_kick_ends_all_that_were_there_before_it() -> None:
    sessions = Sessions(ManualClock())
    before = One(sessions, Assignment("m1", kicks=1))
    after = One(sessions, Assignment("m1", kicks=2))
    sessions.assigned(KEY, Assignment("m1", kicks=2))
    assert (before.ended, after.ended) == ("kicked", "")


def test_a_guess_that_was_right_becomes_the_record() -> None:
    """A session that was let in without the store is not kicked when that is back."""
    sessions = Sessions(ManualClock())
    guessed = One(sessions, Assignment("m1", kicks=UNKNOWN))
    sessions.assigned(KEY, Assignment("m1", kicks=7))
    assert (guessed.ended, guessed.assignment.kicks) == ("", 7)
    sessions.assigned(KEY, Assignment("m1", kicks=8))
    assert guessed.ended == "kicked"


def test_an_account_is_found_in_every_pool() -> None:
    sessions = Sessions(ManualClock())
    one = One(sessions, Assignment("m1"))
    other = One(sessions, Assignment("m1"))
    sessions.leave(other)
    other.key = ("fast", KEY[1])
    sessions.enter(other)
    assert sessions.of_account(KEY[1]) == [one, other]
    assert sessions.of_account("bob") == []


class Fixed(One):
    is_fixed = True


def test_who_came_in_without_a_record_and_stays_is_told_once() -> None:
    sessions = Sessions(ManualClock())
    Fixed(sessions, Assignment("m1"))
    assert sessions.lasting() == {}
    assert sessions.lasting() == {KEY: "m1"}
    assert sessions.lasting() == {}
    sessions.not_recorded({KEY: "m1"})
    assert sessions.lasting() == {KEY: "m1"}


def test_who_left_soon_or_has_a_record_needs_none() -> None:
    sessions = Sessions(ManualClock())
    recorded = One(sessions, Assignment("m1"))
    assert [sessions.lasting(), sessions.lasting()] == [{}, {}]
    sessions.leave(recorded)
    sessions.leave(Fixed(sessions, Assignment("m1")))
    assert [sessions.lasting(), sessions.lasting()] == [{}, {}]


def test_a_guess_wants_a_record_as_well() -> None:
    sessions = Sessions(ManualClock())
    One(sessions, Assignment("m1", kicks=UNKNOWN))
    sessions.lasting()
    assert sessions.lasting() == {KEY: "m1"}


def test_whose_server_the_directory_names_is_not_movable() -> None:
    sessions = Sessions(ManualClock())
    one = One(sessions, Assignment("m1"))
    assert sessions.movable("mail", "m1") == [KEY]
    one.is_fixed = True
    assert sessions.movable("mail", "m1") == []


def test_many_that_end_together_are_let_go_one_by_one() -> None:
    clock = ManualClock()
    sessions = Sessions(clock)
    delays = [sessions.delay_s("mail", "m1", 10.0, 0.5) for _ in range(FEW + 2)]
    assert delays == [0.0] * FEW + [5.0, 5.0]
    assert sessions.delay_s("mail", "m2", 10.0, 0.5) == 0.0
    clock.advance(1.0)
    assert sessions.delay_s("mail", "m1", 10.0, 0.5) == 0.0
