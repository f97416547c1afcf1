"""A new specification while work is under way, drain, and what must not be left behind."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from l7lb.model import AccessLog, ClusterSpec, LogFormat, MatchSpec, PathKind, PathMatch
from l7lb.model_http import FixedReply
from l7lb.pool.cells import RESPONSES
from l7lb.pool.indices import Indices
from support.peers import Origin, Peer, ok, within
from support.rig import (
    Rig,
    cluster,
    descriptors,
    no_more_descriptors_than,
    pool,
    route,
    service,
    to,
)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


def in_a_head(rig: Rig) -> bool:
    """Whether some client has sent a part of its request."""
    return any(driver.session.pending for driver in rig.engine.drivers)


class Steps:
    """An origin that goes on when told: a download, an upload or a tunnel in two halves."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def download(self, peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + bytes(100_000))
        await self.go.wait()
        await peer.send(bytes(100_000))
        await peer.some()

    async def upload(self, peer: Peer) -> None:
        request = await peer.request()
        await peer.send(ok(str(len(request.body)).encode()))
        await peer.some()

    async def tunnel(self, peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        while data := await peer.some():
            await peer.send(data.upper())


def one_pool(*origins: Origin, name: str = "web") -> ClusterSpec:
    return cluster(service(route(name)), pool(name, *(each.port for each in origins)))


def unrelated(spec: ClusterSpec) -> ClusterSpec:
    """The same with a pool more."""
    return replace(spec, pools={**spec.pools, "more": pool("more", 9)})


async def test_what_is_under_way_goes_on() -> None:
    """Through an unrelated change, and through the removal of its own server."""
    steps = Steps()
    async with (
        Origin(steps.download) as down,
        Origin(steps.upload) as up,
        Origin(steps.tunnel) as tunnel,
        Origin(name="new") as new,
    ):
        rules = [route(each, name=each, match=path(each)) for each in ("down", "up", "ws")]
        pools = [pool("down", down.port), pool("up", up.port), pool("ws", tunnel.port)]
        spec = cluster(service(*rules), *pools)
        moved = cluster(service(*rules), *(pool(each.name, new.port) for each in pools))
        async with (
            Rig(spec) as rig,
            await rig.client() as d,
            await rig.client() as u,
            await rig.client() as w,
        ):
            await d.send(b"GET /down HTTP/1.1\r\nHost: a\r\n\r\n")
            await d.head()
            await d.read(100_000)
            await u.send(b"POST /up HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n")
            await u.send(bytes(100_000))
            assert (await w.ask("/ws", "Connection: upgrade", "Upgrade: x")).status == 101
            await w.send(b"one")
            assert await w.read(3) == b"ONE"
            for each in (unrelated(spec), moved, unrelated(moved)):
                rig.apply(each)
            steps.go.set()
            await d.read(100_000)
            await u.send(bytes(100_000))
            assert (await u.answer()).body == b"200000"
            await w.send(b"two")
            assert await w.read(3) == b"TWO"
            assert (await d.ask("/down")).body == b"new"
            assert (await u.ask("/up")).body == b"new"


def path(name: str) -> MatchSpec:
    return MatchSpec(path=PathMatch(PathKind.PREFIX, f"/{name}".encode()))


async def test_idle_connections_of_a_removed_server_are_closed() -> None:
    async with Origin(name="old") as old, Origin(name="new") as new:
        async with Rig(one_pool(old, new)) as rig, await rig.client() as client:
            for _ in range(4):
                await client.ask()
            rig.apply(one_pool(new))
            await rig.until(lambda: old.open == 0)
            for _ in range(4):
                assert (await client.ask()).body == b"new"


async def test_open_clients_ask_the_new_rules() -> None:
    async with Origin() as origin, to(origin) as rig, await rig.client() as client:
        assert (await client.ask()).body == b"ok"
        rig.apply(cluster(service(route(reply=FixedReply(200, (), b"closed")))))
        assert (await client.ask()).body == b"closed"


async def test_clients_of_a_removed_service_are_sent_away() -> None:
    async with Origin() as origin, to(origin) as rig:
        async with await rig.client() as idle, await rig.client() as busy:
            await idle.ask()
            await busy.send(GET[:-2])
            await rig.until(lambda: in_a_head(rig))
            rig.apply(replace(rig.spec, services={}))
            assert await idle.rest() == b""
            async with await rig.client() as late:
                assert await late.rest() == b""
            await rig.until(lambda: len(rig.engine.drivers) <= 1)
            await busy.send(b"\r\n")
            answer = await busy.answer()
            assert (answer.status, answer.get("connection")) == (200, b"close")


async def test_connections_are_counted_right_when_a_service_gets_another_number() -> None:
    async with Origin() as origin, to(origin) as rig:
        async with await rig.client() as client:
            await client.ask()
            spec = rig.spec
            numbers = {("web", "web1"): 0}
            rig.engine.apply(spec, Indices(numbers, {"www": 2}))
            await client.ask()
            assert rig.counters.connections(0) + rig.counters.connections(2) == 1
        await rig.until(lambda: not rig.engine.drivers)
        assert rig.counters.connections(0) == 0
        assert rig.counters.connections(2) == 0


async def test_many_reloads_under_load() -> None:
    async with Origin() as a, Origin() as b:
        spec, other = one_pool(a, b), unrelated(one_pool(b, a))
        async with Rig(spec) as rig:
            done = asyncio.Event()

            async def visit() -> int:
                count = 0
                async with await rig.client() as client:
                    while not done.is_set():
                        assert (await client.ask()).status == 200
                        count += 1
                return count

            visits = [asyncio.create_task(visit()) for _ in range(4)]
            for n in range(60):
                rig.apply(other if n % 2 else spec)
                await rig.ask()
            done.set()
            assert sum(await within(asyncio.gather(*visits))) > 60


async def test_drain_lets_exchanges_end() -> None:
    steps = Steps()
    async with Origin(steps.download) as origin, to(origin) as rig:
        async with await rig.client() as busy, await rig.client() as idle:
            await busy.send(GET)
            await busy.head()
            await rig.until(lambda: len(rig.engine.drivers) == 2)
            drained = asyncio.create_task(rig.engine.drain(10))
            assert await idle.rest() == b""
            with pytest.raises(OSError):
                await rig.client()
            steps.go.set()
            await busy.read(200_000)
            assert await busy.rest() == b""
            assert await within(drained) == 0


async def test_drain_cuts_what_is_left_and_logs_it(tmp_path: object) -> None:
    async def silent(peer: Peer) -> None:
        await peer.rest()

    log = f"{tmp_path}/access.log"
    rules = service(route("web"), access_log=AccessLog(LogFormat.COMBINED, log))
    async with Origin(silent) as origin, Rig(cluster(rules, pool("web", origin.port))) as rig:
        async with await rig.client() as client:
            await client.send(GET)
            await rig.until(lambda: origin.open == 1)
            assert await within(rig.engine.drain(0.05)) == 1
            with pytest.raises(ConnectionError):
                assert await client.rest()
        assert sum(rig.counters.service_cells(0)[RESPONSES : RESPONSES + 6]) == 1
    with open(log) as lines:  # noqa: ASYNC230, PTH123
        assert "GET / HTTP/1.1" in lines.read()


async def test_request_that_comes_while_draining_is_answered() -> None:
    async with Origin() as origin, to(origin) as rig, await rig.client() as client:
        await client.send(GET[:10])
        await rig.until(lambda: in_a_head(rig))
        drained = asyncio.create_task(rig.engine.drain(10))
        await asyncio.sleep(0)
        await client.send(GET[10:])
        answer = await client.answer()
        assert (answer.status, answer.get("connection")) == (200, b"close")
        assert await within(drained) == 0


async def test_nothing_is_left_behind() -> None:
    """Descriptors, after every way of ending at once."""
    steps = Steps()
    async with Origin() as origin, to(origin) as rig:
        await rig.ask()  # a loop opens some of its own when it is used
        before = descriptors()
    async with Origin(steps.download) as origin:
        async with to(origin) as rig:
            clients = [await rig.client() for _ in range(12)]
            for n, client in enumerate(clients):
                await client.send(GET if n % 2 else GET[:7])
            await rig.until(lambda: origin.open == 6)
            clients[1].abort()
            clients[2].abort()
            clients[4].end()
        for client in clients:
            client.writer.close()
    await no_more_descriptors_than(before)


async def test_a_log_that_cannot_be_opened_changes_nothing(tmp_path: Path) -> None:
    async with Origin(name="hi") as origin, Rig(one_pool(origin)) as rig:
        before = dict(rig.engine.pools)
        nowhere = AccessLog(LogFormat.JSON, str(tmp_path / "no" / "access.log"))
        spec = cluster(service(route("other"), access_log=nowhere), pool("other", origin.port))
        with pytest.raises(FileNotFoundError):
            rig.apply(spec)
        assert rig.engine.pools == before
        assert b"hi" in await rig.talk(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
