"""Which file is copied next, whom it drives out, and when it is not worth it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from l7lb.media.hot.hot_set import WAIT_S, WANTED, HotSet, HotSetSpec
from l7lb.media.hot.residency import Access, ResidencySpec


def hot_set(capacity: int = 100, margin: float = 1.2) -> HotSet:
    return HotSet(HotSetSpec(ResidencySpec(capacity), half_life_s=1000.0, margin=margin))


def twice(files: HotSet, name: str, size: int, viewings: float = 1.0, now_s: float = 0.0) -> None:
    files.opened(name, size, now_s)
    files.streamed(name, viewings, now_s)
    files.opened(name, size, now_s)


def copy(files: HotSet, now_s: float = 0.0) -> str:
    """Do the next order as it is meant."""
    order = files.next_order(now_s)
    assert order is not None
    for victim in order.victims:
        files.evicted(victim, now_s)
    files.copied(order.name)
    return order.name


def test_the_second_access_is_an_order_the_first_is_none() -> None:
    files = hot_set()
    files.opened("a", 40, 0.0)
    assert files.next_order(0.0) is None
    assert files.opened("a", 40, 1.0) is Access.AGAIN
    order = files.next_order(1.0)
    assert order is not None
    assert (order.name, order.size, order.victims) == ("a", 40, ())
    assert files.bytes == 40
    assert "a" not in files
    files.opened("a", 40, 2.0)
    assert files.next_order(2.0) is None, "it is being copied"
    files.copied("a")
    assert "a" in files
    assert files.opened("a", 40, 3.0) is Access.HIT


def test_the_most_popular_wish_comes_first() -> None:
    files = hot_set()
    twice(files, "some", 10, 1.0)
    twice(files, "most", 10, 3.0)
    twice(files, "least", 10, 0.5)
    assert [copy(files) for _ in range(3)] == ["most", "some", "least"]


def test_a_newcomer_must_be_worth_more_by_the_margin() -> None:
    files = hot_set()
    twice(files, "there", 100, 1.0)
    assert copy(files) == "there"
    twice(files, "alike", 100, 1.1)
    assert files.next_order(0.0) is None
    assert files.refused == 1
    files.streamed("alike", 0.2, 0.0)
    files.opened("alike", 100, 0.0)
    order = files.next_order(0.0)
    assert order is not None
    assert order.victims == ("there",)


def test_worth_is_counted_in_bytes_of_all_victims() -> None:
    files = hot_set()
    for name in ("a", "b"):
        twice(files, name, 50, 1.0)
        copy(files)
    twice(files, "big", 100, 1.1)
    assert files.next_order(0.0) is None
    twice(files, "bigger", 100, 1.3)
    order = files.next_order(0.0)
    assert order is not None
    assert set(order.victims) == {"a", "b"}


def test_old_fame_fades() -> None:
    files = hot_set()
    twice(files, "once", 100, 10.0)
    copy(files)
    twice(files, "now", 100, 1.0, now_s=5000.0)
    order = files.next_order(5000.0)
    assert order is not None
    assert order.victims == ("once",)


def test_what_is_held_is_no_victim() -> None:
    files = hot_set()
    twice(files, "open", 100, 0.1)
    copy(files)
    twice(files, "new", 100, 5.0)
    assert files.next_order(0.0, is_held=lambda name: name == "open") is None
    assert "open" in files


def test_a_short_disk_is_a_smaller_capacity() -> None:
    files = hot_set()
    twice(files, "a", 60)
    assert files.next_order(0.0, limit_bytes=50) is None
    twice(files, "a", 60)
    assert files.next_order(0.0, limit_bytes=60) is not None
    twice(files, "b", 30)
    assert files.next_order(0.0, limit_bytes=80) is None, "60 are on their way"


def test_a_failed_copy_may_be_wished_again() -> None:
    files = hot_set()
    twice(files, "a", 10)
    assert files.next_order(0.0) is not None
    files.failed("a")
    assert files.bytes == 0
    assert files.next_order(0.0) is None
    files.opened("a", 10, 1.0)
    assert files.next_order(1.0) is not None


def test_wishes_are_bounded_and_grow_old() -> None:
    files = hot_set(10**6)
    for number in range(WANTED + 10):
        twice(files, f"f{number}", 1, 1.0 + number)
    assert files.wishes == WANTED
    assert copy(files) == f"f{WANTED + 9}"
    assert files.next_order(WAIT_S + 1.0) is None
    assert files.wishes == 0


def test_what_is_gone_is_forgotten_everywhere() -> None:
    files = hot_set()
    files.found("a", 30)
    twice(files, "b", 10)
    files.forget("a")
    files.forget("b")
    assert (files.bytes, files.wishes, list(files)) == (0, 0, [])
    assert files.popularity.score("b", 0.0) == 0.0
    files.copied("a")
    assert "a" not in files


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdef"), st.sampled_from(("open", "copy", "fail", "gone"))),
        max_size=120,
    )
)
def test_copies_never_take_more_than_the_capacity(acts: list[tuple[str, str]]) -> None:
    sizes = dict(zip("abcdef", (5, 10, 20, 30, 60, 90), strict=True))
    files = hot_set(margin=0.0)
    running: set[str] = set()
    for step, (name, act) in enumerate(acts):
        if act == "open":
            files.opened(name, sizes[name], step)
            files.streamed(name, 1.0, step)
        order = files.next_order(step)
        if order is not None:
            for victim in order.victims:
                files.evicted(victim, step)
            running.add(order.name)
        if act in {"copy", "fail"} and name in running:
            running.discard(name)
            files.copied(name) if act == "copy" else files.failed(name)
        if act == "gone":
            files.forget(name)
        assert files.bytes <= 100
