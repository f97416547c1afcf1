"""Counters and kept keys: arithmetic of windows, busy counters, lost leases."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_storage import InDoubt, LimitExceeded, MemoryEngine, Store, Unavailable
from l7lb_storage.clock import ManualClock
from l7lb_storage.counters import Count
from l7lb_storage.keeping import TIMES, Keeping
from l7lb_storage.model import Outcome, Transaction


def test_windows_follow_each_other() -> None:
    count = Count(0, 0, 0).plus(4, 100)
    assert count == Count(100, 4, 0)
    assert count.plus(1, 100) == Count(100, 5, 0)
    assert count.plus(1, 101) == Count(101, 1, 4)
    assert count.plus(1, 102) == Count(102, 1, 0)


def test_clocks_that_differ() -> None:
    """One window ahead is another node's clock; more is a fault that must not last."""
    count = Count(101, 4, 2)
    assert count.plus(1, 100) == Count(101, 5, 2)
    assert count.plus(1, 99) == Count(99, 1, 0)


def test_estimate() -> None:
    assert Count(1, 3, 10).estimate(0) == 13
    assert Count(1, 3, 10).estimate(0.5) == 8
    assert Count(1, 3, 10).estimate(0.999) == 4


@given(st.lists(st.floats(0, 50), max_size=40).map(sorted), st.floats(0, 10))
def test_error_is_bounded(times: list[float], more: float) -> None:
    """Never below the running window's count, above the truth by at most the window before."""
    count = Count(0, 0, 0)
    for time in times:
        count = count.plus(1, int(time // 10))
    now = (times[-1] if times else 0) + more
    count = count.plus(0, int(now // 10))
    truth = sum(now - 10 < time <= now for time in times)
    estimate = count.estimate(now % 10 / 10)
    assert count.running <= estimate <= truth + count.before
    assert estimate >= truth - count.before


def test_what_is_no_counter_counts_as_nothing() -> None:
    assert Count.parse(b"nonsense") == Count(0, 0, 0)
    assert Count.parse(Count(1, 2, 3).encode()) == Count(1, 2, 3)


@pytest.mark.parametrize(("n", "window_s"), [(-1, 10), (1, 0.5)])
async def test_limits(n: int, window_s: float) -> None:
    store = Store(MemoryEngine())
    with pytest.raises(LimitExceeded):
        await store.add("k", n, window_s)
    await store.close()


class Stubborn(MemoryEngine):
    """Transactions fail as the test says."""

    failures: list[Exception | Outcome]

    async def transact(self, transaction: Transaction) -> Outcome:
        if self.failures:
            failure = self.failures.pop()
            if isinstance(failure, Outcome):
                return failure
            raise failure
        return await super().transact(transaction)


async def test_conflicts_and_doubts_are_tried_again_and_errors_told() -> None:
    engine = Stubborn()
    await engine.open()
    store = Store(engine, wall=lambda: 1000.0)
    engine.failures = [InDoubt("x"), Outcome(False, 1)]
    assert await store.add("k", 2, 10) == 2
    engine.failures = [Unavailable("away")]
    with pytest.raises(Unavailable):
        await store.add("k", 2, 10)
    engine.failures = [Outcome(False, 1)] * 100
    with pytest.raises(Unavailable, match="too busy"):
        await store.add("k", 2, 10)
    engine.failures = []
    assert await store.add("k", 1, 10) == 3
    await store.close()
    await engine.close()


async def test_adds_that_come_together_are_one_transaction() -> None:
    engine = MemoryEngine()
    await engine.open()
    store = Store(engine, wall=lambda: 1000.0)
    await asyncio.gather(*(store.add("k", 1, 10) for _ in range(100)))
    assert engine.world.machine.revision < 10
    await store.close()
    await engine.close()


async def test_closing_lets_waiters_go() -> None:
    engine = MemoryEngine()
    await engine.open()
    store = Store(engine)
    waiting = asyncio.create_task(store.add("k", 1, 10))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(Unavailable):
        await waiting
    await engine.close()


async def test_one_lease_serves_a_quarter_of_the_time() -> None:
    clock = ManualClock()
    engine = MemoryEngine()
    await engine.open()
    keeping = Keeping(engine, clock)
    first = await keeping.lease(100)
    clock.advance(24)
    assert await keeping.lease(100) == first
    clock.advance(1)
    second = await keeping.lease(100)
    assert second != first
    keeping.forget(second)
    found = await asyncio.gather(keeping.lease(100), keeping.lease(100))
    assert found[0] == found[1] != second
    for number in range(TIMES + 1):
        await keeping.lease(1000 + number)
    assert len(keeping._slots) == TIMES
    await engine.close()


async def test_kept_key_outlives_the_loss_of_its_lease() -> None:
    """The engine was replaced: the next put opens another lease."""
    engine = MemoryEngine()
    await engine.open()
    store = Store(engine)
    await store.put("k", b"1", keep_s=100)
    item = await store.get("k")
    assert item is not None
    await engine.close_lease(item.lease)
    assert await store.get("k") is None
    await store.put("k", b"2", keep_s=100)
    await store.add("c", 1, 100)
    assert await store.get("k") is not None
    await engine.close()
