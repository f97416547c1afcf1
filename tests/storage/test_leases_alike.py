"""Leases, sessions and nodes behave alike on every engine. Real time passes: TTLs are short."""

from __future__ import annotations

import asyncio
import time

import pytest

from l7lb_storage import LeaseLost, Mode, Node, Session, SessionSpec, Store
from l7lb_storage.model import Claim
from support.storage_rigs import TTL_S, WAIT_S, Rig


def claim(lease: int, number: int, resource: str, mode: Mode = Mode.EX) -> Claim:
    return Claim(lease, number, resource, mode, "raw", time.time())


async def test_expiry_while_holding_frees_the_lock(rig: Rig) -> None:
    """Nobody renews; who waits gets it, and its token is higher."""
    engine = await rig.engine()
    lease = await engine.open_lease(TTL_S, "dies")
    grant = await engine.acquire(claim(lease.id, 1, "r"))
    await Store(engine).put("bound", b"1", lease=lease.id)
    other = await rig.session("lives")
    taken = await other.acquire("r", Mode.EX, timeout_s=WAIT_S)
    assert taken.token > grant.token
    assert await engine.release(claim(lease.id, 1, "r"), grant) is False
    assert taken.valid
    assert await Store(engine).get("bound") is None
    with pytest.raises(LeaseLost):
        await engine.renew_lease(lease.id)


async def test_expiry_while_waiting_is_not_granted(rig: Rig) -> None:
    """What etcd 3.4's own lock gets wrong: a dead waiter must not get the lock."""
    holder, last = await rig.session("holder"), await rig.session("last")
    lock = await holder.acquire("r", Mode.EX)
    engine = await rig.engine()
    lease = await engine.open_lease(TTL_S, "dies")
    dead = asyncio.create_task(engine.acquire(claim(lease.id, 1, "r")))
    alive = asyncio.create_task(last.acquire("r", Mode.EX))
    with pytest.raises(LeaseLost):
        async with asyncio.timeout(WAIT_S):
            await dead
    assert [view.holder for view in await holder.engine.locks("r")] == ["holder", "last"]
    await lock.release()
    async with asyncio.timeout(WAIT_S):
        assert (await alive).valid


async def test_session_lives_on_beyond_its_ttl(rig: Rig) -> None:
    session = await rig.session(ttl_s=TTL_S)
    lock = await session.acquire("r", Mode.EX)
    sent_s = session.term.sent_s
    async with asyncio.timeout(WAIT_S):
        while session.term.sent_s < sent_s + 1.5 * session.term.ttl_s:
            assert lock.valid
            await asyncio.sleep(0.05)
    assert [view.granted for view in await session.engine.locks("r")] == [True]


async def test_revoked_session_is_lost_and_tells(rig: Rig) -> None:
    session = await rig.session(ttl_s=TTL_S)
    lock = await session.acquire("r", Mode.EX)
    told: list[Session] = []
    session.on_lost(told.append)
    other = await rig.session("other")
    await other.acquire("busy", Mode.EX)
    waiting = asyncio.create_task(session.acquire("busy", Mode.EX))
    await (await rig.engine()).close_lease(session.lease)
    async with asyncio.timeout(WAIT_S):
        await session.lost.wait()
        with pytest.raises(LeaseLost):
            await waiting
    await asyncio.sleep(0)
    assert told == [session]
    assert not session.valid
    assert not lock.valid
    with pytest.raises(LeaseLost):
        await session.acquire("r", Mode.EX)
    with pytest.raises(LeaseLost):
        await lock.convert(Mode.PR)


async def test_node_opens_a_new_session_after_a_loss(rig: Rig) -> None:
    seen: list[int] = []
    async with Node(await rig.engine(), SessionSpec("n", TTL_S)) as node:
        node.on_session(lambda session: seen.append(session.lease))
        first = await node.ready(WAIT_S)
        held = await first.acquire("r", Mode.EX)
        await (await rig.engine()).close_lease(first.lease)
        async with asyncio.timeout(WAIT_S):
            await first.lost.wait()
        second = await node.ready(WAIT_S)
        again = await second.acquire("r", Mode.EX)
        assert again.token > held.token
        assert not held.valid
        assert seen == [first.lease, second.lease]
    assert not second.valid
    with pytest.raises(LeaseLost):
        _ = node.session


async def test_closed_session_is_not_lost(rig: Rig) -> None:
    session = await rig.session()
    told: list[Session] = []
    session.on_lost(told.append)
    await session.close()
    assert not session.valid
    assert not told
    with pytest.raises(LeaseLost):
        await session.acquire("r", Mode.EX)


async def test_repeated_close_and_renewal_of_the_dead(rig: Rig) -> None:
    engine = await rig.engine()
    lease = await engine.open_lease(15, "x")
    await engine.renew_lease(lease.id)
    await engine.close_lease(lease.id)
    await engine.close_lease(lease.id)
    with pytest.raises(LeaseLost):
        await engine.renew_lease(lease.id)
    with pytest.raises(LeaseLost):
        await engine.acquire(claim(lease.id, 1, "r"))
