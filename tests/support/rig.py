"""One engine in the test's own event loop, from specifications, and small servers behind it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from l7lb.model import (
    AccessLog,
    Address,
    CheckKind,
    CheckSpec,
    ClusterSpec,
    ListenSpec,
    LogFormat,
    PoolSpec,
    RouteSpec,
    Place,
    ServerSpec,
    ServiceSpec,
)
from l7lb.net.engine import Engine, EngineEnvironment
from l7lb.pool.cells import Layout, create_memory
from l7lb.pool.indices import Indices
from l7lb.pool.shared import SharedCounters

HERE = Place("test.yaml", 1, 1)


def pool(name: str, *ports: int, **more: Any) -> PoolSpec:
    servers = tuple(
        ServerSpec(f"{name}{n}", Address("127.0.0.1", p)) for n, p in enumerate(ports, 1)
    )
    return PoolSpec(name, servers, check=CheckSpec(CheckKind.NONE), **more)


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
    servers = {(p.name, s.name): 0 for p in spec.pools.values() for s in p.servers}
    for number, key in enumerate(servers):
        servers[key] = number
    return Indices(servers, {name: n for n, name in enumerate(spec.services)})


class Rig:
    """`async with Rig(spec) as rig:` then connect to `rig.port`."""

    def __init__(self, spec: ClusterSpec) -> None:
        self.spec = spec
        self.events: list[dict[str, object]] = []
        self.port = 0

    async def __aenter__(self) -> Rig:
        layout = Layout(workers=1, servers=64, services=4)
        counters = SharedCounters(create_memory(layout), layout, 0)
        counters.set_live(1)
        env = EngineEnvironment(counters, self.events.append, secret=b"s" * 32)
        self.engine = Engine(asyncio.get_running_loop(), env)
        self.engine.apply(self.spec, numbers(self.spec))
        for name, one in self.spec.services.items():
            for position, _ in enumerate(one.listen):
                sock = socket.create_server(("127.0.0.1", 0), backlog=512)
                self.port = sock.getsockname()[1]
                self.engine.listen(name, position, sock)
        return self

    def apply(self, spec: ClusterSpec) -> None:
        self.spec = spec
        self.engine.apply(spec, numbers(spec))

    async def __aexit__(self, *_: object) -> None:
        self.engine.close()

    async def talk(self, data: bytes, *, eof: bool = False) -> bytes:
        """Send, and read until the director closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(data)
        if eof:
            writer.write_eof()
        answer = await asyncio.wait_for(reader.read(-1), 10)
        writer.close()
        return answer
