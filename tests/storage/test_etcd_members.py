"""etcd of three members, of which some fail; and etcd whose data is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from l7lb_storage import (
    Changed,
    Mode,
    Reset,
    Session,
    SessionSpec,
    StaleToken,
    Store,
    Unavailable,
    guard,
)
from l7lb_storage.etcd.engine import EtcdEngine
from l7lb_storage.etcd.gateway import EtcdSpec
from l7lb_storage.fence import highest
from support.etcd_members import Member, free_ports, single
from support.lock_history import Automaton, Work
from support.storage_rigs import WAIT_S, EtcdRig


async def leader_of(members: list[Member]) -> Member:
    async with aiohttp.ClientSession() as http, asyncio.timeout(WAIT_S):
        while True:
            for member in members:
                url = f"{member.url}/v3/maintenance/status"
                async with http.post(url, json={}) as answer:
                    body = await answer.json(content_type=None)
                if body.get("leader") == body["header"]["member_id"]:
                    return member
            await asyncio.sleep(0.05)


def asking_first(rig: EtcdRig, member: Member) -> EtcdEngine:
    """An engine whose first choice is this member."""
    others = [each for each in rig.members if each is not member]
    urls = tuple(each.url for each in (member, *others))
    spec = rig.spec()
    return EtcdEngine(EtcdSpec(urls, spec.prefix, attempt_timeout_s=1.5, pulse_s=0.5))


@pytest.fixture
async def stopped(cluster: EtcdRig) -> AsyncIterator[list[Member]]:
    """Members that a test stops; they go on afterwards."""
    found: list[Member] = []
    yield found
    for member in found:
        member.go_on()
    await leader_of(cluster.members)


async def opened(rig: EtcdRig, member: Member) -> EtcdEngine:
    engine = asking_first(rig, member)
    rig.engines.append(engine)
    await engine.open()
    return engine


@pytest.mark.parametrize("which", ["leader", "follower"])
async def test_one_member_stops(cluster: EtcdRig, stopped: list[Member], which: str) -> None:
    """Sessions live, locks are handed over, watches go on: all began at the stopped member."""
    leader = await leader_of(cluster.members)
    follower = next(member for member in cluster.members if member is not leader)
    victim = leader if which == "leader" else follower
    engine = await opened(cluster, victim)
    one = await cluster.session("a", 6, engine)
    two = await cluster.session("b", 6, await opened(cluster, follower))
    store = Store(engine)
    held = await one.acquire("r", Mode.EX)
    waiting = asyncio.create_task(two.acquire("r", Mode.EX))
    async with store.watch("w/") as watch, asyncio.timeout(3 * WAIT_S):
        assert isinstance(await anext(watch), Reset)
        await until_put(store, "w/0")
        assert isinstance(await anext(watch), Changed)
        victim.stop()
        stopped.append(victim)
        revision = await until_put(store, "w/1")
        assert (await anext(watch)).revision == revision
        token = held.token
        assert await held.release() is True
        assert (await waiting).token > token
    assert one.valid
    assert two.valid


async def until_put(store: Store, key: str) -> int:
    """InDoubt while a leader is missing: then once more."""
    while True:
        try:
            return await store.put(key, b"x")
        except Unavailable:
            item = await store.get(key)
            if item is not None:
                return item.revision


async def test_a_request_that_comes_late_leaves_nothing(
    cluster: EtcdRig, stopped: list[Member]
) -> None:
    """It was sent to a member that stood still, and was answered by another one meanwhile."""
    leader = await leader_of(cluster.members)
    victim = next(member for member in cluster.members if member is not leader)
    engine = await opened(cluster, victim)
    session = await cluster.session("a", 10, engine)
    other = await opened(cluster, leader)
    victim.stop()
    stopped.append(victim)
    async with asyncio.timeout(2 * WAIT_S):
        tasks = [session.acquire(f"r{number}", Mode.EX) for number in range(16)]
        for lock in await asyncio.gather(*tasks):
            assert await lock.release() is True
        victim.go_on()
        stopped.clear()
        late = asking_first(cluster, victim)
        cluster.engines.append(late)
        await late.open()
        for number in range(20):
            await Store(late).put("x", b"%d" % number)
        assert await other.locks() == []
        async with await session.acquire("r0", Mode.EX) as again:
            assert again.token > 0


async def test_history_while_a_member_stops(
    cluster: EtcdRig, stopped: list[Member], tmp_path: Path
) -> None:
    work = Work(Automaton(), tmp_path, seed=3)
    victim = await leader_of(cluster.members)
    engines = [await opened(cluster, member) for member in cluster.members]
    sessions = [await cluster.session(f"n{n}", 8, engine) for n, engine in enumerate(engines)]
    tasks = [asyncio.create_task(work.run(sessions[number % 3], 15, number)) for number in range(6)]
    async with asyncio.timeout(3 * WAIT_S):
        while work.automaton.grants < 15:
            await asyncio.sleep(0.005)
        victim.stop()
        stopped.append(victim)
        await asyncio.gather(*tasks)
    assert work.automaton.grants > 40
    assert work.stale == 0
    work.check()


async def test_dead_endpoints_are_passed_over(cluster: EtcdRig) -> None:
    (dead,) = free_ports(1)
    spec = EtcdSpec((f"http://127.0.0.1:{dead}", cluster.members[1].url), cluster.prefix)
    engine = EtcdEngine(spec)
    cluster.engines.append(engine)
    await engine.open()
    assert await Store(engine).put("k", b"1")


async def test_lost_data_and_a_raised_epoch(tmp_path: Path) -> None:
    """Tokens begin anew when the data is lost; the storage refuses them until the epoch grows."""
    home = tmp_path / "home"
    home.mkdir()
    member = single(tmp_path / "data")
    member.start()
    rig = EtcdRig([member], "l7lb/")
    try:
        store = Store(await rig.engine())
        for number in range(50):
            await store.put("k", b"%d" % number)
        old = await (await rig.session()).acquire("user/1", Mode.EX)
        token = old.token
        with guard(home, token):
            pass
        async with store.watch("") as watch, asyncio.timeout(WAIT_S):
            first = await anext(watch)
            assert isinstance(first, Reset)
            assert [item.key for item in first.items] == ["k"]
            member.wipe()
            member.start()
            again = await anext(watch)
            assert isinstance(again, Reset)
            assert again.items == ()
        engine = await rig.engine()
        session = await Session.open(engine, SessionSpec("new", 10))
        rig.sessions.append(session)
        low = await session.acquire("user/1", Mode.EX)
        assert low.token < token
        with pytest.raises(StaleToken, match="epoch must be raised"), guard(home, low.token):
            pass
        await low.release()
        await engine.raise_epoch()
        high = await session.acquire("user/1", Mode.EX)
        assert high.token > token
        with guard(home, high.token):
            pass
        assert highest(home) == high.token
    finally:
        await rig.close()
        member.kill()
