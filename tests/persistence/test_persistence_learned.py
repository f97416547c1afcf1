"""The application's cookie, learnt."""

from hypothesis import given
from hypothesis import strategies as st

from l7lb.model import PersistenceKind, PersistenceSpec
from l7lb.persistence.learned import LONG_VALUE_BYTES, LearnedPins, LocalPinTable
from l7lb.ports import ManualClock
from l7lb_protocols.facts import PlainFacts


def table(limit=3, timeout_s=10.0):
    clock = ManualClock()
    return LocalPinTable(limit, timeout_s, clock.now), clock


def test_what_was_learnt_is_found():
    pins, _ = table()
    assert pins.remember(b"s1", "a1")
    assert not pins.remember(b"s1", "a1")
    assert pins.remember(b"s1", "a2")
    assert pins.find(b"s1") == "a2"
    assert pins.find(b"s2") is None


def test_use_keeps_an_entry_and_looking_does_not():
    pins, clock = table()
    pins.remember(b"s1", "a1")
    clock.advance(9)
    assert pins.find(b"s1") == "a1"
    clock.advance(9)
    assert pins.peek(b"s1") == "a1"
    clock.advance(9)
    assert pins.peek(b"s1") is None
    assert len(pins) == 1
    assert pins.find(b"s1") is None
    assert len(pins) == 0


def test_no_timeout_is_for_ever():
    pins, clock = table(timeout_s=0.0)
    pins.remember(b"s1", "a1")
    clock.advance(1e9)
    assert pins.find(b"s1") == "a1"


def test_the_least_recently_used_goes_first():
    pins, _ = table(limit=2)
    pins.remember(b"s1", "a1")
    pins.remember(b"s2", "a2")
    pins.find(b"s1")
    pins.peek(b"s2")
    pins.remember(b"s3", "a3")
    assert [pins.peek(value) for value in (b"s1", b"s2", b"s3")] == ["a1", None, "a3"]


@given(st.lists(st.binary(max_size=300), max_size=30))
def test_it_is_bounded_in_entries_and_bytes(values):
    pins, _ = table()
    for value in values:
        pins.remember(value, "a1")
        assert pins.find(value) == "a1"
    assert len(pins) <= 3
    assert all(len(value) <= LONG_VALUE_BYTES for value in pins._entries)


def test_the_cookie_of_a_request_is_looked_up():
    pins, _ = table()
    learned = LearnedPins(PersistenceSpec(PersistenceKind.LEARNED, b"JSESSIONID"), pins)
    pins.remember(b"s1", "a1")
    facts = PlainFacts(cookies={b"JSESSIONID": b"s1"})
    assert learned.find(facts) == learned.peek(facts) == "a1"
    assert learned.find(PlainFacts()) is learned.peek(PlainFacts()) is None
