"""Which server a request gets when servers fail, are full, or had closed an idle connection."""

from __future__ import annotations

import asyncio

import pytest

from l7lb.model import (
    Health,
    KeyKind,
    KeySpec,
    PersistenceKind,
    PersistenceSpec,
    SchedulerKind,
    SchedulerSpec,
    Timeouts,
)
from l7lb.model_failures import OutlierSpec, RetrySpec
from l7lb.pool.cells import CONNECT_FAILURES, CONNECTS
from l7lb.pool.server import ServerUpdate
from support.peers import Origin, Peer, ok, within
from support.rig import Rig, capped, closed_port, cluster, pool, route, service, to

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"
CALM = OutlierSpec(consecutive_errors=0, consecutive_connect_errors=0)
RR = SchedulerSpec(SchedulerKind.RR)


class Gate:
    """An origin that answers when told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def __call__(self, peer: Peer) -> None:
        while True:
            await peer.request()
            await self.open.wait()
            await peer.send(ok())


async def test_refused_connect_goes_to_another_server() -> None:
    async with Origin() as origin:
        web = pool("web", closed_port(), origin.port, scheduler=RR, outlier=CALM)
        async with Rig(cluster(service(route("web")), web)) as rig:
            for request in (GET, POST, GET, POST):
                async with await rig.client() as client:
                    await client.send(request)
                    assert (await client.answer()).status == 200
            assert rig.counters.server_cells(0)[CONNECT_FAILURES] >= 2


async def test_no_server_answers() -> None:
    web = pool("web", closed_port(), closed_port())
    async with Rig(cluster(service(route("web")), web)) as rig, await rig.client() as client:
        for _ in range(3):
            answer = await client.ask()
            assert answer.status in (502, 503)
            assert answer.get("content-length") == str(len(answer.body)).encode()


async def test_every_server_is_down() -> None:

    async with Origin() as origin, to(origin, panic_threshold=0.0) as rig:
        rig.engine.update("web", ServerUpdate("web1", health=Health.DOWN))
        assert (await rig.ask()).status == 503
        rig.engine.update("web", ServerUpdate("web1", health=Health.UP))
        assert (await rig.ask()).status == 200


@pytest.mark.parametrize("request_bytes", [GET, POST])
async def test_idle_connection_that_the_server_closed(request_bytes: bytes) -> None:
    """Never seen by the client, whatever the method: the director notices, or tries again."""

    async def once(peer: Peer) -> None:
        await peer.request()
        await peer.send(ok())

    async with Origin(once) as origin, to(origin) as rig, await rig.client() as client:
        for n in range(1, 20):
            await client.send(request_bytes)
            assert (await client.answer()).status == 200
            assert origin.connections == n


async def test_request_on_a_connection_that_goes_is_tried_again() -> None:
    """The server takes the second request of a connection and closes without a word."""

    async def fickle(peer: Peer) -> None:
        await peer.request()
        await peer.send(ok())
        await peer.head()

    async with Origin(fickle) as origin, to(origin, outlier=CALM) as rig:
        async with await rig.client() as client:
            for _ in range(6):
                assert (await client.ask()).status == 200
            await client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi")
            assert (await client.answer()).status in (200, 502)
        assert 6 <= origin.connections <= 8


async def test_post_is_not_tried_again() -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()

    async with Origin(silent) as first, Origin(silent) as second:
        async with to(first, second) as rig, await rig.client() as client:
            await client.send(POST)
            assert (await client.answer()).status == 502
        assert first.connections + second.connections == 1


async def test_get_is_tried_on_every_server_that_may_be_tried() -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()

    async with Origin(silent) as a, Origin(silent) as b, Origin(silent) as c, Origin(silent) as d:
        retry = RetrySpec(attempts=2)
        async with to(a, b, c, d, retry=retry, outlier=CALM) as rig:
            assert (await rig.ask()).status == 502
        assert sorted(each.connections for each in (a, b, c, d)) == [0, 1, 1, 1]


async def test_retries_have_a_budget() -> None:
    async def silent(peer: Peer) -> None:
        await peer.request()

    async with Origin(silent) as a, Origin(silent) as b:
        retry = RetrySpec(attempts=1, budget=0.0, minimum=3)
        async with to(a, b, retry=retry, outlier=CALM) as rig, await rig.client() as client:
            for _ in range(10):
                assert (await client.ask()).status == 502
        assert a.connections + b.connections == 13


async def test_request_waits_for_a_place() -> None:
    gate = Gate()
    async with Origin(gate) as origin:
        async with Rig(cluster(service(route("web")), capped(origin.port))) as rig:
            clients = [await rig.client() for _ in range(4)]
            for client in clients:
                await client.send(GET)
            await rig.until(lambda: rig.engine.pools["web"].line.length == 3)
            gate.open.set()
            for client in clients:
                assert (await client.answer()).status == 200
                await client.close()
            assert origin.connections == 1


async def test_waiting_has_a_deadline() -> None:
    """One deadline, not one for each retry."""
    gate = Gate()
    async with Origin(gate) as origin:
        web = capped(origin.port, queue_timeout_s=0.2, retry=RetrySpec(1_000_000, 1.0, 1_000_000))
        async with Rig(cluster(service(route("web")), web)) as rig:
            async with await rig.client() as first, await rig.client() as second:
                await first.send(GET)
                await rig.until(lambda: origin.open == 1)
                assert (await second.ask()).status == 503
                assert rig.engine.pools["web"].line.length == 0
                gate.open.set()
                assert (await first.answer()).status == 200
                assert (await second.ask()).status == 200


async def test_line_is_bounded() -> None:
    gate = Gate()
    async with Origin(gate) as origin:
        async with Rig(cluster(service(route("web")), capped(origin.port, max_queue=1))) as rig:
            async with await rig.client() as first, await rig.client() as second:
                await first.send(GET)
                await rig.until(lambda: origin.open == 1)
                await second.send(GET)
                await rig.until(lambda: rig.engine.pools["web"].line.length == 1)
                assert (await rig.ask()).status == 503
                gate.open.set()
                assert (await first.answer()).status == 200
                assert (await second.answer()).status == 200


async def test_who_leaves_the_line_leaves_no_trace() -> None:
    gate = Gate()
    async with Origin(gate) as origin:
        async with Rig(cluster(service(route("web")), capped(origin.port))) as rig:
            async with await rig.client() as first:
                await first.send(GET)
                await rig.until(lambda: origin.open == 1)
                second = await rig.client()
                await second.send(GET)
                await rig.until(lambda: rig.engine.pools["web"].line.length == 1)
                second.abort()
                await rig.until(lambda: rig.engine.pools["web"].line.length == 0)
                gate.open.set()
                assert (await first.answer()).status == 200


async def test_idle_connections_are_bounded_and_grow_old() -> None:
    gate = Gate()
    async with Origin(gate) as origin:
        spec = cluster(
            service(route("web"), timeouts=Timeouts(server_idle_s=0.3)),
            pool("web", origin.port, max_idle=2),
        )
        async with Rig(spec) as rig:
            clients = [await rig.client() for _ in range(5)]
            for client in clients:
                await client.send(GET)
            await rig.until(lambda: origin.open == 5)
            gate.open.set()
            for client in clients:
                assert (await client.answer()).status == 200
                await client.close()
            await rig.until(lambda: origin.open == 2)
            await rig.until(lambda: origin.open == 0)


async def test_connections_are_not_kept_where_that_is_not_wanted() -> None:
    async with Origin() as origin, to(origin, reuse=False) as rig, await rig.client() as client:
        for _ in range(3):
            await client.ask()
        assert origin.connections == 3
        assert rig.counters.server_cells(0)[CONNECTS] == 3


async def test_cookie_brings_the_client_back() -> None:
    persistence = PersistenceSpec(PersistenceKind.COOKIE, b"L7LB")
    async with Origin(name="a") as a, Origin(name="b") as b:
        async with to(a, b, scheduler=RR, persistence=persistence) as rig:
            first = await rig.ask()
            cookie = (first.get("set-cookie") or b"").decode()
            assert cookie.startswith("L7LB=")
            assert "HttpOnly" in cookie
            assert "127.0.0.1" not in cookie
            for _ in range(4):
                again = await rig.ask("/", f"Cookie: x=1; {cookie.split(';')[0]}")
                assert again.body == first.body
                assert again.all("set-cookie") == []
            bodies = {(await rig.ask("/", "Cookie: L7LB=forged")).body for _ in range(4)}
            assert bodies == {b"a", b"b"}


async def test_applications_cookie_is_learned() -> None:
    persistence = PersistenceSpec(PersistenceKind.LEARNED, b"sid", timeout_s=60.0)
    async with Origin(name="a") as a, Origin(name="b") as b:
        a.extra, b.extra = ("Set-Cookie: sid=one; Path=/",), ("Set-Cookie: sid=two; Path=/",)
        async with to(a, b, scheduler=RR, persistence=persistence) as rig:
            assert {(await rig.ask()).body for _ in range(4)} == {b"a", b"b"}
            for _ in range(4):
                assert (await rig.ask("/", "Cookie: sid=one")).body == b"a"
                assert (await rig.ask("/", "Cookie: sid=two")).body == b"b"


async def test_hash_of_the_path() -> None:
    scheduler = SchedulerSpec(SchedulerKind.HASH, KeySpec(KeyKind.PATH))
    async with Origin(name="a") as a, Origin(name="b") as b:
        async with to(a, b, scheduler=scheduler) as rig, await rig.client() as client:
            chosen = {n: (await client.ask(f"/{n}")).body for n in range(12)}
            assert set(chosen.values()) == {b"a", b"b"}
            for n, body in chosen.items():
                assert (await client.ask(f"/{n}")).body == body


async def test_weighted_split() -> None:
    async with Origin(name="a") as a, Origin(name="b") as b:
        split = route(None)
        split = type(split)(split.name, split.place, pools=(("a", 3), ("b", 1)))
        spec = cluster(service(split), pool("a", a.port), pool("b", b.port))
        async with Rig(spec) as rig, await rig.client() as client:
            bodies = [(await client.ask()).body for _ in range(200)]
            assert 100 < bodies.count(b"a") < 190


async def test_slots_are_given_back_under_load() -> None:
    """Clients that go at any time; the rig checks the counters at its end."""
    gate = Gate()
    gate.open.set()
    async with Origin(gate) as origin:
        async with Rig(cluster(service(route("web")), capped(origin.port, limit=3))) as rig:

            async def visit(n: int) -> None:
                client = await rig.client()
                await client.send(GET)
                if n % 3 == 0:
                    client.abort()
                else:
                    assert (await client.answer()).status == 200
                    await client.close()

            await within(asyncio.gather(*(visit(n) for n in range(90))))
            await rig.until(lambda: not rig.engine.drivers)
            assert rig.engine.pools["web"].line.length == 0
