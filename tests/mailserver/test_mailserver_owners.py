"""Who owns an account, on the memory engine: taking, sharing, handing over, losing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from l7lb.errors import MailboxAway
from l7lb.mailserver.owners import Hold, Owners, OwnersSpec
from l7lb.mailserver.work import Work
from l7lb_storage import MemoryEngine, Mode, Node, NotGranted, SessionSpec, World, guard

WAIT_S = 30.0
USER = "anna@example.org"


class Guest:
    def __init__(self, owners: Owners) -> None:
        self.owners = owners
        self.hold: Hold | None = None
        self.reason = asyncio.get_running_loop().create_future()
        self.is_polite = True
        self.aborted = asyncio.Event()

    async def enter(self) -> Hold:
        self.hold = await self.owners.enter(USER, self)
        return self.hold

    def evict(self, reason: str) -> None:
        if not self.reason.done():
            self.reason.set_result(reason)
        if self.is_polite:
            self.leave()

    def abort(self) -> None:
        self.aborted.set()
        self.leave()

    def leave(self) -> None:
        assert self.hold is not None
        self.owners.leave(self.hold, self)


class Cluster:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.world = World()
        self.work = Work()

    @asynccontextmanager
    async def node(self, name: str) -> AsyncIterator[Node]:
        engine = MemoryEngine(self.world)
        await engine.open()
        try:
            async with Node(engine, SessionSpec(name, 60.0)) as node:
                await node.ready(WAIT_S)
                yield node
        finally:
            await engine.close()

    @asynccontextmanager
    async def owners(
        self, name: str, *, grace_s: float = WAIT_S, idle_s: float = 900.0
    ) -> AsyncIterator[Owners]:
        spec = OwnersSpec(self.root, grace_s=grace_s, idle_s=idle_s)
        async with self.node(name) as node, Owners(node, self.work, spec) as owners:
            yield owners


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


async def test_sessions_of_one_server_share_the_account(cluster: Cluster) -> None:
    async with cluster.owners("a") as a:
        guests = [Guest(a) for _ in range(5)]
        holds = await asyncio.gather(*(guest.enter() for guest in guests))
        assert len(set(holds)) == 1
        assert a.accounts == [USER]
        for guest in guests:
            guest.leave()
        assert (await Guest(a).enter()) is holds[0]


async def test_another_server_asks_and_gets_it(cluster: Cluster) -> None:
    async with cluster.owners("a") as a, cluster.owners("b") as b:
        guest = Guest(a)
        old = await guest.enter()
        await old.change(lambda: None)
        new = await Guest(b).enter()
        assert "another server" in await guest.reason
        assert a.accounts == []
        assert b.accounts == [USER]
        await new.change(lambda: None)
        with pytest.raises(MailboxAway):
            await old.change(lambda: pytest.fail("a stale owner wrote"))


async def test_who_does_not_go_is_cut(cluster: Cluster) -> None:
    async with cluster.owners("a", grace_s=0.05) as a, cluster.owners("b") as b:
        guest = Guest(a)
        guest.is_polite = False
        await guest.enter()
        await Guest(b).enter()
        assert guest.aborted.is_set()


async def test_what_has_begun_is_finished_before_the_hand_over(cluster: Cluster) -> None:
    import threading

    begun, go_on = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def slow() -> str:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(WAIT_S)
        return "done"

    async with cluster.owners("a") as a, cluster.owners("b") as b:
        guest = Guest(a)
        hold = await guest.enter()
        change = asyncio.create_task(hold.change(slow))
        await begun.wait()
        entering = asyncio.create_task(Guest(b).enter())
        await guest.reason
        assert not entering.done()
        go_on.set()
        assert await change == "done"
        await entering


async def test_a_newer_token_refuses_the_old_one(cluster: Cluster) -> None:
    async with cluster.owners("a") as a:
        guest = Guest(a)
        hold = await guest.enter()
        with guard(hold.home.path, hold.lock.token + 1):
            pass
        with pytest.raises(MailboxAway, match="newer owner"):
            await hold.change(lambda: pytest.fail("a stale owner wrote"))
        assert "may not serve" in await guest.reason
        async with asyncio.timeout(WAIT_S):
            await hold.released.wait()


async def test_the_storages_errors_are_told(cluster: Cluster) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    async with cluster.owners("a") as a:
        hold = await Guest(a).enter()
        with pytest.raises(MailboxAway, match="No space left"):
            await hold.change(fail)
        assert await hold.read(lambda: 1) == 1


async def test_a_lost_lease_ends_sessions(cluster: Cluster) -> None:
    async with cluster.owners("a") as a:
        guest = Guest(a)
        hold = await guest.enter()
        session = hold.lock.session
        await session.engine.close_lease(hold.lock.claim.lease)  # type: ignore[attr-defined]
        session._lose()  # type: ignore[attr-defined]  # as its heart does when the time is over
        assert "may not serve" in await guest.reason
        assert a.accounts == []
        with pytest.raises(MailboxAway):
            await hold.change(lambda: pytest.fail("written without a lease"))
        assert (await Guest(a).enter()).lock.token > 0


async def test_an_unused_account_is_given_back(cluster: Cluster) -> None:
    async with cluster.owners("a", idle_s=0.2) as a:
        guest = Guest(a)
        hold = await guest.enter()
        guest.leave()
        async with asyncio.timeout(WAIT_S):
            await hold.released.wait()
        assert a.accounts == []
        assert not guest.reason.done()


async def test_all_is_given_back_at_the_end(cluster: Cluster) -> None:
    async with cluster.owners("b") as b:
        async with cluster.owners("a") as a:
            guest = Guest(a)
            await guest.enter()
        assert "going down" in await guest.reason
        await Guest(b).enter()


async def test_nobody_waits_for_ever(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l7lb.mailserver.owners.ACQUIRE_S", 0.05)
    async with cluster.node("x") as node, cluster.owners("a", grace_s=0.05) as a:
        await node.session.acquire(f"user/{USER}", Mode.EX)
        with pytest.raises(MailboxAway):
            await Guest(a).enter()
        assert a.accounts == []


async def test_a_maildrop_is_for_one(cluster: Cluster) -> None:
    async with cluster.owners("a") as a, cluster.owners("b") as b:
        lock = await a.take_maildrop(USER)
        for owners in (a, b):
            with pytest.raises(NotGranted):
                await owners.take_maildrop(USER)
        await lock.release()
        await b.take_maildrop(USER)
