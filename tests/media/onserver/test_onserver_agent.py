"""The agent's ear: who is answered, and who is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, cast

import pytest

from l7lb.media.netfilter.latches import Heard, Path
from l7lb.media.netfilter.libnftables import NftError
from l7lb.media.onserver import agent as module
from l7lb.media.onserver.agent import Agent, listen
from l7lb.media.onserver.rules import OnServer
from l7lb.media.onserver.spec import OnServerSpec, Side
from l7lb.media.signed import Seal

KEY = b"0123456789abcdef"
WAIT_S = 30.0
SPEC = OnServerSpec((Side(ip_address("127.0.0.1"), ip_address("192.0.2.1")),), 24000, 24009)
PATH = {"client": "198.51.100.1", "client_port": 5000, "server_port": 24000}


@dataclass
class Recorded:
    """In the place of the kernel's latches."""

    calls: list[object] = field(default_factory=list)

    def latch(self, path: Path, timeout_s: int) -> tuple[Heard, int]:
        self.calls.append((path, timeout_s))
        return Heard.ELSEWHERE, 6000

    def unlatch(self, path: Path) -> bool:
        raise NftError("the kernel says no")

    def flow(self, path: Path) -> dict[str, int]:
        return {"packets": 7, "octets": path.client_port}


@dataclass
class FakeServer:
    spec: OnServerSpec = SPEC
    latching: Recorded = field(default_factory=Recorded)

    def check(self) -> list[str]:
        return ["a rule is missing"]


class Director(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.seal = Seal(KEY)
        self.got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self.got.put_nowait(self.seal.open(data, time.time()))

    def send(self, **order: Any) -> None:
        self.number += 1
        self.transport.sendto(Seal(KEY).close(order, f"{self.number}", time.time()))

    async def ask(self, **order: Any) -> dict[str, Any]:
        self.send(**order)
        async with asyncio.timeout(WAIT_S):
            while (found := await self.got.get()).get("re") != f"{self.number}":
                pass
        return found


@asynccontextmanager
async def talk() -> AsyncIterator[tuple[Director, Agent, FakeServer]]:
    server = FakeServer()
    agent = await listen(cast("OnServer", server), Seal(KEY), ("127.0.0.1", 0))
    assert agent._transport is not None
    where = agent._transport.get_extra_info("sockname")
    loop = asyncio.get_running_loop()
    transport, director = await loop.create_datagram_endpoint(Director, remote_addr=where)
    try:
        yield director, agent, server
    finally:
        transport.close()
        agent.close()


async def test_orders_are_answered() -> None:
    async with talk() as (director, _, server):
        assert (await director.ask(kind="check"))["wrong"] == ["a rule is missing"]
        latched = await director.ask(kind="latch", timeout_s=60, **PATH)
        assert (latched["heard"], latched["port"]) == ("elsewhere", 6000)
        path = Path(ip_address("198.51.100.1"), 5000, ip_address("127.0.0.1"), 24000)
        assert server.latching.calls == [(path, 60)]
        assert (await director.ask(kind="unlatch", **PATH))["error"] == "the kernel says no"
        found = await director.ask(kind="flow", **PATH)
        assert (found["packets"], found["octets"]) == (7, 5000)


async def test_a_probe_comes_from_a_media_port() -> None:
    async with talk() as (director, _, _server):
        loop = asyncio.get_running_loop()
        ear_transport, ear = await loop.create_datagram_endpoint(Director, ("127.0.0.1", 0))
        port = ear_transport.get_extra_info("sockname")[1]
        sent = await director.ask(kind="probe", vip="192.0.2.1", to="127.0.0.1", port=port)
        assert sent["from"] == 24009
        told = await asyncio.wait_for(ear.got.get(), WAIT_S)
        assert (told["kind"], told["re"]) == ("told", sent["re"])
        ear_transport.close()


@pytest.mark.parametrize(
    "order",
    [
        {"kind": "nonsense"},
        {"kind": ["latch"]},
        {"kind": "latch", **PATH},
        {"kind": "latch", "timeout_s": 0, **PATH},
        {"kind": "latch", "timeout_s": "x", **PATH},
        {"kind": "latch", "timeout_s": 5, **PATH, "client": "x"},
        {"kind": "latch", "timeout_s": 5, **PATH, "client": "fd00::1"},
        {"kind": "unlatch", **PATH, "client_port": 70000},
        {"kind": "probe", "vip": "192.0.2.1", "to": "127.0.0.1", "port": "x"},
        {"kind": "flow", "client": "198.51.100.1"},
    ],
)
async def test_signed_orders_that_make_no_sense_are_refused(order: dict[str, Any]) -> None:
    async with talk() as (director, agent, _):
        director.send(**order)
        await director.ask(kind="check")
        assert agent.refused == 1


async def test_another_vip_is_not_lent() -> None:
    async with talk() as (director, _, _server):
        found = await director.ask(kind="probe", vip="192.0.2.2", to="127.0.0.1", port=9)
        assert "does not answer in the name of 192.0.2.2" in found["error"]


async def test_who_does_not_sign_hears_nothing() -> None:
    async with talk() as (director, agent, _):
        order = Seal(b"another key, as long").close({"kind": "check"}, "x", time.time())
        for bad in (b"x", b"l7m1", order, order[:-1]):
            director.transport.sendto(bad)
        await director.ask(kind="check")
        assert agent.refused == 4
        assert director.got.empty()


async def test_no_free_media_port_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TRIES", -1)
    async with talk() as (director, _, _server):
        found = await director.ask(kind="probe", vip="192.0.2.1", to="127.0.0.1", port=9)
        assert "no free media port" in found["error"]
