"""Protocols that are plugged in: greeting first, TLS in mid-dialogue on both sides, own ports."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from l7lb.model import Address, Certificate, ListenSpec, ListenTls, ServerTls
from l7lb.net.driver import Driver
from l7lb.net.plug import HTTP, Plug
from l7lb.net.service import Service
from l7lb_protocols.facts import PlainFacts
from l7lb_protocols.http.forwarded import ClientInfo
from l7lb_protocols.wire import CLIENT, OUTCOME_FAILED, PENDING, SERVER, Session, Wire
from support.rig import Rig, cluster, pool, route, service


class Secret(Session):
    """Greets, begins TLS with the client, then with the server, then passes on."""

    def __init__(self, wire: Wire) -> None:
        super().__init__()
        self.wire = wire
        self.facts = PlainFacts(account=b"alice")
        self.ended = 0

    def begin(self) -> None:
        self.wire.send(CLIENT, b"hello\n")

    def client_data(self, data: bytes) -> None:
        assert data == b"tls\n"
        self.wire.send(CLIENT, b"go\n")
        self.wire.start_tls(CLIENT)

    def secured(self, side: int, name: bytes) -> None:
        if side == CLIENT:
            assert self.wire.decide(self.facts).reply is None
            assert self.wire.connect(self.facts, True) == PENDING
        else:
            self.wire.relay(CLIENT, -1)
            self.wire.relay(SERVER, -1)
            self.wire.send(CLIENT, b"welcome\n")

    def server_ready(self) -> None:
        self.wire.send(SERVER, b"tls\n")

    def server_data(self, data: bytes) -> None:
        assert data == b"go\n"
        self.wire.start_tls(SERVER)

    def relayed(self, source: int) -> None:
        self.ended += 1
        if self.ended == 2:
            self.end()
        else:
            self.wire.end(1 - source)

    def end(self) -> None:
        self.wire.release(OUTCOME_FAILED, False)
        self.wire.log(self)
        self.wire.abort()

    def client_eof(self) -> None:
        self.end()

    def client_lost(self) -> None:
        self.wire.release(OUTCOME_FAILED, False)
        self.wire.log(self)

    def server_lost(self) -> None:
        self.wire.release(OUTCOME_FAILED, False)
        self.wire.log(self)
        self.wire.send(CLIENT, b"lost\n")
        self.wire.close(False)

    def expired(self, phase: int) -> None:
        self.end()


class SecretPlug:
    port = "secret"

    def open(self, driver: Driver, service: Service, client: ClientInfo) -> Session:
        return Secret(driver)


def certificate(folder: Path) -> ListenTls:
    issued = trustme.CA().issue_cert("localhost")
    chain, key = folder / "chain.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    return ListenTls((Certificate(str(chain), str(key)),), alpn=())


def blind() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def rig_for(folder: Path, port: int, tls: ServerTls) -> Rig:
    """The server's address has a port where nothing is: the protocol has its own."""
    bare = pool("web", 1, tls=tls)
    server = replace(bare.servers[0], ports=(("secret", port),))
    spec = replace(bare, servers=(server,))
    listen = ListenSpec(Address("127.0.0.1", 0), starttls=certificate(folder))
    www = replace(service(route("web"), listen=(listen,)), protocol="secret")
    return Rig(cluster(www, spec), plugs={"secret": SecretPlug()})


async def serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext
) -> None:
    assert await reader.readline() == b"tls\n"
    writer.write(b"go\n")
    await writer.start_tls(context)
    while line := await reader.readline():
        writer.write(line.upper())
    writer.close()


async def test_tls_begins_in_the_dialogue_on_both_sides(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_files(tmp_path))
    server = await asyncio.start_server(lambda r, w: serve(r, w, context), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with rig_for(tmp_path, port, ServerTls(verify=False, starttls=True)) as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        assert await reader.readline() == b"hello\n"
        writer.write(b"tls\n")
        assert await reader.readline() == b"go\n"
        await writer.start_tls(blind())
        assert await reader.readline() == b"welcome\n"
        writer.write(b"word\n")
        assert await reader.readline() == b"WORD\n"
        writer.close()
        await rig.until(lambda: not rig.engine.drivers)
    server.close()


async def test_a_server_whose_certificate_is_not_accepted_is_lost(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*_files(tmp_path))

    async def refused(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with pytest.raises(OSError):
            await serve(reader, writer, context)
        writer.close()

    server = await asyncio.start_server(refused, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with rig_for(tmp_path, port, ServerTls(starttls=True)) as rig:
        reader, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        await reader.readline()
        writer.write(b"tls\n")
        await reader.readline()
        await writer.start_tls(blind())
        assert await reader.readline() == b"lost\n"
        writer.close()
        await rig.until(lambda: not rig.engine.drivers)
    server.close()


def _files(folder: Path) -> tuple[Path, Path]:
    certificate(folder)
    return folder / "chain.pem", folder / "key.pem"


def test_http_is_a_plug_like_any_other() -> None:
    plug: Plug = HTTP
    assert plug.port == ""
