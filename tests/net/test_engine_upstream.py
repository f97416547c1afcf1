"""The way to servers: PROXY header, TLS with verification, deadlines of the handshake."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest
import trustme

from l7lb.model import Address, ListenSpec, ListenTls, ServerTls, Timeouts
from l7lb.model_failures import OutlierSpec
from l7lb.pool.cells import CONNECT_FAILURES
from l7lb_protocols import proxy_protocol
from support.peers import Origin, Peer, ok, within
from support.rig import Rig, cluster, pool, route, service, to
from support.tls_peers import Authority

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CALM = OutlierSpec(consecutive_errors=0, consecutive_connect_errors=0)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(trustme.CA(), tmp_path_factory.mktemp("certificates"))


def server_context(authority: Authority, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.issue(name).chain)
    return context


@pytest.mark.parametrize("version", [1, 2])
async def test_proxy_header_is_sent_once_for_each_connection(version: int) -> None:
    seen: list[tuple[str, int] | None] = []

    async def serve(peer: Peer) -> None:
        data = b""
        while (found := proxy_protocol.parse(data)) is None:
            data += await peer.read(1)
        seen.append(found[0].source)
        await peer.request()
        await peer.send(ok())
        await peer.request()

    async with Origin(serve) as origin, to(origin, send_proxy=version) as rig:
        async with await rig.client() as client:
            for _ in range(2):
                assert (await client.ask()).status == 200
            assert seen == [("127.0.0.1", client.port)] * 2


async def test_tls_to_servers(authority: Authority) -> None:
    tls = ServerTls(ca=authority.file, server_name="web.example")
    async with Origin(tls=server_context(authority, "web.example")) as origin:
        async with to(origin, tls=tls) as rig, await rig.client() as client:
            for _ in range(3):
                assert (await client.ask()).body == b"ok"
            body = bytes(300_000)
            await client.send(
                b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )
            assert (await client.answer()).status == 200
        assert origin.requests[-1].body == body
        assert origin.connections == 1


async def test_server_with_another_name_is_not_trusted(authority: Authority) -> None:
    tls = ServerTls(ca=authority.file, server_name="other.example")
    async with Origin(tls=server_context(authority, "web.example")) as origin:
        async with to(origin, tls=tls, outlier=CALM) as rig:
            assert (await rig.ask()).status == 502
            assert rig.counters.server_cells(0)[CONNECT_FAILURES] >= 1
        assert origin.requests == []


async def test_server_of_another_authority_is_not_trusted(authority: Authority) -> None:
    tls = ServerTls(server_name="web.example")
    async with Origin(tls=server_context(authority, "web.example")) as origin:
        async with to(origin, tls=tls, outlier=CALM) as rig:
            assert (await rig.ask()).status == 502
        assert origin.requests == []


async def test_verification_may_be_off(authority: Authority) -> None:
    tls = ServerTls(verify=False)
    async with Origin(tls=server_context(authority, "web.example")) as origin:
        async with to(origin, tls=tls) as rig:
            assert (await rig.ask()).status == 200


async def test_authority_file_that_goes(authority: Authority, tmp_path: Path) -> None:
    """Read before the engine starts, so that a file that cannot be read changes nothing."""
    tls = ServerTls(ca=str(tmp_path / "none.pem"), server_name="web.example")
    async with Origin() as origin, to(origin) as rig:
        with pytest.raises(ValueError, match=r"none\.pem"):
            rig.apply(to(origin, tls=tls).spec)
        assert (await rig.ask()).status == 200


async def test_server_that_does_not_speak_tls() -> None:
    async def plain(peer: Peer) -> None:
        await peer.some()
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with Origin(plain) as origin:
        async with to(origin, tls=ServerTls(verify=False), outlier=CALM) as rig:
            assert (await rig.ask()).status == 502


async def test_handshake_that_hangs() -> None:
    """The connect deadline covers it; another server is tried; nothing is left behind."""

    async def silent(peer: Peer) -> None:
        await peer.rest()

    async with Origin(silent) as origin:
        web = pool("web", origin.port, tls=ServerTls(verify=False), outlier=CALM)
        spec = cluster(service(route("web"), timeouts=Timeouts(connect_s=0.1)), web)
        async with Rig(spec) as rig:
            assert (await rig.ask()).status == 504
            await rig.until(lambda: origin.open == 0)


async def test_client_that_goes_during_the_handshake() -> None:
    async def silent(peer: Peer) -> None:
        await peer.rest()

    async with Origin(silent) as origin:
        async with to(origin, tls=ServerTls(verify=False)) as rig:
            client = await rig.client()
            await client.send(GET)
            await rig.until(lambda: origin.open == 1)
            client.abort()
            await rig.until(lambda: origin.open == 0)
            await rig.until(lambda: not rig.engine.drivers)


async def test_server_that_closes_during_the_handshake() -> None:
    async def rude(peer: Peer) -> None:
        await peer.some()

    async with Origin(rude) as origin, to(origin, tls=ServerTls(verify=False)) as rig:
        assert (await rig.ask()).status in (502, 503)


async def test_tls_answer_cut_short_is_not_taken_for_whole(authority: Authority) -> None:
    """Without close_notify an answer that ends with the connection may be cut (RFC 9112 §9.8)."""

    async def serve(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")
        await half.wait()
        peer.abort()

    half = asyncio.Event()
    async with Origin(serve, tls=server_context(authority, "web.example")) as origin:
        async with to(origin, tls=ServerTls(verify=False)) as rig, await rig.client() as client:
            await client.send(GET)
            await client.head()
            assert await client.read(4) == b"half"
            half.set()
            with pytest.raises(ConnectionError):
                await client.rest()


async def test_many_requests_over_tls_on_both_sides(authority: Authority) -> None:
    listen = ListenSpec(Address("127.0.0.1", 0), ListenTls((authority.issue("a.example"),)))
    tls = ServerTls(ca=authority.file, server_name="web.example")

    async def echo(peer: Peer) -> None:
        while True:
            await peer.send(ok((await peer.request()).body))

    async with Origin(echo, tls=server_context(authority, "web.example")) as origin:
        web = pool("web", origin.port, tls=tls)
        async with Rig(cluster(service(route("web"), listen=(listen,)), web)) as rig:

            async def visit(n: int) -> None:
                name = "a.example"
                async with await rig.client(ssl=authority.client(), server_hostname=name) as client:
                    for size in (0, 1, 16_384, 100_000 + n):
                        body = bytes([n]) * size
                        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % size
                        await client.send(head + body)
                        assert (await client.answer()).body == body

            await within(asyncio.gather(*(visit(n) for n in range(8))))
