"""One engine in the test's own event loop, from specifications, and small servers behind it."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from l7lb.model import (
    AccessLog,
    Address,
    CheckKind,
    CheckSpec,
    ClusterSpec,
    ListenSpec,
    LogFormat,
    Place,
    PoolSpec,
    RouteSpec,
    ServerSpec,
    ServiceSpec,
)
from l7lb.net.engine import Engine, EngineEnvironment
from l7lb.net.plug import Plug
from l7lb.pool.cells import Layout, create_memory
from l7lb.pool.indices import Indices
from l7lb.pool.shared import SharedCounters
from support.peers import Answer, Origin, Peer, within

HERE = Place("test.yaml", 1, 1)


def pool(name: str, *ports: int, **more: Any) -> PoolSpec:
    servers = tuple(
        ServerSpec(f"{name}{n}", Address("127.0.0.1", p)) for n, p in enumerate(ports, 1)
    )
    return PoolSpec(name, servers, check=CheckSpec(CheckKind.NONE), **more)


def capped(*ports: int, limit: int = 1, **more: Any) -> PoolSpec:
    """A pool `web` whose servers take no more than `limit` sessions each."""
    spec = pool("web", *ports, **more)
    return replace(spec, servers=tuple(replace(s, max_connections=limit) for s in spec.servers))


def route(pool_name: str | None = None, **more: Any) -> RouteSpec:
    pools = ((pool_name, 1),) if pool_name else ()
    return RouteSpec(name=more.pop("name", "r"), place=HERE, pools=pools, **more)


def service(*routes: RouteSpec, **more: Any) -> ServiceSpec:
    more.setdefault("listen", (ListenSpec(Address("127.0.0.1", 0)),))
    more.setdefault("access_log", AccessLog(LogFormat.OFF))
    return ServiceSpec("www", "http", routes=tuple(routes), **more)


def cluster(service_spec: ServiceSpec, *pools: PoolSpec) -> ClusterSpec:
    return ClusterSpec({p.name: p for p in pools}, {service_spec.name: service_spec})


def numbers(spec: ClusterSpec) -> Indices:
    servers = [(p.name, s.name) for p in spec.pools.values() for s in p.servers]
    return Indices(
        {key: number for number, key in enumerate(servers)},
        {name: n for n, name in enumerate(spec.services)},
    )


class Rig:
    """`async with Rig(spec) as rig:` then connect to `rig.port`."""

    def __init__(self, spec: ClusterSpec, plugs: Mapping[str, Plug] | None = None) -> None:
        self.spec = spec
        self.plugs = dict(plugs or {})
        self.events: list[dict[str, object]] = []
        self.port = 0
        self.ports: list[int] = []
        """One for each `listen` of the service."""
        self._hurry = patch.multiple("l7lb.net.engine", TICK_S=0.02, SWEEP_EVERY=1)

    async def __aenter__(self) -> Self:
        self._hurry.start()
        layout = Layout(workers=1, servers=64, services=4)
        memory = create_memory(layout)
        counters = SharedCounters(memory, layout, 0)
        os.close(memory)
        counters.set_live(1)
        env = EngineEnvironment(counters, self.events.append, b"s" * 32, plugs=self.plugs)
        self.engine = Engine(asyncio.get_running_loop(), env)
        await self.prepare()
        self.engine.apply(self.spec, numbers(self.spec))
        for name, one in self.spec.services.items():
            for position, _ in enumerate(one.listen):
                sock = socket.create_server(("127.0.0.1", 0), backlog=512)
                self.port = sock.getsockname()[1]
                self.ports.append(self.port)
                self.engine.listen(name, position, sock)
        return self

    async def prepare(self) -> None:
        """The engine is there, and has no specification yet."""

    def apply(self, spec: ClusterSpec) -> None:
        self.spec = spec
        self.engine.apply(spec, numbers(spec))

    async def __aexit__(self, error: object, *_: object) -> None:
        pools = list(self.engine.pools.values())
        self.engine.close()
        self._hurry.stop()
        if error is None:
            assert not self.engine.drivers
            assert self.counters.connections(0) == 0
            for server in (each for pool in pools for each in pool.servers):
                assert server.sessions == 0
                assert self.counters.active(server.index) == 0

    @property
    def counters(self) -> SharedCounters:
        return self.engine.counters

    async def client(self, *, port: int = 0, **options: Any) -> Peer:
        """A connection to the service; `options` as for `asyncio.open_connection`."""
        return await Peer.connect(port or self.port, **options)

    async def ask(self, target: str = "/", *fields: str) -> Answer:
        """One GET on a connection of its own."""
        async with await self.client() as client:
            return await client.ask(target, *fields)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until the engine has got so far."""

        async def wait() -> None:
            while not condition():
                await asyncio.sleep(0.005)

        await within(wait())

    async def talk(self, data: bytes, *, eof: bool = False) -> bytes:
        """Send, and read until the director closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        if eof:
            writer.write_eof()
        answer = await within(reader.read(-1))
        writer.close()
        return answer


def to(*origins: Origin, **more: Any) -> Rig:
    """A rig whose one route goes to a pool `web` of these origins, with these options."""
    return Rig(
        cluster(service(route("web")), pool("web", *(each.port for each in origins), **more))
    )


def closed_port() -> int:
    """One where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def descriptors() -> int:
    """How many this process has open; not counted are the counters, which live as long as a rig."""
    gc.collect()
    targets = []
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # a thread has closed it meanwhile
            targets.append(str(link.readlink()))
    return sum("l7lb-counters" not in target for target in targets)


async def no_more_descriptors_than(count: int) -> None:
    """Raises TimeoutError when some stay open; transports need a moment to go."""

    async def wait() -> None:
        while descriptors() > count:
            await asyncio.sleep(0.01)

    await within(wait())
