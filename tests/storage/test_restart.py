"""Servers die and come back: what must survive does; holders know by themselves when to stop."""

from __future__ import annotations

import asyncio

import pytest

from l7lb_storage import Changed, LeaseLost, Mode, Notice, Reset, Store, Unavailable
from support.storage_rigs import TTL_S, WAIT_S, Rig


async def test_locks_keys_and_places_survive(server_rig: Rig) -> None:
    """A restart within the lease: the holder holds, the waiter keeps its place."""
    holder, second, third = [await server_rig.session(name, ttl_s=10) for name in "abc"]
    store = Store(holder.engine)
    heard: asyncio.Queue[Notice] = asyncio.Queue()
    lock = await holder.acquire("r", Mode.EX)
    held = await holder.acquire(
        "s", Mode.PR, on_blocking=lambda _, notice: heard.put_nowait(notice)
    )
    waiting = asyncio.create_task(second.acquire("r", Mode.EX))
    async with asyncio.timeout(WAIT_S):
        while len(await store.engine.locks("r")) < 2:
            await asyncio.sleep(0.005)
    revision = await store.put("k", b"1")
    await store.put("bound", b"1", lease=holder.lease)
    await server_rig.restart()
    async with asyncio.timeout(WAIT_S):
        last = asyncio.create_task(third.acquire("r", Mode.EX))
        writer = asyncio.create_task(third.acquire("s", Mode.EX))
        assert (await heard.get()).holder == "c"
        assert [view.holder for view in await store.engine.locks("r")] == ["a", "b", "c"]
        assert lock.valid
        assert held.valid
        item = await store.get("k")
        assert item is not None
        assert item.revision == revision
        assert await store.get("bound") is not None
        tokens = [lock.token]
        assert await lock.release() is True
        for task in (waiting, last):
            granted = await task
            tokens.append(granted.token)
            await granted.release()
        assert tokens == sorted(set(tokens))
        await held.release()
        await writer


async def test_tokens_and_revisions_grow_over_restarts(server_rig: Rig) -> None:
    session = await server_rig.session(ttl_s=10)
    store = Store(session.engine)
    tokens, revisions = [], []
    for _ in range(3):
        async with asyncio.timeout(WAIT_S):
            lock = await session.acquire("r", Mode.EX)
            tokens.append(lock.token)
            await lock.release()
            revisions.append(await store.put("k", b"x"))
        await server_rig.restart()
        await until_reachable(store)
    assert tokens == sorted(set(tokens))
    assert revisions == sorted(set(revisions))


async def test_epoch_survives(server_rig: Rig) -> None:
    engine = await server_rig.engine()
    raised = await engine.raise_epoch(at_least=5)
    await server_rig.restart()
    await until_reachable(Store(engine))
    assert await engine.epoch() == raised
    session = await server_rig.session()
    lock = await session.acquire("r", Mode.EX)
    assert lock.token >> 48 == raised


async def test_watch_goes_on_without_a_gap(server_rig: Rig) -> None:
    store = Store(await server_rig.engine())
    async with store.watch("w/") as watch, asyncio.timeout(WAIT_S):
        assert isinstance(await anext(watch), Reset)
        await store.put("w/1", b"1")
        assert (await anext(watch)).revision
        await server_rig.restart()
        await until_reachable(store)
        await store.put("w/2", b"2")
        known = {"w/1"}
        while "w/2" not in known:
            event = await anext(watch)
            if isinstance(event, Reset):
                known = {item.key for item in event.items}
            else:
                assert isinstance(event, Changed)
                known.add(event.key)
        assert known == {"w/1", "w/2"}


async def test_holder_stops_by_itself_when_nobody_answers(server_rig: Rig) -> None:
    """Its own deadline is before the engine's; it asks nobody."""
    session = await server_rig.session(ttl_s=TTL_S)
    lock = await session.acquire("r", Mode.EX)
    deadline_s = session.term.deadline_s
    waiting = asyncio.create_task(session.acquire("r", Mode.EX))
    await server_rig.cut()
    async with asyncio.timeout(WAIT_S):
        await session.lost.wait()
        assert session.clock.now() >= deadline_s
        assert session.clock.now() < session.term.sent_s + session.term.ttl_s + 1
        assert not lock.valid
        with pytest.raises(LeaseLost):
            await waiting
    await server_rig.restart()


async def test_unreachable_engine_says_so(server_rig: Rig) -> None:
    server_rig.patience_s = 0.5
    engine = await server_rig.engine()
    await server_rig.cut()
    with pytest.raises(Unavailable):
        await Store(engine).get("k")
    await server_rig.restart()
    await until_reachable(Store(engine))


async def until_reachable(store: Store) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            try:
                await store.get("k")
            except Unavailable:
                await asyncio.sleep(0.02)
            else:
                return
