"""Locks behave alike on every engine."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine
from typing import Any

import pytest

from l7lb_storage import (
    ConversionRefused,
    DeadlinePassed,
    LeaseLost,
    LimitExceeded,
    Lock,
    Mode,
    NotGranted,
    Notice,
    Session,
)
from l7lb_storage.modes import MATRIX
from support.storage_rigs import WAIT_S, Rig


async def within(work: Coroutine[Any, Any, Any]) -> Any:
    async with asyncio.timeout(WAIT_S):
        return await work


async def queued(session: Session, resource: str, count: int) -> None:
    """Until so many wait for the resource."""
    async with asyncio.timeout(WAIT_S):
        while sum(not view.granted for view in await session.engine.locks(resource)) < count:
            await asyncio.sleep(0.005)


async def waiter(session: Session, resource: str, mode: Mode, place: int) -> asyncio.Task[Lock]:
    """A task that waits for the lock, as the so-manieth in the line."""
    task = asyncio.create_task(session.acquire(resource, mode))
    await queued(session, resource, place)
    return task


async def test_every_pair_of_modes(rig: Rig) -> None:
    holder, asker = await rig.session("a"), await rig.session("b")
    found = {}
    for held, asked in itertools.product(Mode, Mode):
        resource = f"{held.value}/{asked.value}"
        await holder.acquire(resource, held)
        try:
            await asker.acquire(resource, asked, try_only=True)
        except NotGranted:
            found[held, asked] = False
        else:
            found[held, asked] = True
    assert found == {(held, asked): MATRIX[asked][held] for held in Mode for asked in Mode}


async def test_order_is_that_of_arrival(rig: Rig) -> None:
    session = await rig.session()
    first = await session.acquire("r", Mode.EX)
    tasks = [await waiter(session, "r", Mode.EX, place) for place in range(1, 9)]
    order = []
    holder = first
    for task in tasks:
        await holder.release()
        holder = await within(task)  # type: ignore[arg-type]
        order.append(holder.token)
        assert sum(each.done() for each in tasks) == len(order)
    assert order == sorted(order)
    assert order[0] > 0


async def test_a_reader_does_not_overtake_a_waiting_writer(rig: Rig) -> None:
    one, two, three = [await rig.session(name) for name in "abc"]
    reader = await one.acquire("r", Mode.PR)
    writer = await waiter(two, "r", Mode.EX, 1)
    late = await waiter(three, "r", Mode.PR, 2)
    views = await one.engine.locks("r")
    assert [view.granted for view in views] == [True, False, False]
    await reader.release()
    held = await within(writer)  # type: ignore[arg-type]
    assert not late.done()
    await held.release()
    assert (await within(late)).mode is Mode.PR  # type: ignore[arg-type]


async def test_readers_go_together(rig: Rig) -> None:
    session = await rig.session()
    writer = await session.acquire("r", Mode.EX)
    readers = [await waiter(session, "r", Mode.PR, place) for place in (1, 2, 3)]
    await writer.release()
    for reader in readers:
        assert (await within(reader)).valid  # type: ignore[arg-type]


async def test_trying_leaves_no_trace(rig: Rig) -> None:
    holder, other = await rig.session("a"), await rig.session("b")
    lock = await holder.acquire("r", Mode.EX)
    with pytest.raises(NotGranted):
        await other.acquire("r", Mode.CR, try_only=True)
    assert len(await holder.engine.locks()) == 1
    await lock.release()
    async with await other.acquire("r", Mode.CR, try_only=True) as taken:
        assert taken.valid
    assert await holder.engine.locks() == []


async def test_of_many_who_try_at_once_one_gets_it(rig: Rig) -> None:
    sessions = [await rig.session(name) for name in "abcd"]
    for number in range(10):
        found = await within(
            asyncio.gather(  # type: ignore[arg-type]
                *(each.acquire(f"r{number}", Mode.EX, try_only=True) for each in sessions),
                return_exceptions=True,
            )
        )
        assert sum(isinstance(each, Lock) for each in found) == 1
        assert sum(isinstance(each, NotGranted) for each in found) == 3
    assert len(await sessions[0].engine.locks()) == 10


async def test_trying_does_not_overtake_who_waits(rig: Rig) -> None:
    session = await rig.session()
    reader = await session.acquire("r", Mode.PR)
    writer = await waiter(session, "r", Mode.EX, 1)
    with pytest.raises(NotGranted):
        await session.acquire("r", Mode.PR, try_only=True)
    await reader.release()
    await within(writer)  # type: ignore[arg-type]


async def test_timeout_leaves_no_trace(rig: Rig) -> None:
    holder, other = await rig.session("a"), await rig.session("b")
    await holder.acquire("r", Mode.EX)
    with pytest.raises(DeadlinePassed):
        await other.acquire("r", Mode.EX, timeout_s=0.05)
    views = await holder.engine.locks("r")
    assert [view.holder for view in views] == ["a"]


async def test_cancellation_lets_those_behind_go_on(rig: Rig) -> None:
    session = await rig.session()
    await session.acquire("r", Mode.PR)
    writer = await waiter(session, "r", Mode.EX, 1)
    reader = await waiter(session, "r", Mode.PR, 2)
    writer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writer
    assert (await within(reader)).valid  # type: ignore[arg-type]
    assert len(await session.engine.locks("r")) == 2


async def test_down_conversion_lets_others_in_at_once(rig: Rig) -> None:
    holder, other = await rig.session("a"), await rig.session("b")
    lock = await holder.acquire("r", Mode.EX)
    before = lock.token
    reader = await waiter(other, "r", Mode.PR, 1)
    await lock.convert(Mode.PR)
    assert lock.mode is Mode.PR
    assert lock.token == before
    await within(reader)  # type: ignore[arg-type]
    assert lock.valid


async def test_up_conversion_alone(rig: Rig) -> None:
    session = await rig.session()
    lock = await session.acquire("r", Mode.PR)
    before = lock.token
    await lock.convert(Mode.EX)
    assert lock.token > before
    with pytest.raises(NotGranted):
        await session.acquire("r", Mode.CR, try_only=True)


async def test_two_readers_cannot_both_upgrade(rig: Rig) -> None:
    one, two = await rig.session("a"), await rig.session("b")
    first, second = await one.acquire("r", Mode.PR), await two.acquire("r", Mode.PR)
    for lock in (first, second):
        with pytest.raises(ConversionRefused):
            await lock.convert(Mode.EX)
        assert lock.mode is Mode.PR
        assert lock.valid
    await second.release()
    await first.convert(Mode.EX)


async def test_up_conversion_does_not_overtake_an_earlier_wish(rig: Rig) -> None:
    """The writer waits for the reader; the third goes with both, until it wants more."""
    session = await rig.session()
    await session.acquire("r", Mode.PR)
    await waiter(session, "r", Mode.CW, 1)
    third = await session.acquire("r", Mode.CR)
    with pytest.raises(ConversionRefused):
        await third.convert(Mode.PR)


async def test_up_conversion_does_not_pass_those_who_wait_behind(rig: Rig) -> None:
    """Its new token would be above theirs, and the storage would refuse them afterwards."""
    session = await rig.session()
    lock = await session.acquire("r", Mode.PR)
    writer = await waiter(session, "r", Mode.EX, 1)
    with pytest.raises(ConversionRefused):
        await lock.convert(Mode.EX)
    await lock.release()
    held = await within(writer)  # type: ignore[arg-type]
    assert held.token > 0


async def test_tokens_grow_over_a_down_conversion(rig: Rig) -> None:
    one, two = await rig.session("a"), await rig.session("b")
    lock = await one.acquire("r", Mode.EX)
    behind = await waiter(two, "r", Mode.EX, 1)
    await lock.convert(Mode.PW)
    token = lock.token
    assert [view.token for view in await one.engine.locks("r")] == [token, 0]
    await lock.release()
    assert (await within(behind)).token > token  # type: ignore[arg-type]


async def test_null_lock_and_back_gives_a_fresh_token(rig: Rig) -> None:
    """Somebody else may have owned it meanwhile; the old token would be refused."""
    one, two = await rig.session("a"), await rig.session("b")
    mine = await one.acquire("r", Mode.NL)
    async with await two.acquire("r", Mode.EX) as theirs:
        token = theirs.token
        assert token > mine.token
    await mine.convert(Mode.EX)
    assert mine.token > token


@pytest.mark.parametrize("mode", [Mode.EX, Mode.CR])
@pytest.mark.parametrize("steps", [0, 1, 2, 4, 8])
async def test_cancelled_conversion_can_be_released_and_converted(
    rig: Rig, mode: Mode, steps: int
) -> None:
    """It may have happened or not; the weaker mode is what may be relied on."""
    session = await rig.session()
    lock = await session.acquire("r", Mode.PR)
    task = asyncio.create_task(lock.convert(mode))
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    if task.cancelled() and steps:
        assert lock.mode is (Mode.CR if mode is Mode.CR else Mode.PR)
    await lock.convert(Mode.NL)
    await lock.convert(Mode.PW)
    views = await session.engine.locks()
    assert [(view.mode, view.token) for view in views] == [(Mode.PW, lock.token)]
    assert await lock.release() is True
    assert await session.engine.locks() == []


async def test_release_is_once(rig: Rig) -> None:
    session = await rig.session()
    lock = await session.acquire("r", Mode.EX)
    assert await lock.release() is True
    assert await lock.release() is False
    assert not lock.valid
    with pytest.raises(LeaseLost):
        lock.check()
    with pytest.raises(LeaseLost):
        await lock.convert(Mode.PR)


async def test_stale_release_takes_nothing_from_anybody(rig: Rig) -> None:
    loser, winner = await rig.session("a"), await rig.session("b")
    lock = await loser.acquire("r", Mode.EX)
    await loser.engine.close_lease(loser.lease)  # as if it had expired
    held = await winner.acquire("r", Mode.EX)
    assert held.token > lock.token
    assert await lock.release() is False
    assert [view.holder for view in await winner.engine.locks("r")] == ["b"]
    assert held.valid


async def test_holder_hears_of_each_who_waits(rig: Rig) -> None:
    holder, other = await rig.session("a"), await rig.session("b")
    heard: asyncio.Queue[Notice] = asyncio.Queue()
    await holder.acquire("r", Mode.PR, on_blocking=lambda _, notice: heard.put_nowait(notice))
    goes_along = await other.acquire("r", Mode.PR)
    waiting = asyncio.create_task(other.acquire("r", Mode.EX))
    assert await within(heard.get()) == Notice("r", "b", Mode.EX)
    assert heard.empty()
    waiting.cancel()
    await goes_along.release()


async def test_holder_hears_of_who_waited_before_it_held(rig: Rig) -> None:
    one, two, three = [await rig.session(name) for name in "abc"]
    heard: asyncio.Queue[tuple[Lock, Notice]] = asyncio.Queue()
    first = await one.acquire("r", Mode.EX)
    second = asyncio.create_task(
        two.acquire("r", Mode.EX, on_blocking=lambda *told: heard.put_nowait(told))
    )
    await queued(one, "r", 1)
    third = await waiter(three, "r", Mode.EX, 2)
    await first.release()
    lock, notice = await within(heard.get())
    assert lock is await second
    assert notice.holder == "c"
    await lock.release()
    await within(third)  # type: ignore[arg-type]


async def test_handler_hands_over(rig: Rig) -> None:
    holder, other = await rig.session("a"), await rig.session("b")

    async def hand_over(lock: Lock, _notice: Notice) -> None:
        await lock.release()

    first = await holder.acquire("r", Mode.EX, on_blocking=hand_over)
    second = await within(other.acquire("r", Mode.EX))
    assert second.token > 0
    assert not first.valid


async def test_view_says_who_holds_and_who_waits(rig: Rig) -> None:
    holder, other = await rig.session("a"), await rig.session("b")
    lock = await holder.acquire("user/1", Mode.EX)
    await holder.acquire("user/11", Mode.PR)
    task = await waiter(other, "user/1", Mode.CR, 1)
    views = await holder.engine.locks("user/1")
    assert [(view.resource, view.holder, view.mode, view.granted) for view in views] == [
        ("user/1", "a", Mode.EX, True),
        ("user/1", "b", Mode.CR, False),
        ("user/11", "a", Mode.PR, True),
    ]
    assert views[0].token == lock.token
    assert views[1].token == 0
    assert views[0].since_s <= views[1].since_s
    assert len(await holder.engine.locks("user/11")) == 1
    task.cancel()


@pytest.mark.parametrize("resource", ["", "x" * 2000, "a\0b", "line\n"])
async def test_names_have_limits(rig: Rig, resource: str) -> None:
    session = await rig.session()
    with pytest.raises(LimitExceeded):
        await session.acquire(resource, Mode.EX)


async def test_names_do_not_touch_each_other(rig: Rig) -> None:
    session = await rig.session()
    for resource in ("a", "a/b", "a-1", "ä", "a b", "%61"):
        await session.acquire(resource, Mode.EX, try_only=True)
    assert len(await session.engine.locks()) == 6


async def test_closing_a_session_frees_all(rig: Rig) -> None:
    holder, other = await rig.session("a"), await rig.session("b")
    locks = [await holder.acquire(f"r{number}", Mode.EX) for number in range(5)]
    await holder.close()
    assert not any(lock.valid for lock in locks)
    for number in range(5):
        await other.acquire(f"r{number}", Mode.EX, try_only=True)
