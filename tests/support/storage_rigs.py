"""The engines under one roof: each rig is a cluster that engines can be made for."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from pathlib import Path

import aiohttp

from l7lb_storage.engine import Engine
from l7lb_storage.etcd.engine import EtcdEngine
from l7lb_storage.etcd.gateway import EtcdSpec
from l7lb_storage.lockd.client import LockdEngine
from l7lb_storage.lockd.link import LockdAddress
from l7lb_storage.lockd.server import Lockd, LockdSpec
from l7lb_storage.memory import MemoryEngine, World
from l7lb_storage.session import Session, SessionSpec
from support.etcd_members import Member

WAIT_S = 20.0
"""For what must happen; a test that waits so long has failed."""
TTL_S = 1.0
"""The shortest lease: where real time must pass it passes quickly."""


class Rig(ABC):
    """Makes opened engines, and closes all that it made."""

    name: str
    patience_s = 6.0
    """How long an engine that is made next asks before it gives up."""

    def __init__(self) -> None:
        self.engines: list[Engine] = []
        self.sessions: list[Session] = []

    async def engine(self) -> Engine:
        engine = self.make()
        self.engines.append(engine)
        await engine.open()
        return engine

    async def session(
        self, holder: str = "node", ttl_s: float = 15.0, engine: Engine | None = None
    ) -> Session:
        """On an engine of its own unless one is given."""
        engine = engine or await self.engine()
        session = await Session.open(engine, SessionSpec(holder, ttl_s, WAIT_S))
        self.sessions.append(session)
        return session

    async def close(self) -> None:
        await asyncio.gather(*(session.close() for session in self.sessions))
        await asyncio.gather(*(engine.close() for engine in self.engines))

    @abstractmethod
    def make(self) -> Engine: ...

    @abstractmethod
    async def start(self) -> None: ...

    @abstractmethod
    async def compact(self) -> None:
        """The history of changes is forgotten."""

    async def restart(self) -> None:
        """The engine's servers die and come back with what they had on disk."""
        raise NotImplementedError

    async def cut(self) -> None:
        """The servers cannot be reached until `restart`."""
        raise NotImplementedError


class MemoryRig(Rig):
    name = "memory"

    async def start(self) -> None:
        self.world = World()

    def make(self) -> Engine:
        return MemoryEngine(self.world)

    async def compact(self) -> None:
        self.world.machine.keys.compact()


class LockdRig(Rig):
    """The server runs in this loop; tests that kill it start it as a process."""

    name = "lockd"

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.server: Lockd | None = None
        self.serving: asyncio.Task[None] | None = None

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    async def start(self) -> None:
        self.server = Lockd(LockdSpec(self.folder / "data", self.socket))
        await self.server.start()
        self.serving = asyncio.get_running_loop().create_task(self.server.serve())

    def make(self) -> Engine:
        return LockdEngine(LockdAddress(self.socket), request_timeout_s=self.patience_s)

    async def compact(self) -> None:
        assert self.server is not None
        self.server._machine.keys.compact()

    async def cut(self) -> None:
        assert self.server is not None
        assert self.serving is not None
        self.serving.cancel()
        await asyncio.gather(self.serving, return_exceptions=True)
        await self.server.close()
        self.server = None

    async def restart(self) -> None:
        if self.server is not None:
            await self.cut()
        await self.start()

    async def close(self) -> None:
        await super().close()
        if self.server is not None:
            await self.cut()


class EtcdRig(Rig):
    """A prefix of its own on a member that many tests share."""

    name = "etcd"

    def __init__(self, members: list[Member], prefix: str) -> None:
        super().__init__()
        self.members = members
        self.prefix = prefix

    async def start(self) -> None:
        return

    def spec(self) -> EtcdSpec:
        return EtcdSpec(
            tuple(member.url for member in self.members),
            self.prefix,
            attempt_timeout_s=self.patience_s - 0.1,
            request_timeout_s=self.patience_s,
            pulse_s=0.5,
        )

    def make(self) -> Engine:
        return EtcdEngine(self.spec())

    async def compact(self) -> None:
        async with aiohttp.ClientSession() as http:
            async with http.post(f"{self.members[0].url}/v3/kv/range", json={"key": "AA=="}) as now:
                revision = (await now.json(content_type=None))["header"]["revision"]
            body = {"revision": revision, "physical": True}
            url = f"{self.members[0].url}/v3/kv/compaction"
            async with http.post(url, json=body) as done:
                assert done.status == 200, await done.text()

    async def cut(self) -> None:
        for member in self.members:
            await asyncio.to_thread(member.kill)

    async def restart(self) -> None:
        await self.cut()
        for member in self.members:
            member.launch()
        for member in self.members:
            await asyncio.to_thread(member.wait)
