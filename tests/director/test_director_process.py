"""One worker process: its messages and its end."""

import asyncio
import socket
import sys

from l7lb.director.channel import Channel
from l7lb.director.messages import (
    Apply,
    Ping,
    Pong,
    Ready,
    Refused,
    StatusReply,
    StatusRequest,
    ToSupervisor,
)
from l7lb.director.process import Stage, WorkerProcess, launch
from l7lb.model import ClusterSpec
from l7lb.pool.indices import Indices


class Twin:
    """A worker process with the test at the other end of its channel."""

    def __init__(self) -> None:
        self.told: list[ToSupervisor] = []
        self.got: list[object] = []
        self.news = asyncio.Event()

    async def start(self) -> "Twin":
        ours, theirs = socket.socketpair()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "import time; time.sleep(600)"
        )
        self.worker = WorkerProcess(0, process, ours, self.heard)
        self.end = Channel(theirs, asyncio.get_running_loop(), self.message, self.news.set)
        return self

    def heard(self, worker: WorkerProcess, message: ToSupervisor) -> None:
        self.told.append(message)
        self.news.set()

    def message(self, message: object, fds: list[int]) -> None:
        self.got.append(message)
        if isinstance(message, StatusRequest):
            self.end.send(StatusReply(message.number, {"connections": 7}))
        if isinstance(message, Ping):
            self.end.send(Pong())

    async def heard_of(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.told) < count:
                self.news.clear()
                await self.news.wait()

    async def stop(self) -> int:
        self.worker.kill()
        code = await self.worker.ended()
        self.end.close()
        return code


async def test_status_is_asked_and_answered() -> None:
    twin = await Twin().start()
    replies = await asyncio.gather(*(twin.worker.status(20) for _ in range(5)))
    assert [reply.status for reply in replies if reply] == [{"connections": 7}] * 5
    assert len({request.number for request in twin.got}) == 5  # type: ignore[attr-defined]
    assert await twin.stop() == -9


async def test_a_worker_whose_end_comes_first_has_no_status() -> None:
    twin = await Twin().start()
    twin.end.close()
    asked = asyncio.create_task(twin.worker.status(20))
    assert await twin.stop() == -9
    assert await asked is None
    assert twin.worker.is_over


async def test_the_stage_and_the_generation_follow_what_it_says() -> None:
    twin = await Twin().start()
    worker = twin.worker
    assert worker.stage is Stage.STARTING
    twin.end.send(Ready(1))
    await twin.heard_of(1)
    assert (worker.stage, worker.generation) == (Stage.READY, 1)
    twin.end.send(Refused(2, "no such certificate"))
    await twin.heard_of(2)
    assert (worker.generation, worker.refusal) == (1, "no such certificate")
    worker.apply(Apply(3, ClusterSpec({}, {}), Indices(), ()))
    assert worker.refusal == ""
    worker.drain(1.0)
    twin.end.send(Ready(3))
    await twin.heard_of(3)
    assert (worker.stage, worker.generation) == (Stage.DRAINING, 3)
    await twin.stop()


async def test_any_word_resets_the_count_of_pings() -> None:
    twin = await Twin().start()
    for _ in range(3):
        twin.worker.ping()
    assert twin.worker.pings == 3
    assert await twin.worker.status(20) is not None
    assert twin.worker.pings == 0
    await twin.stop()


async def test_a_draining_worker_gets_no_listener() -> None:
    twin = await Twin().start()
    twin.worker.drain(1.0)
    twin.worker.listen("www", 0, 0)
    assert await twin.worker.status(20) is not None
    assert [type(message).__name__ for message in twin.got] == ["Drain", "StatusRequest"]
    await twin.stop()


async def test_launch_hands_one_end_of_a_socketpair_over() -> None:
    program = (
        "import os, socket, sys\n"
        "sock = socket.socket(fileno=int(sys.argv[-1]))\n"
        "sys.exit(0 if sock.family == socket.AF_UNIX and os.getsid(0) == os.getpid() else 1)\n"
    )
    worker = await launch(0, (sys.executable, "-c", program), lambda *_: None)
    assert await worker.ended() == 0
