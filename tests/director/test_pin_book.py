"""The supervisor's copy of what was learnt."""

from l7lb.director.messages import Learned
from l7lb.director.pin_book import PinBook
from l7lb.model import PersistenceKind, PersistenceSpec, PoolSpec
from l7lb.ports import ManualClock


def pool(name: str, limit: int = 3, timeout_s: float = 60.0) -> PoolSpec:
    learned = PersistenceSpec(PersistenceKind.LEARNED, b"sid", timeout_s=timeout_s, limit=limit)
    return PoolSpec(name, (), persistence=learned)


def book(*pools: PoolSpec) -> tuple[PinBook, ManualClock]:
    clock = ManualClock()
    made = PinBook(clock.now)
    made.reconcile({each.name: each for each in pools})
    return made, clock


def test_news_is_a_new_value_or_another_server() -> None:
    pins, _ = book(pool("web"))
    assert pins.note(Learned("web", b"1", "a"))
    assert not pins.note(Learned("web", b"1", "a"))
    assert pins.note(Learned("web", b"1", "b"))
    assert not pins.note(Learned("other", b"1", "b"))
    assert list(pins.all()) == [Learned("web", b"1", "b")]


def test_the_longest_unused_goes_first_when_it_is_full() -> None:
    pins, _ = book(pool("web"))
    for value in (b"1", b"2", b"3", b"1", b"4"):
        pins.note(Learned("web", value, "a"))
    assert [pin.value for pin in pins.all()] == [b"3", b"1", b"4"]


def test_what_timed_out_is_told_to_nobody() -> None:
    pins, clock = book(pool("web"), pool("for-ever", timeout_s=0.0))
    pins.note(Learned("web", b"1", "a"))
    pins.note(Learned("for-ever", b"1", "a"))
    clock.advance(59.0)
    pins.note(Learned("web", b"2", "a"))
    clock.advance(2.0)
    assert {(pin.pool, pin.value) for pin in pins.all()} == {("web", b"2"), ("for-ever", b"1")}


def test_a_pool_that_learns_no_more_is_forgotten() -> None:
    pins, _ = book(pool("web"), pool("shop"))
    pins.note(Learned("web", b"1", "a"))
    pins.note(Learned("shop", b"1", "a"))
    pins.reconcile({"web": PoolSpec("web", ()), "shop": pool("shop")})
    assert [pin.pool for pin in pins.all()] == ["shop"]
    assert (pins.keep_s("web"), pins.keep_s("shop")) == (None, 60.0)
