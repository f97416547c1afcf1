"""A worker process alone, with the test in its supervisor's place."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest

from l7lb.director.channel import Channel
from l7lb.director.messages import (
    Apply,
    Drain,
    Drained,
    Learned,
    Listen,
    Ping,
    Pong,
    Ready,
    Refused,
    ReopenLogs,
    Setup,
    StatusReply,
    StatusRequest,
    ToWorker,
    Unlisten,
    Update,
)
from l7lb.director.worker import note_unraisable
from l7lb.model import (
    AccessLog,
    Address,
    Certificate,
    CheckKind,
    CheckSpec,
    ClusterSpec,
    DirectorSpec,
    ListenSpec,
    ListenTls,
    PersistenceKind,
    PersistenceSpec,
    Place,
    PoolSpec,
    RouteSpec,
    ServerSpec,
    ServiceSpec,
)
from l7lb.pool import cells
from l7lb.pool.cells import Layout, create_memory
from l7lb.pool.indices import Indices
from l7lb.pool.server import Admin, ServerUpdate
from l7lb.pool.shared import SharedCounters
from support.running_director import ROOT, Origin

M = TypeVar("M")
LAYOUT = Layout(workers=2, servers=8, services=2)
INDICES = Indices({("web", "a"): 0, ("web", "b"): 1}, {"www": 0})
LEARNED = PersistenceSpec(PersistenceKind.LEARNED, b"SID", timeout_s=60.0)


class Harness:
    """One worker and what it said."""

    def __init__(self, folder: Path, origins: tuple[Origin, Origin]) -> None:
        self.folder = folder
        self.origins = origins
        self.said: list[object] = []
        self.news = asyncio.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        memory = create_memory(LAYOUT)
        self.memory = memory
        self.counters = SharedCounters(memory, LAYOUT)
        self.counters.set_live(2)

    def spec(self, tls: ListenTls | None = None, drain_s: float = 20.0) -> ClusterSpec:
        servers = tuple(
            ServerSpec(name, Address("127.0.0.1", int(origin.address.rpartition(":")[2])))
            for name, origin in zip("ab", self.origins, strict=True)
        )
        pool = PoolSpec("web", servers, check=CheckSpec(CheckKind.NONE), persistence=LEARNED)
        route = RouteSpec("r", Place("f", 1, 1), pools=(("web", 1),))
        service = ServiceSpec(
            "www",
            "http",
            (ListenSpec(Address("127.0.0.1", 0), tls),),
            (route,),
            access_log=AccessLog(path=str(self.folder / "access.log")),
        )
        return ClusterSpec({"web": pool}, {"www": service}, DirectorSpec(drain_deadline_s=drain_s))

    async def start(self, loop: str) -> None:
        ours, theirs = socket.socketpair()
        path = os.pathsep.join(str(ROOT / part) for part in ("", "protocols", "storage"))
        self.process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "l7lb.director.worker", loop, str(theirs.fileno()),
            pass_fds=(theirs.fileno(),), env=os.environ | {"PYTHONPATH": path},
            stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        theirs.close()
        self.channel = Channel(ours, asyncio.get_running_loop(), self._message, self.news.set)

    def _message(self, message: object, fds: list[int]) -> None:
        self.said.append(message)
        self.news.set()

    def send(self, message: ToWorker, *fds: int) -> None:
        self.channel.send(message, fds)

    def set_up(
        self, spec: ClusterSpec | None = None, updates: tuple[tuple[str, ServerUpdate], ...] = ()
    ) -> None:
        setup = Setup(1, 2, b"s" * 32, LAYOUT, 1, spec or self.spec(), INDICES, updates)
        self.send(setup, self.memory)
        self.send(Listen("www", 0), self.listener.fileno())

    async def next(self, kind: type[M]) -> M:
        """The next message of this kind; those before it are dropped."""
        async with asyncio.timeout(30):
            while True:
                while self.said:
                    message = self.said.pop(0)
                    if isinstance(message, kind):
                        return message
                self.news.clear()
                await self.news.wait()

    async def ask(self, target: str = "/") -> str:
        reader, writer = await asyncio.open_connection(*self.listener.getsockname())
        head = f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        writer.write(head.encode())
        async with asyncio.timeout(30):
            answer = await reader.read(-1)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200")
        return answer[-1:].decode()

    async def code(self) -> int:
        async with asyncio.timeout(30):
            return await self.process.wait()

    async def close(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()
        self.channel.close()
        self.listener.close()
        os.close(self.memory)


@pytest.fixture(params=["uvloop", "asyncio"])
async def worker(
    request: pytest.FixtureRequest, tmp_path: Path, origins: tuple[Origin, Origin]
) -> AsyncIterator[Harness]:
    made = Harness(tmp_path, origins)
    await made.start(request.param)
    yield made
    await made.close()


async def test_it_serves_counts_and_answers(worker: Harness) -> None:
    worker.set_up()
    assert (await worker.next(Ready)).generation == 1
    assert {await worker.ask() for _ in range(4)} == {"a", "b"}
    worker.send(Ping())
    await worker.next(Pong)
    worker.send(StatusRequest(9))
    reply = await worker.next(StatusReply)
    assert reply.number == 9
    assert "web" in reply.status["pools"]  # type: ignore[operator]
    worker.send(Drain(5.0))
    assert (await worker.next(Drained)).cut == 0
    assert await worker.code() == 0
    row = worker.counters.service_cells(0)
    assert row[cells.RESPONSES + 2] == row[cells.CONNECTS] == 4
    assert row[cells.ACTIVE] == 0


async def test_what_is_known_of_servers_comes_with_setup_apply_and_update(
    worker: Harness,
) -> None:
    worker.set_up(updates=(("web", ServerUpdate("a", admin=Admin.DISABLED)),))
    await worker.next(Ready)
    assert {await worker.ask() for _ in range(3)} == {"b"}
    update = ServerUpdate("b", admin=Admin.DISABLED), ServerUpdate("a", admin=Admin.READY)
    worker.send(Apply(2, worker.spec(), INDICES, tuple(("web", each) for each in update)))
    assert (await worker.next(Ready)).generation == 2
    assert {await worker.ask() for _ in range(3)} == {"a"}
    worker.send(Update("web", ServerUpdate("nobody", admin=Admin.READY)))
    worker.send(Update("web", ServerUpdate("b", admin=Admin.READY)))
    worker.send(Ping())
    await worker.next(Pong)
    assert {await worker.ask() for _ in range(4)} == {"a", "b"}


async def test_a_file_that_it_cannot_use_is_refused_and_the_old_one_rules(
    worker: Harness, tmp_path: Path
) -> None:
    worker.set_up()
    await worker.next(Ready)
    tls = ListenTls((Certificate(str(tmp_path / "missing.pem")),))
    worker.send(Apply(2, worker.spec(tls), INDICES, ()))
    refused = await worker.next(Refused)
    assert refused.generation == 2
    assert "missing.pem" in refused.reason
    assert await worker.ask() in "ab"


async def test_a_first_file_that_it_cannot_use_ends_it(worker: Harness, tmp_path: Path) -> None:
    tls = ListenTls((Certificate(str(tmp_path / "missing.pem")),))
    worker.set_up(worker.spec(tls))
    assert "missing.pem" in (await worker.next(Refused)).reason
    assert await worker.code() == 0


async def test_without_supervisor_it_finishes_its_requests_and_leaves(
    worker: Harness, origins: tuple[Origin, Origin]
) -> None:
    worker.set_up()
    await worker.next(Ready)
    slow = asyncio.create_task(worker.ask("/slow"))
    async with asyncio.timeout(30):
        while not any(origin.asked.is_set() for origin in origins):
            await asyncio.to_thread(origins[0].asked.wait, 0.05)
    worker.channel.close()
    for origin in origins:
        origin.let_go.set()
    assert await slow in "ab"
    assert await worker.code() == 0


async def test_without_supervisor_it_listens_no_more(worker: Harness) -> None:
    worker.set_up()
    await worker.next(Ready)
    address = worker.listener.getsockname()
    worker.listener.close()
    worker.channel.close()
    assert await worker.code() == 0
    with socket.create_server(address):
        pass


async def test_signals_meant_for_the_supervisor_do_not_end_it(worker: Harness) -> None:
    worker.set_up()
    await worker.next(Ready)
    for number in (signal.SIGINT, signal.SIGHUP):
        worker.process.send_signal(number)
    assert await worker.ask() in "ab"


async def test_logs_are_reopened_by_message_and_by_signal(worker: Harness, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    worker.set_up()
    await worker.next(Ready)
    for move in ("message", "signal"):
        path.rename(tmp_path / f"access.log.{move}")
        if move == "message":
            worker.send(ReopenLogs())
        else:
            worker.process.send_signal(signal.SIGUSR1)
        async with asyncio.timeout(30):
            while not path.exists():
                await asyncio.to_thread(os.stat, tmp_path)
    assert path.exists()


async def test_a_listener_goes_and_comes(worker: Harness) -> None:
    worker.set_up()
    await worker.next(Ready)
    worker.send(Unlisten("www", 0))
    waiting = asyncio.create_task(worker.ask())
    worker.send(Ping())
    await worker.next(Pong)
    assert not waiting.done()
    worker.send(Listen("www", 0), worker.listener.fileno())
    assert await waiting in "ab"


async def test_what_another_worker_learnt_is_remembered(worker: Harness) -> None:
    worker.set_up()
    await worker.next(Ready)
    worker.send(Learned("web", b"session-1", "b"))
    worker.send(Learned("gone", b"session-1", "b"))
    worker.send(StatusRequest(1))
    reply = await worker.next(StatusReply)
    assert reply.status["pools"]["web"]["pins"] == 1  # type: ignore[index]


def test_what_can_be_raised_nowhere_is_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Late:
        def __del__(self) -> None:
            raise ValueError("a name that is no text")

    monkeypatch.setattr(sys, "unraisablehook", note_unraisable)
    late = Late()
    del late
    (record,) = caplog.records
    assert record.getMessage() == "unraisable"
    assert "a name that is no text" in str(record.__dict__["fields"])
