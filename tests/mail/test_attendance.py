"""Sessions counted over workers: what is told, what is asked, and what a death leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from l7lb.mail.attendance import PRESENT, UNCOUNTED, Attendance
from l7lb_storage import (
    InDoubt,
    LimitExceeded,
    MemoryEngine,
    Node,
    Outcome,
    SessionSpec,
    StorageError,
    Store,
    Unavailable,
    World,
)
from l7lb_storage.limits import TRANSACTION_STEPS
from l7lb_storage.model import Transaction

KEY = ("mail", "alice/b@example.org")
HERE = "192.0.2.1"
NAME = f"{PRESENT}mail/alice/b@example.org/{HERE}"


class Engine(MemoryEngine):
    """Counts what it is asked, and fails when told to."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.transactions = 0
        self.broken: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()

    async def transact(self, transaction: Transaction) -> Outcome:
        self.transactions += 1
        await self.gate.wait()
        if self.broken is not None:
            raise self.broken
        return await super().transact(transaction)


class Worker:
    def __init__(self, engine: Engine, node: Node) -> None:
        self.engine = engine
        self.node = node
        self.attendance = Attendance(lambda: 0.0)
        self.following = asyncio.create_task(self.attendance.follow(Store(engine)))

    async def enter(self, limit: int, source: str = HERE) -> str | None:
        return await self.attendance.enter(KEY, source, limit)

    async def sees(self, count: int) -> None:
        await until(lambda: self.attendance.count(NAME) == count)


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.002)


@asynccontextmanager
async def worker(world: World, name: str) -> AsyncIterator[Worker]:
    engine = Engine(world)
    await engine.open()
    async with Node(engine, SessionSpec(name, 2.0)) as node:
        await node.ready()
        made = Worker(engine, node)
        node.on_session(made.attendance.renewed)
        await until(lambda: made.attendance._store)  # it hears
        yield made
        engine.gate.set()
        made.following.cancel()
        with suppress(asyncio.CancelledError):
            await made.following
    await engine.close()


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Worker, Worker]]:
    world = World()
    async with worker(world, "one") as one, worker(world, "other") as other:
        yield one, other


async def test_the_limit_is_one_for_all(pair: tuple[Worker, Worker]) -> None:
    one, other = pair
    assert await one.enter(4) == await one.enter(4) == NAME
    await other.sees(2)
    assert await other.enter(4) == NAME
    assert await one.enter(4) == NAME
    assert await one.enter(4) is None
    assert await other.enter(4) is None
    assert await other.enter(4, "192.0.2.2")  # another address is another count
    for each in pair:
        await each.sees(4)


async def test_whoever_leaves_makes_room(pair: tuple[Worker, Worker]) -> None:
    one, other = pair
    place = await one.enter(1)
    assert place == NAME
    assert await other.enter(1) is None
    coming = asyncio.create_task(other.enter(1))
    await asyncio.sleep(0)
    one.attendance.leave(place)  # its news is slower than the client
    assert await coming == NAME
    await one.sees(1)


async def test_the_last_place_is_never_taken_twice() -> None:
    """Five workers at once, again and again: one of them may go without, but no two get in."""
    world = World()
    async with (
        worker(world, "a") as a,
        worker(world, "b") as b,
        worker(world, "c") as c,
        worker(world, "d") as d,
    ):
        workers = (a, b, c, d)
        for _ in range(3):
            places = await asyncio.gather(*(each.enter(1) for each in workers))
            assert len(places) - places.count(None) <= 1
            for each, place in zip(workers, places, strict=True):
                each.attendance.leave(place or UNCOUNTED)


async def test_half_of_the_limit_is_given_without_a_question(pair: tuple[Worker, Worker]) -> None:
    one, _ = pair
    one.engine.gate.clear()  # a question would wait
    async with asyncio.timeout(30):
        for _ in range(5):
            assert await one.enter(10)
    asked = asyncio.create_task(one.enter(10))
    await until(lambda: one.engine.transactions)
    assert not asked.done()
    one.engine.gate.set()
    assert await asked


async def test_a_session_that_has_gone_at_once_costs_the_store_nothing(
    pair: tuple[Worker, Worker],
) -> None:
    one, other = pair
    for _ in range(20):
        one.attendance.leave(await one.enter(10) or "")
    assert await one.enter(10, "192.0.2.9")
    await until(lambda: other.attendance.count(NAME.replace(HERE, "192.0.2.9")) == 1)
    assert one.engine.transactions == 1


async def test_half_of_the_limit_is_given_at_once_and_no_more(pair: tuple[Worker, Worker]) -> None:
    one, _ = pair
    assert [one.attendance.entered(KEY, HERE, 4) for _ in range(3)] == [NAME, NAME, None]
    assert one.attendance.count(NAME) == 2
    assert one.attendance.entered(KEY, HERE, 0) == UNCOUNTED


async def test_no_limit_no_count(pair: tuple[Worker, Worker]) -> None:
    one, _ = pair
    assert [await one.enter(0) for _ in range(50)] == [UNCOUNTED] * 50
    one.attendance.leave(UNCOUNTED)
    assert one.attendance.count(NAME) == 0


async def test_without_a_store_the_limit_is_the_workers_own() -> None:
    alone = Attendance(lambda: 0.0)
    places = [await alone.enter(KEY, HERE, 2) for _ in range(3)]
    assert places == [NAME, NAME, None]
    alone.leave(NAME)
    assert await alone.enter(KEY, HERE, 2) == NAME


async def test_what_a_dead_worker_had_is_free_again(pair: tuple[Worker, Worker]) -> None:
    one, other = pair
    assert await one.enter(2)
    await other.sees(1)
    await other.engine.close_lease(one.node.session.lease)
    await other.sees(0)
    # it was not dead: under its next lease it tells again
    await other.sees(1)
    assert await other.enter(2)
    assert await other.enter(2) is None


@pytest.mark.parametrize("problem", [Unavailable("gone"), InDoubt("who knows")])
async def test_a_store_that_fails_refuses_nobody_whom_it_does_not_know(
    problem: StorageError, pair: tuple[Worker, Worker], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "l7lb.mail")
    one, other = pair
    assert await other.enter(3)
    await one.sees(1)
    one.engine.broken = problem
    assert await one.enter(3) == NAME
    assert "counted by what is known" in caplog.text
    assert await one.enter(3) == NAME
    assert await one.enter(3) is None  # what is known of the others counts
    one.engine.broken = None
    await other.sees(3)


async def test_a_login_that_is_given_up_leaves_no_trace(pair: tuple[Worker, Worker]) -> None:
    one, other = pair
    one.engine.gate.clear()
    given_up = asyncio.create_task(one.enter(1))
    await until(lambda: one.engine.transactions)
    given_up.cancel()
    with suppress(asyncio.CancelledError):
        await given_up
    one.engine.gate.set()
    await until(lambda: one.attendance.count(NAME) == other.attendance.count(NAME) == 0)
    assert await other.enter(1)


async def test_more_than_one_transaction_holds(pair: tuple[Worker, Worker]) -> None:
    one, other = pair
    sources = [f"192.0.2.{n}" for n in range(2 * TRANSACTION_STEPS)]
    for source in sources:
        assert await one.enter(9, source)
    names = [NAME.replace(HERE, source) for source in sources]
    await until(lambda: all(other.attendance.count(name) == 1 for name in names))


async def test_who_comes_late_hears_of_all() -> None:
    world = World()
    async with worker(world, "one") as one:
        assert await one.enter(9)
        await until(lambda: one.engine.transactions)
        store = Store(one.engine)
        await store.put(f"{NAME}/77", b"nonsense")
        await store.put(f"{NAME}/78", b"2")
        async with worker(world, "late") as late:
            await late.sees(3)
            assert await late.enter(3) is None
        await store.close()


async def test_the_store_that_goes_frees_those_who_wait(pair: tuple[Worker, Worker]) -> None:
    one, other = pair
    assert await other.enter(1)
    await one.sees(1)
    one.engine.gate.clear()
    asked = asyncio.create_task(one.enter(3))
    later = asyncio.create_task(one.enter(3))
    await until(lambda: one.engine.transactions)
    one.following.cancel()
    assert await asked == await later == NAME
    assert one.attendance.count(NAME) == 2  # what others have is not known any more


async def test_a_store_that_says_nothing_is_not_waited_for(
    pair: tuple[Worker, Worker], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("l7lb.mail.attendance.ANSWER_S", 0.05)
    one, _ = pair
    one.engine.gate.clear()
    assert await one.enter(1) == NAME
    one.engine.gate.set()


async def test_too_many_to_hear_of_is_no_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("l7lb.mail.attendance.PAUSE_S", 0.01)
    watch = Engine.watch
    calls = 0

    async def full(engine: Engine, prefix: str, after: int | None = None) -> object:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise LimitExceeded("too many")
        return await watch(engine, prefix, after)

    monkeypatch.setattr(Engine, "watch", full)
    async with worker(World(), "one") as one:
        assert await one.enter(1)
    assert "too many" in caplog.text
