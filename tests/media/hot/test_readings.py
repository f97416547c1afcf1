"""From events and looks to accesses, bytes and sessions."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l7lb.media.hot.readings import (
    BLIND_AFTER_S,
    BLIND_MOST_S,
    UNSEEN_BYTES,
    WHOLE,
    Counted,
    Key,
    Readings,
)

MIB = 1 << 20
A: Key = (10, 3, "a")
ALSO_A: Key = (10, 4, "a")
OTHERS_A: Key = (11, 3, "a")


def test_an_opening_that_is_also_seen_counts_once() -> None:
    readings = Readings()
    readings.opened("a", 0.0)
    assert readings.look({A: 100}, {10: 100}, 0.5) == Counted(["a"], [("a", 100)])
    assert readings.look({A: 300}, {10: 300}, 1.0) == Counted([], [("a", 200)])
    assert (readings.sessions, readings.is_open("a")) == (1, True)
    readings.closed("a")
    assert readings.look({}, {}, 1.5) == Counted([], [])
    assert (readings.sessions, readings.is_open("a"), readings.is_idle) == (0, False, True)


def test_what_is_seen_before_its_event_counts_once() -> None:
    readings = Readings()
    assert readings.look({A: 0}, {}, 0.0).accesses == ["a"]
    readings.opened("a", 0.1)
    assert readings.look({A: 0}, {}, 0.5).accesses == []


def test_two_openings_that_came_as_one_event_count_twice() -> None:
    readings = Readings()
    readings.opened("a", 0.0)
    assert readings.look({A: 0, OTHERS_A: 0}, {}, 0.5).accesses == ["a", "a"]
    assert readings.sessions == 2
    readings.closed("a")
    readings.look({}, {}, 1.0)
    assert readings.is_idle


def test_an_opening_between_two_looks_counts_with_some_bytes() -> None:
    readings = Readings()
    readings.opened("a", 0.0)
    readings.closed("a")
    assert readings.look({}, {}, 0.5) == Counted(["a"], [("a", UNSEEN_BYTES)])
    assert readings.is_idle


def test_a_reader_that_cannot_be_seen_counts_a_viewing() -> None:
    readings = Readings()
    readings.opened("a", 0.0)
    assert readings.look({}, {}, 0.5) == Counted(["a"], [])
    assert (readings.sessions, readings.is_open("a")) == (1, True)
    assert readings.look({}, {}, BLIND_AFTER_S + 1) == Counted([], [])
    readings.closed("a")
    assert readings.look({}, {}, BLIND_AFTER_S + 2) == Counted([], [("a", WHOLE)])
    assert readings.is_idle


def test_a_close_that_was_lost_does_not_hold_a_file_for_good() -> None:
    readings = Readings()
    readings.opened("seen", 0.0)
    readings.look({(1, 1, "seen"): 0}, {}, 0.5)
    readings.opened("never seen", 0.0)
    readings.look({}, {}, 1.0)
    assert not readings.is_open("seen")
    assert readings.is_open("never seen")
    readings.look({}, {}, BLIND_MOST_S + 1)
    assert readings.is_idle


def test_after_lost_events_only_looks_tell_what_is_open() -> None:
    readings = Readings()
    readings.opened("a", 0.0)
    readings.opened("b", 0.0)
    readings.lost()
    readings.look({(1, 1, "a"): 5}, {}, 0.5)
    assert readings.is_open("a")
    assert not readings.is_open("b")


def test_a_jump_is_no_reading() -> None:
    readings = Readings()
    readings.look({A: 0}, {10: 0}, 0.0)
    assert readings.look({A: 900 * MIB}, {10: 2 * MIB}, 0.5).read == [("a", 2 * MIB)]
    assert readings.look({A: 0}, {10: 2 * MIB}, 1.0).read == []


def test_of_a_new_process_all_that_it_ever_read_is_the_bound() -> None:
    readings = Readings()
    assert readings.look({A: 900}, {10: 30}, 0.0).read == [("a", 30)]


def test_several_files_of_a_process_share_what_it_read() -> None:
    readings = Readings()
    b: Key = (10, 5, "b")
    readings.look({A: 0, b: 0}, {10: 0}, 0.0)
    read = dict(readings.look({A: 3000, b: 1000}, {10: 400}, 0.5).read)
    assert read == {"a": 300, "b": 100}
    readings.look({A: 3000, ALSO_A: 50, OTHERS_A: 20}, {10: 10_000, 11: 10_000}, 1.0)
    read = dict(
        readings.look({A: 3010, ALSO_A: 60, OTHERS_A: 30}, {10: 10**6, 11: 10**6}, 1.5).read
    )
    assert read == {"a": 30}


def test_reading_without_moving_is_read_from_the_process_alone() -> None:
    """pread, sendfile: nothing moves, but the process reads."""
    readings = Readings()
    b: Key = (10, 5, "b")
    readings.look({A: 0, b: 0}, {10: 1000}, 0.0)
    assert dict(readings.look({A: 0, b: 0}, {10: 1000 + 8 * MIB}, 0.5).read) == {
        "a": 4 * MIB,
        "b": 4 * MIB,
    }
    assert readings.look({A: 0, b: 0}, {10: 1000 + 8 * MIB + 5000}, 1.0).read == []


def test_a_paused_reader_is_not_taken_for_one_that_never_moves() -> None:
    readings = Readings()
    readings.look({A: 0}, {10: 0}, 0.0)
    readings.look({A: 500}, {10: 500}, 0.5)
    assert readings.look({A: 500}, {10: 8 * MIB}, 1.0).read == []


def test_without_totals_positions_are_believed() -> None:
    readings = Readings()
    readings.look({A: 0}, {}, 0.0)
    assert readings.look({A: 900}, {}, 0.5).read == [("a", 900)]


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("open"), st.sampled_from("ab")),
        st.tuples(st.just("close"), st.sampled_from("ab")),
        st.tuples(
            st.just("look"),
            st.dictionaries(
                st.tuples(st.integers(1, 2), st.integers(1, 2), st.sampled_from("ab")),
                st.integers(0, 10**7),
            ),
        ),
    ),
    max_size=60,
)


@given(STEPS)
def test_never_more_accesses_than_openings_and_handles(steps: list[tuple[str, object]]) -> None:
    readings = Readings()
    most = accesses = 0
    before: set[object] = set()
    for number, (what, value) in enumerate(steps):
        if what == "open":
            readings.opened(str(value), float(number))
            most += 1
        elif what == "close":
            readings.closed(str(value))
        else:
            assert isinstance(value, dict)
            most += len(value.keys() - before)
            before = set(value)
            counted = readings.look(value, {}, float(number))
            accesses += len(counted.accesses)
            assert all(count == WHOLE or count > 0 for _, count in counted.read)
            assert all(readings.is_open(key[2]) for key in value)
        assert accesses <= most
    readings.look({}, {}, 1e6)
    assert readings.is_idle
