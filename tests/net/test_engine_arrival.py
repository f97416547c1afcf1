"""Ways in: limits at the door, PROXY headers, TLS with its names, passthrough by SNI."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from l7lb.model import (
    Address,
    ListenSpec,
    ListenTls,
    MatchSpec,
    PersistenceKind,
    PersistenceSpec,
    Timeouts,
)
from l7lb.model_http import FixedReply, HttpOptions
from l7lb.pool.cells import CONNECTS, REFUSED
from l7lb_protocols.proxy_protocol import build_binary, build_text
from support.peers import Origin, Peer, within
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
from support.tls_peers import Authority

HERE = Address("127.0.0.1", 0)
CLIENT_V4 = ("192.0.2.7", 4711)
CLIENT_V6 = ("2001:db8::7", 4711)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(trustme.CA(), tmp_path_factory.mktemp("certificates"))


def listening(origin: Origin, *listens: ListenSpec, **more: object) -> Rig:
    return Rig(cluster(service(route("web"), listen=listens, **more), pool("web", origin.port)))


def refused(rig: Rig) -> int:
    return rig.counters.service_cells(0)[REFUSED]


# ---------------------------------------------------------------------- at the door


async def test_no_more_clients_than_allowed() -> None:
    async with Origin() as origin, listening(origin, ListenSpec(HERE), max_connections=2) as rig:
        first, second, third = [await rig.client() for _ in range(3)]
        assert (await first.ask()).status == 200
        assert (await second.ask()).status == 200
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await third.ask()
        assert refused(rig) == 1
        await first.close()
        await rig.until(lambda: rig.counters.connections(0) == 1)
        assert (await rig.ask()).status == 200
        await second.close()
        await third.close()


async def test_no_more_connections_of_one_client_than_allowed() -> None:
    async with Origin() as origin, listening(origin, ListenSpec(HERE), max_per_source=1) as rig:
        first = await rig.client()
        assert (await first.ask()).status == 200
        async with await rig.client() as second:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await second.ask()
        async with await rig.client(local_addr=("127.0.0.2", 0)) as other:
            assert (await other.ask()).status == 200
        await first.close()
        await rig.until(lambda: not rig.engine.drivers)
        assert (await rig.ask()).status == 200


async def test_fault_at_the_door_costs_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    async with Origin() as origin, to(origin) as rig:
        before = descriptors()
        with monkeypatch.context() as patched:
            patched.setattr("l7lb.net.listener.Arrival.begin", fault)
            for _ in range(5):
                async with await rig.client() as client:
                    assert await client.rest() == b""
        await no_more_descriptors_than(before)
        assert (await rig.ask()).status == 200


# ---------------------------------------------------------------------- PROXY protocol


@pytest.mark.parametrize("build", [build_text, build_binary])
@pytest.mark.parametrize("source", [CLIENT_V4, CLIENT_V6])
async def test_proxy_header_names_the_client(build: object, source: tuple[str, int]) -> None:
    listen = ListenSpec(HERE, proxy_from=("127.0.0.0/8",))
    target = ("192.0.2.1", 80) if "." in source[0] else ("2001:db8::1", 80)
    async with Origin() as origin, listening(origin, listen) as rig:
        async with await rig.client() as client:
            header = build(source, target)  # type: ignore[operator]
            for byte in header:
                await client.send(bytes([byte]))
            assert (await client.ask()).status == 200
        assert origin.requests[0].get("x-forwarded-for") == source[0].encode()
        assert rig.counters.service_cells(0)[CONNECTS] == 1


async def test_proxy_header_and_request_in_one() -> None:
    listen = ListenSpec(HERE, proxy_from=("127.0.0.1/32",))
    async with Origin() as origin, listening(origin, listen) as rig:
        header = build_text(CLIENT_V4, ("192.0.2.1", 80))
        request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        assert (await rig.talk(header + request)).startswith(b"HTTP/1.1 200 OK")


async def test_proxy_header_of_strangers_is_a_bad_request() -> None:
    listen = ListenSpec(HERE, proxy_from=("198.51.100.0/24",))
    async with Origin() as origin, listening(origin, listen) as rig:
        answer = await rig.talk(build_text(CLIENT_V4, ("192.0.2.1", 80)))
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert (await rig.ask()).status == 200


async def test_missing_proxy_header() -> None:
    listen = ListenSpec(HERE, proxy_from=("127.0.0.1/32",))
    async with Origin() as origin, listening(origin, listen) as rig:
        async with await rig.client() as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await client.answer()
        assert refused(rig) == 1
        assert origin.connections == 0


async def test_clients_behind_a_proxy_are_counted_each() -> None:
    listen = ListenSpec(HERE, proxy_from=("127.0.0.1/32",))
    async with Origin() as origin, listening(origin, listen, max_per_source=1) as rig:
        clients = []
        for n in range(3):
            client = await rig.client()
            await client.send(build_text((f"192.0.2.{n}", 1), ("192.0.2.100", 80)))
            assert (await client.ask()).status == 200
            clients.append(client)
        async with await rig.client() as again:
            await again.send(build_text(("192.0.2.0", 1), ("192.0.2.100", 80)))
            assert await again.rest() == b""
        for client in clients:
            await client.close()


# ---------------------------------------------------------------------- TLS


async def test_certificate_by_name(authority: Authority) -> None:
    tls = ListenTls((authority.issue("a.example"), authority.issue("b.example")))
    rules = (
        route(name="b", match=MatchSpec(sni=(b"b.example",)), reply=FixedReply(200, (), b"b")),
        route("web", name="web"),
    )
    async with Origin() as origin:
        listen = (ListenSpec(HERE, tls),)
        spec = cluster(service(*rules, listen=listen), pool("web", origin.port))
        async with Rig(spec) as rig:
            for name, body in (("a.example", b"ok"), ("b.example", b"b")):
                async with await rig.client(ssl=authority.client(), server_hostname=name) as client:
                    assert (await client.ask()).body == body
                    assert (await client.ask()).body == body
        assert origin.requests[0].get("x-forwarded-proto") == b"https"
        assert b"proto=https" in (origin.requests[0].get("forwarded") or b"")


async def test_cookie_over_tls_is_secure(authority: Authority) -> None:
    listen = (ListenSpec(HERE, ListenTls((authority.issue("a.example"),))),)
    persistence = PersistenceSpec(PersistenceKind.COOKIE, b"L7LB")
    async with Origin() as origin:
        web = pool("web", origin.port, persistence=persistence)
        async with Rig(cluster(service(route("web"), listen=listen), web)) as rig:
            name = "a.example"
            async with await rig.client(ssl=authority.client(), server_hostname=name) as client:
                assert b"; Secure" in ((await client.ask()).get("set-cookie") or b"")


async def test_verified_name_is_a_fact_and_a_field(authority: Authority, tmp_path: Path) -> None:
    tls = ListenTls((authority.issue("a.example"),), authority.file, client_required=False)
    rules = (
        route("web", name="in", match=MatchSpec(tls_names=(b"alice*",))),
        route(name="out", reply=FixedReply(403, (), b"who?")),
    )
    mine = authority.issue("alice@example.org", file="alice")
    known = authority.client()
    known.load_cert_chain(mine.chain)
    async with Origin() as origin:
        options = HttpOptions(client_name_header=b"x-client-name")
        listen = (ListenSpec(HERE, tls),)
        spec = cluster(service(*rules, listen=listen, http=options), pool("web", origin.port))
        async with Rig(spec) as rig:
            async with await rig.client(ssl=known, server_hostname="a.example") as client:
                assert (await client.ask("/", "X-Client-Name: root")).status == 200
            unknown = authority.client()
            async with await rig.client(ssl=unknown, server_hostname="a.example") as client:
                assert (await client.ask("/", "X-Client-Name: alice@example.org")).status == 403
        assert len(origin.requests) == 1
        name = origin.requests[0].get("x-client-name") or b""
        assert name.startswith(b"alice@")


async def test_certificate_of_the_client_is_demanded(authority: Authority) -> None:
    tls = ListenTls((authority.issue("a.example"),), authority.file)
    async with Origin() as origin, listening(origin, ListenSpec(HERE, tls)) as rig:
        with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
            async with await rig.client(
                ssl=authority.client(), server_hostname="a.example"
            ) as client:
                await client.ask()
        await rig.until(lambda: not rig.engine.drivers)
        assert origin.connections == 0


async def test_handshake_has_a_deadline(authority: Authority) -> None:
    listen = ListenSpec(HERE, ListenTls((authority.issue("a.example"),)))
    timing = Timeouts(tls_handshake_s=0.05)
    async with Origin() as origin, listening(origin, listen, timeouts=timing) as rig:
        async with await rig.client() as client:
            await client.send(b"\x16\x03\x01")
            assert await client.rest() == b""
        assert refused(rig) == 1
        assert rig.counters.connections(0) == 0


async def test_plain_text_to_a_tls_port(authority: Authority) -> None:
    listen = ListenSpec(HERE, ListenTls((authority.issue("a.example"),)))
    async with Origin() as origin, listening(origin, listen) as rig:
        async with await rig.client() as client:
            await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert not (await client.rest()).startswith(b"HTTP")


async def test_proxy_header_before_tls(authority: Authority) -> None:
    listen = ListenSpec(
        HERE, ListenTls((authority.issue("a.example"),)), proxy_from=("127.0.0.1/32",)
    )
    async with Origin() as origin, listening(origin, listen) as rig:

        def talk() -> bytes:
            with socket.create_connection(("127.0.0.1", rig.port), timeout=10) as plain:
                plain.sendall(build_binary(CLIENT_V6, ("2001:db8::1", 443)))
                context = authority.client()
                with context.wrap_socket(plain, server_hostname="a.example") as sock:
                    sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                    return sock.recv(100)

        assert (await within(asyncio.to_thread(talk))).startswith(b"HTTP/1.1 200 OK")
        assert origin.requests[0].get("x-forwarded-for") == b"2001:db8::7"
        assert origin.requests[0].get("forwarded") == (b'for="[2001:db8::7]";proto=https;host="a"')
        assert rig.counters.service_cells(0)[CONNECTS] == 1


# ---------------------------------------------------------------------- passthrough


async def test_passthrough_by_name(authority: Authority, tmp_path: Path) -> None:
    """The servers hold the certificates; the director never sees a key."""

    def context(name: str) -> ssl.SSLContext:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(authority.issue(name).chain)
        return made

    one, two = context("one.example"), context("two.example")
    async with Origin(name="one", tls=one) as a, Origin(name="two", tls=two) as b:
        rules = (
            route("one", name="one", match=MatchSpec(sni=(b"one.example",))),
            route("two", name="two", match=MatchSpec(sni=(b"two.example",))),
        )
        listen = (ListenSpec(HERE, passthrough=True),)
        spec = cluster(service(*rules, listen=listen), pool("one", a.port), pool("two", b.port))
        async with Rig(spec) as rig:
            for name, body in (("one.example", b"one"), ("two.example", b"two")):
                async with await rig.client(ssl=authority.client(), server_hostname=name) as client:
                    assert (await client.ask()).body == body
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await rig.client(ssl=authority.client(), server_hostname="none.example")
            await rig.until(lambda: not rig.engine.drivers)


async def test_passthrough_to_a_server_that_refuses() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    listen = (ListenSpec(HERE, passthrough=True),)
    spec = cluster(service(route("web"), listen=listen), pool("web", port))
    async with Rig(spec) as rig:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await rig.client(ssl=ssl.create_default_context(), server_hostname="a.example")
        await rig.until(lambda: not rig.engine.drivers)


async def test_client_that_leaves_a_passthrough_early() -> None:
    async def silent(peer: Peer) -> None:
        await peer.rest()

    async with Origin(silent) as origin:
        async with listening(origin, ListenSpec(HERE, passthrough=True)) as rig:
            async with await rig.client() as client:
                await client.send(b"\x16\x03\x01\x02\x00")
            await rig.until(lambda: refused(rig) == 1)
            assert rig.counters.connections(0) == 0
