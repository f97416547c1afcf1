"""What workers count, in the store and summed over them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from l7lb.mail.assignments import Assignment
from l7lb.mail.sessions import Sessions
from l7lb.mail.usage import REPORT_S, Usage, usage
from l7lb.ports import ManualClock
from l7lb_storage import MemoryEngine, Store, World

ALICE, BOB = "alice@example.org", "bob@example.org"


class Live:
    """A session that relays ten bytes between two looks."""

    def __init__(self, account: str, sessions: Sessions) -> None:
        self.key = ("mail", account)
        self.source = "a"
        self.assignment = Assignment("m1")
        self.is_fixed = self.is_locked = False
        sessions.enter(self)

    def moved_bytes(self) -> int:
        return 10

    def end(self, reason: str) -> None:
        raise AssertionError(reason)


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    engine = MemoryEngine(World())
    await engine.open()
    yield Store(engine)
    await engine.close()


class Worker:
    def __init__(self, seat: str, clock: ManualClock) -> None:
        self.sessions = Sessions(clock)
        self.usage = Usage(seat, lambda: 1.8e9 + clock.now())


async def found(store: Store, clock: ManualClock) -> dict[str, tuple[int, int, int]]:
    uses = await usage(store, 1.8e9 + clock.now())
    return {
        name: (round(use.bytes), round(use.sessions), round(use.deliveries))
        for name, use in uses.items()
    }


async def test_all_workers_count_together(store: Store) -> None:
    clock = ManualClock()
    one, other = Worker("d1#0", clock), Worker("d2#0", clock)
    assert await found(store, clock) == {}
    for worker in (one, other):
        worker.usage.ended(ALICE, 1000)
        worker.usage.delivered(BOB, 500)
        await worker.usage.report(store, worker.sessions, now=True)
    assert await found(store, clock) == {ALICE: (2000, 2, 0), BOB: (1000, 0, 2)}


async def test_it_is_written_rarely(store: Store) -> None:
    clock = ManualClock()
    worker = Worker("d1#0", clock)
    worker.usage.delivered(ALICE, 500)
    for _ in range(3):
        await worker.usage.report(store, worker.sessions)
        clock.advance(REPORT_S / 4)
    assert await found(store, clock) == {}
    clock.advance(REPORT_S)
    await worker.usage.report(store, worker.sessions)
    assert await found(store, clock) == {ALICE: (498, 0, 1)}


async def test_sessions_that_go_on_are_counted_as_they_go(store: Store) -> None:
    clock = ManualClock()
    worker = Worker("d1#0", clock)
    for _ in range(2):
        Live(ALICE, worker.sessions)
    for _ in range(3):
        await worker.usage.report(store, worker.sessions, now=True)
    assert await found(store, clock) == {ALICE: (60, 0, 0)}


async def test_the_next_process_goes_on_from_the_last(store: Store) -> None:
    clock = ManualClock()
    for _ in range(3):
        worker = Worker("d1#0", clock)
        worker.usage.delivered(ALICE, 1000)
        await worker.usage.report(store, worker.sessions, now=True)
    assert await found(store, clock) == {ALICE: (3000, 0, 3)}


async def test_nothing_counted_is_nothing_written(store: Store) -> None:
    clock = ManualClock()
    worker = Worker("d1#0", clock)
    await worker.usage.report(store, worker.sessions, now=True)
    assert (await store.range("traffic/")).items == ()
