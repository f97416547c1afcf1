"""Copies of requests: with their bodies, without any harm to the real ones."""

from __future__ import annotations

import asyncio

from l7lb.model import RouteSpec
from l7lb.model_http import HttpLimits, HttpOptions
from l7lb.net.mirror import MAX_COPIES
from support.peers import Origin, Peer
from support.rig import Rig, closed_port, cluster, pool, route, service


def mirrored(origin: Origin, port: int, **more: object) -> Rig:
    rule: RouteSpec = route("web", mirror="copy")
    return Rig(cluster(service(rule, **more), pool("web", origin.port), pool("copy", port)))


async def test_copy_has_head_and_body() -> None:
    async with Origin() as origin, Origin() as copy, mirrored(origin, copy.port) as rig:
        async with await rig.client() as client:
            await client.ask("/plain")
            await client.send(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
            await rig.until(lambda: origin.open == 1)
            await client.send(b"he")
            await client.send(b"llo")
            assert (await client.answer()).body == b"ok"
            await client.send(
                b"POST /chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
            )
            await client.send(b"2\r\nhi\r\n0\r\n\r\n")
            assert (await client.answer()).body == b"ok"
        await rig.until(lambda: len(copy.requests) == 3)
        assert [each.body for each in copy.requests] == [b"", b"hello", b"hi"]
        assert [each.body for each in origin.requests] == [b"", b"hello", b"hi"]
        assert {each.get("connection") for each in copy.requests} == {b"close"}
        await rig.until(lambda: not rig.engine.pools["copy"].servers[0].sessions)


async def test_large_bodies_are_not_copied() -> None:
    options = HttpOptions(HttpLimits(pipeline_bytes=1000))
    async with Origin() as origin, Origin() as copy:
        async with mirrored(origin, copy.port, http=options) as rig, await rig.client() as client:
            head = b"POST / HTTP/1.1\r\nHost: a\r\n"
            await client.send(head + b"Content-Length: 5000\r\n\r\n" + bytes(5000))
            await client.answer()
            await client.send(head + b"Transfer-Encoding: chunked\r\n\r\n7d0\r\n" + bytes(2000))
            await client.send(b"\r\n0\r\n\r\n")
            await client.answer()
            await client.ask("/small")
            await rig.until(lambda: copy.requests)
        assert [each.target for each in copy.requests] == [b"/small"]
        assert [len(each.body) for each in origin.requests] == [5000, 2000, 0]


async def test_mirror_that_is_gone_or_silent_harms_nobody() -> None:
    async def silent(peer: Peer) -> None:
        await peer.rest()

    async with Origin() as origin, Origin(silent) as copy:
        for port in (closed_port(), copy.port):
            async with mirrored(origin, port) as rig, await rig.client() as client:
                for _ in range(20):
                    assert (await client.ask()).body == b"ok"


async def test_copies_under_way_are_bounded() -> None:
    async def silent(peer: Peer) -> None:
        await peer.rest()

    async with Origin() as origin, Origin(silent) as copy:
        async with mirrored(origin, copy.port) as rig, await rig.client() as client:
            for _ in range(MAX_COPIES + 20):
                await client.ask()
            assert rig.engine.pools["copy"].servers[0].sessions == MAX_COPIES
        await asyncio.sleep(0)
