"""RTSPS on both sides, and RTSP over HTTP."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from l7lb.model import (
    Address,
    Certificate,
    ListenSpec,
    ListenTls,
    SchedulerKind,
    SchedulerSpec,
    ServerTls,
)
from support.peers import within
from support.rtsp_rig import ScriptedServer, to

TUNNEL = (
    b"%s /film HTTP/1.0\r\nHost: h\r\nx-sessioncookie: %s\r\n"
    b"Accept: application/x-rtsp-tunnelled\r\n\r\n"
)


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


async def test_tls_on_both_sides(tmp_path: Path, authority: trustme.CA) -> None:
    pem, ca = tmp_path / "h.pem", tmp_path / "ca.pem"
    issued = authority.issue_cert("h.example")
    issued.private_key_and_cert_chain_pem.write_to_path(str(pem))
    authority.cert_pem.write_to_path(str(ca))
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issued.configure_cert(server_side)
    client_side = ssl.create_default_context()
    authority.configure_trust(client_side)
    tls = ListenTls((Certificate(str(pem)),), alpn=())
    async with ScriptedServer(tls=server_side) as server:
        rig = to(server, tls=ServerTls(ca=str(ca), server_name="h.example"))
        listen = ListenSpec(Address("127.0.0.1", 0), tls=tls)
        service = rig.spec.services["www"]
        object.__setattr__(service, "listen", (listen,))
        async with rig:
            client = await rig.client(ssl=client_side, server_hostname="h.example")
            async with client:
                session = await client.set_up(target="rtsps://h.example/film")
                said = await client.ask("PLAY", "rtsps://h.example/film", f"Session: {session}")
                assert said.status == 200
                server.send(b"$\0\0\4abcd")
                assert await client.media(8) == b"$\0\0\4abcd"


async def test_both_halves_of_a_tunnel_meet() -> None:
    async with ScriptedServer("a") as one, ScriptedServer("b") as two:
        heard: dict[bytes, list[str]] = {}
        async with to(one, two, scheduler=SchedulerSpec(SchedulerKind.RR)) as rig:
            for server in (one, two):
                server._heard = lambda *_: None  # the script reads no HTTP
            for number in range(8):
                cookie = b"cookie%d" % number
                for method in (b"GET", b"POST"):
                    before = (one.connections, two.connections)
                    async with await rig.client() as client:
                        client.send(TUNNEL % (method, cookie))
                        await rig.until(
                            lambda before=before: (one.connections, two.connections) != before
                        )
                        name = "a" if one.connections != before[0] else "b"
                        heard.setdefault(cookie, []).append(name)
                    await rig.until(lambda: not rig.engine.drivers)
            assert all(names[0] == names[1] for names in heard.values())
            assert {names[0] for names in heard.values()} == {"a", "b"}


async def test_a_tunnel_passes_bytes_both_ways() -> None:
    async with EchoServer() as server, to(server) as rig:
        async with await rig.client() as client:
            head = TUNNEL % (b"GET", b"abc")
            client.send(head[:3])
            client.send(head[3:20])
            client.send(head[20:])
            assert await within(client.reader.readexactly(len(head))) == head
            client.send(b"T1BUSU9OUw==")
            assert await within(client.reader.readexactly(12)) == b"T1BUSU9OUw=="


class EchoServer(ScriptedServer):
    async def _serve(self, reader, writer):  # type: ignore[no-untyped-def]
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()


@pytest.mark.parametrize(
    "data",
    [
        b"GET /film HTTP/1.0\r\nHost: h\r\n\r\n",
        b"POST /../film HTTP/1.0\r\nx-sessioncookie: a\r\n\r\n",
    ],
)
async def test_http_that_is_no_tunnel(data: bytes) -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        client.send(data)
        assert (await client.rest()).startswith(b"HTTP/1.0 400 ")
        assert server.connections == 0


async def test_a_tunnel_without_a_server() -> None:
    async with ScriptedServer() as server:
        port = server.port
    dead = ScriptedServer(port=port)
    async with to(dead) as rig, await rig.client() as client:
        client.send(TUNNEL % (b"GET", b"abc"))
        assert (await client.rest()).startswith(b"HTTP/1.0 503 ")
