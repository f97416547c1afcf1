"""A server connection outside a driver: opened, used by one after the other, lost, too late."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import trustme

from l7lb.model import ServerTls
from l7lb.net.leg import Leg
from l7lb.pool.slot import Outcome
from l7lb_protocols.facts import PlainFacts
from support.rig import Rig, closed_port, cluster, pool, route, service

PLENTY_S = 15.0
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class User:
    def __init__(self) -> None:
        self.said: list[object] = []
        self.changed = asyncio.Event()

    def note(self, what: object) -> None:
        self.said.append(what)
        self.changed.set()

    def leg_ready(self) -> None:
        self.note("ready")

    def leg_data(self, data: bytes) -> None:
        self.note(data)

    def leg_ended(self) -> None:
        self.note("ended")

    def leg_drained(self) -> None:
        self.note("drained")

    def leg_lost(self, reason: str) -> None:
        self.note("lost")

    def leg_late(self) -> None:
        self.note("late")

    async def until(self, what: object) -> None:
        async with asyncio.timeout(PLENTY_S):
            while what not in self.said:
                self.changed.clear()
                await self.changed.wait()


def leg_of(rig: Rig, user: User) -> Leg:
    web = rig.engine.pools["web"]
    slot = web.take(PlainFacts())
    assert slot is not None
    return Leg(rig.engine, web, slot, user)


def rig_at(port: int, **more: object) -> Rig:
    return Rig(cluster(service(route("web")), pool("web", port, **more)))


@asynccontextmanager
async def serving(handler: Handler, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server, whose connections have all ended at the end."""
    open_ones = 0
    idle = asyncio.Event()
    idle.set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal open_ones
        open_ones += 1
        idle.clear()
        with suppress(OSError):
            await handler(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        open_ones -= 1
        if not open_ones:
            idle.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    async with asyncio.timeout(PLENTY_S):
        await idle.wait()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        if line == b"bye\n":
            break
        writer.write(line.upper())


async def test_one_leg_serves_several() -> None:
    async with serving(echo) as port:
        user = User()
        async with rig_at(1) as rig:
            leg = leg_of(rig, user)
            leg.connect(port, PLENTY_S)
            await user.until("ready")
            assert not leg.secure
            leg.send(b"one\n")
            await user.until(b"ONE\n")
            server_state = leg.server
            assert server_state.sessions == 1
            leg.release(Outcome.OK)
            leg.release(Outcome.FAILED)
            assert server_state.sessions == 0
            slot = rig.engine.pools["web"].take(PlainFacts())
            assert slot is not None
            leg.employ(slot)
            leg.send(b"two\n")
            await user.until(b"TWO\n")
            assert leg.sent == 4
            leg.pause()
            leg.send(b"three\n")
            leg.resume()
            await user.until(b"THREE\n")
            leg.send(b"bye\n")
            await user.until("ended")
            leg.close()
            leg.close()
            assert not leg.is_open
            leg.send(b"nobody\n")
            assert server_state.sessions == 0


async def test_nobody_there() -> None:
    user = User()
    async with rig_at(closed_port()) as rig:
        leg = leg_of(rig, user)
        leg.connect(0, PLENTY_S)
        await user.until("lost")
        assert not leg.is_open
        assert user.said == ["lost"]


async def test_too_late() -> None:
    """The deadline runs from the connect on, and for whatever the user waits for later."""
    async with serving(echo) as port:
        user = User()
        async with rig_at(port) as rig:
            leg = leg_of(rig, user)
            leg.connect(0, PLENTY_S)
            await user.until("ready")
            leg.within(0.01)
            await user.until("late")
            assert leg.is_open
            leg.within(0.01)
            leg.at_ease()
            leg.close()


async def test_a_connection_that_is_not_made_in_time() -> None:
    user = User()
    async with rig_at(1) as rig:
        leg = leg_of(rig, user)
        rig.engine.dial = lambda *_: Undecided()  # type: ignore[method-assign]
        leg.connect(0, 0.01)
        await user.until("late")
        assert leg.server.sessions == 0
        leg.close()


class Undecided:
    def cancel(self) -> None: ...


async def test_much_to_send_is_told_when_it_has_gone() -> None:
    async def late_reader(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await begin.wait()
        total = 0
        while total < size:
            total += len(await reader.read(1 << 20))
        writer.write(b"all")
        await writer.drain()

    begin, size = asyncio.Event(), 16 << 20
    async with serving(late_reader) as port:
        user = User()
        async with rig_at(port) as rig:
            leg = leg_of(rig, user)
            leg.connect(0, PLENTY_S)
            await user.until("ready")
            leg.send(b"x" * size)
            assert leg.is_full
            begin.set()
            await user.until("drained")
            assert not leg.is_full
            await user.until(b"all")
            leg.close()


def files(folder: Path) -> tuple[Path, Path, Path]:
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1")
    chain, key, trust = folder / "chain.pem", folder / "key.pem", folder / "ca.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    authority.cert_pem.write_to_path(trust)
    return chain, key, trust


async def test_tls_in_the_dialogue_and_from_the_start(tmp_path: Path) -> None:
    chain, key, trust = files(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)

    async def upgrade(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"go")
        await writer.start_tls(context)
        await echo(reader, writer)

    tls = ServerTls(ca=str(trust))
    for handler, wrap, spec in (
        (upgrade, None, replace(tls, starttls=True)),
        (echo, context, tls),
    ):
        user = User()
        async with serving(handler, wrap) as port, rig_at(port, tls=spec) as rig:
            leg = leg_of(rig, user)
            leg.connect(0, PLENTY_S)
            await user.until("ready")
            if spec.starttls:
                assert not leg.secure
                user.said.clear()
                leg.send(b"tls\n")
                await user.until(b"go")
                leg.start_tls()
                await user.until("ready")
            assert leg.secure
            leg.send(b"word\n")
            await user.until(b"WORD\n")
            leg.close()


async def test_tls_that_cannot_begin_is_a_lost_leg(tmp_path: Path) -> None:
    async with serving(echo) as port:
        spec = ServerTls(ca=str(tmp_path / "gone.pem"), starttls=True)
        user = User()
        with_bad = rig_at(port, tls=replace(spec, ca=None))
        async with with_bad as rig:
            leg = leg_of(rig, user)
            leg.connect(0, PLENTY_S)
            await user.until("ready")
            leg.pool.spec = replace(leg.pool.spec, tls=spec)
            leg.start_tls()
            assert user.said == ["ready"]
            await user.until("lost")
