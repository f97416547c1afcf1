"""A session's own judgement of its lease: pauses, doubts, an engine that is slow or away."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from l7lb_storage import (
    DeadlinePassed,
    LeaseLost,
    LimitExceeded,
    Mode,
    Notice,
    Session,
    SessionSpec,
    Unavailable,
)
from l7lb_storage.chores import Chores
from l7lb_storage.clock import ManualClock
from l7lb_storage.errors import StorageError
from l7lb_storage.lock import Lock
from l7lb_storage.memory import MemoryEngine, World
from l7lb_storage.node import Node
from support.storage_rigs import WAIT_S


class Shaky(MemoryEngine):
    """Renewals wait until they are let, or fail."""

    def __init__(self, world: World | None = None) -> None:
        super().__init__(world)
        self.open_gate = asyncio.Event()
        self.open_gate.set()
        self.renewals = 0
        self.error: StorageError | None = None

    async def renew_lease(self, lease: int) -> None:
        await self.open_gate.wait()
        self.renewals += 1
        if self.error is not None:
            raise self.error
        await super().renew_lease(lease)


async def until(condition: object) -> None:
    async with asyncio.timeout(WAIT_S):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def test_blocked_loop_is_a_pause_that_a_thread_sees() -> None:
    """Nothing needs to run in the loop for `valid` to be false, and one renewal heals it."""
    engine = Shaky()
    await engine.open()
    session = await Session.open(engine, SessionSpec("n", ttl_s=2))
    lock = await session.acquire("r", Mode.EX)
    assert lock.valid
    engine.open_gate.clear()
    seen: list[bool] = []

    def look() -> None:
        time.sleep(0.55)
        seen.append(lock.valid)

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()  # the loop stands still for more than a quarter of the TTL
    assert seen == [False]
    assert not lock.valid, "and the loop itself knows before anything else runs"
    await asyncio.sleep(0)
    assert not lock.valid
    engine.open_gate.set()
    await until(lambda: lock.valid)
    assert engine.renewals >= 1
    assert not session.lost.is_set()
    await session.close()
    await engine.close()


async def test_failed_renewals_are_repeated_until_the_deadline() -> None:
    engine = Shaky()
    await engine.open()
    session = await Session.open(engine, SessionSpec("n", ttl_s=1))
    engine.error = Unavailable("away")
    await until(lambda: engine.renewals >= 3)
    assert session.valid
    engine.error = None
    renewed = session.term.sent_s
    await until(lambda: session.term.sent_s > renewed)
    engine.error = Unavailable("away for good")
    async with asyncio.timeout(WAIT_S):
        await session.lost.wait()
    assert session.clock.now() >= session.term.deadline_s
    await session.close()
    await engine.close()


async def test_memory_is_deterministic_under_a_clock() -> None:
    """Time passes when the test says so."""
    clock = ManualClock()
    world = World(clock)
    engine = MemoryEngine(world)
    await engine.open()
    session = await Session.open(engine, SessionSpec("n", ttl_s=10), clock)
    other = await Session.open(engine, SessionSpec("m", ttl_s=1000), clock)
    lock = await session.acquire("r", Mode.EX)
    waiting = asyncio.create_task(other.acquire("r", Mode.EX))
    await asyncio.sleep(0)
    clock.advance(2.4)
    assert lock.valid
    clock.advance(6.7)
    assert not lock.valid, "9.1 s of 10 s less a tenth"
    world.run_due()
    await asyncio.sleep(0)
    assert not waiting.done(), "the engine waits longer than the holder"
    clock.advance(1)
    world.run_due()
    async with asyncio.timeout(WAIT_S):
        assert (await waiting).token > lock.token
    with pytest.raises(LeaseLost):
        await session.acquire("s", Mode.EX)
    for each in (session, other):
        await each.close()
    await engine.close()


async def test_handlers_run_in_tasks_and_end_with_the_session() -> None:
    engine = MemoryEngine()
    await engine.open()
    session = await Session.open(engine, SessionSpec("n"))
    started, ended = asyncio.Event(), asyncio.Event()

    async def handler(_lock: Lock, _notice: Notice) -> None:
        started.set()
        try:
            await asyncio.sleep(1000)
        finally:
            ended.set()

    await session.acquire("r", Mode.EX, on_blocking=handler)
    with pytest.raises(DeadlinePassed):
        await session.acquire("r", Mode.EX, timeout_s=0.05)
    assert started.is_set()
    await session.close()
    assert ended.is_set()
    await engine.close()


async def test_who_subscribes_late_is_told_at_once() -> None:
    engine = MemoryEngine()
    await engine.open()
    session = await Session.open(engine, SessionSpec("n", ttl_s=1))
    await engine.close_lease(session.lease)
    async with asyncio.timeout(WAIT_S):
        await session.lost.wait()
    told: list[Session] = []
    session.on_lost(told.append)
    assert told == [session]
    await session.close()
    await engine.close()


async def test_what_callbacks_raise_hurts_nobody_else() -> None:
    """It is reported by the loop; the engine, the session and the other callbacks go on."""
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: reported.append(context["exception"])
    )
    engine = MemoryEngine()
    await engine.open()
    session = await Session.open(engine, SessionSpec("n", ttl_s=1))
    failure = RuntimeError("a handler's own")

    def fails(*_told: object) -> None:
        raise failure

    lock = await session.acquire("r", Mode.EX, on_blocking=fails)
    waiting = asyncio.create_task(session.acquire("r", Mode.EX))
    await until(lambda: reported == [failure])
    await lock.release()
    await (await waiting).release()
    told: list[Session] = []
    session.on_lost(fails)
    session.on_lost(told.append)
    await engine.close_lease(session.lease)
    await until(lambda: told == [session])
    assert reported == [failure, failure]
    await session.close()
    await engine.close()


@pytest.mark.parametrize(
    "spec", [SessionSpec("", 5), SessionSpec("n" * 300, 5), SessionSpec("n", 0.5)]
)
async def test_specifications_have_limits(spec: SessionSpec) -> None:
    with pytest.raises(LimitExceeded):
        await Session.open(MemoryEngine(), spec)


async def test_engine_that_is_closed_is_unavailable() -> None:
    engine = MemoryEngine()
    with pytest.raises(Unavailable):
        await Session.open(engine, SessionSpec("n"))
    async with Node(engine, SessionSpec("n")) as node:
        assert not node.valid
        with pytest.raises(DeadlinePassed):
            await node.ready(0.05)
        await engine.open()
        assert (await node.ready(WAIT_S)).valid
        assert node.valid
    await engine.close()


async def test_waiters_of_a_closed_engine_are_let_go() -> None:
    world = World()
    engine = MemoryEngine(world)
    await engine.open()
    session = await Session.open(engine, SessionSpec("n"))
    await session.acquire("r", Mode.EX)
    waiting = asyncio.create_task(session.acquire("r", Mode.EX))
    await asyncio.sleep(0)
    await engine.close()
    with pytest.raises(Unavailable):
        await waiting
    await session.close()


async def test_chores_are_repeated_bounded_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l7lb_storage.chores.LIMIT", 50)
    chores = Chores()
    calls: list[int] = []

    async def works_the_third_time() -> None:
        calls.append(1)
        if len(calls) < 3:
            raise Unavailable("not yet")

    await chores.settle(works_the_third_time, 10, WAIT_S)
    assert len(calls) == 3

    async def never() -> None:
        await asyncio.sleep(1000)

    async def refuses() -> None:
        calls.append(1)
        raise LeaseLost("over")

    await chores.settle(refuses, 10, WAIT_S)
    assert len(calls) == 4
    for _ in range(50):
        chores.start(never, 1)
    with pytest.raises(Unavailable):
        chores.start(never, 1)
    await chores.close()
    await asyncio.sleep(0)
    assert len(chores) == 0
