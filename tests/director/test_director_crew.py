"""Workers kept at their number, whatever they do. The workers here are one-line programs."""

import asyncio
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from l7lb.director import crew as crew_module
from l7lb.director.crew import Crew, CrewCalls
from l7lb.director.events import Event, Events
from l7lb.director.messages import ToSupervisor
from l7lb.director.process import WorkerProcess

DEAF = "import time; time.sleep(600)"
DYING = "raise SystemExit(3)"
LEAVING = "import os, sys, socket; socket.socket(fileno=int(sys.argv[-1])).recv(1)"


class LoudEvents(Events):
    """Events that a test can wait for."""

    def __init__(self) -> None:
        super().__init__()
        self.news = asyncio.Event()

    def emit(self, name: str, level: int = logging.INFO, /, **fields: object) -> None:
        super().emit(name, level, **fields)
        self.news.set()

    async def named(self, name: str, count: int = 1) -> list[Event]:
        async with asyncio.timeout(30):
            while len(found := [each for each in self.since() if each.name == name]) < count:
                self.news.clear()
                await self.news.wait()
        return found


@dataclass
class World:
    """A crew, and what it asked of its supervisor."""

    program: str
    events: LoudEvents = field(default_factory=LoudEvents)
    greeted: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    live: list[int] = field(default_factory=list)
    greet: Callable[[WorkerProcess], None] = lambda worker: None

    def __post_init__(self) -> None:
        calls = CrewCalls(self.greeting, self.heard, self.ended.append, self.is_live)
        self.crew = Crew(calls, self.events, (sys.executable, "-c", self.program))

    def is_live(self, count: int) -> None:
        self.live.append(count)
        self.events.news.set()

    def greeting(self, worker: WorkerProcess) -> None:
        self.greeted.append(worker.slot)
        self.greet(worker)

    def heard(self, worker: WorkerProcess, message: ToSupervisor) -> None:
        raise AssertionError("these workers say nothing")


async def test_every_slot_gets_a_worker() -> None:
    world = World(DEAF)
    world.crew.resize(3, 0.0)
    await world.events.named("worker-started", 3)
    assert sorted(world.greeted) == [0, 1, 2]
    assert world.live == [3]
    await world.crew.kill()
    assert sorted(world.ended) == [0, 1, 2]
    assert world.crew.workers() == []


async def test_a_worker_that_dies_soon_is_started_again_and_again() -> None:
    world = World(DYING)
    world.crew.resize(1, 0.0)
    found = await world.events.named("worker-exited", 3)
    await world.crew.kill()
    assert found[0].fields["reason"] == "exit status 3"
    assert world.crew.restarts >= 3
    assert world.ended[:3] == [0, 0, 0]


async def test_waits_grow_while_it_keeps_dying(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    sleep = asyncio.sleep

    async def note(seconds: float) -> None:
        waits.append(seconds)
        await sleep(0)

    monkeypatch.setattr(crew_module.asyncio, "sleep", note)
    world = World(DYING)
    world.crew.resize(1, 0.0)
    await world.events.named("worker-exited", 9)
    await world.crew.kill()
    assert waits[:8] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


async def test_a_program_that_cannot_be_started_is_an_event() -> None:
    world = World(DEAF)
    world.crew._command = ("/no/such/program",)
    world.crew.resize(1, 0.0)
    found = await world.events.named("worker-not-started")
    await world.crew.kill()
    assert "/no/such/program" in str(found[0].fields["reason"])


async def test_a_worker_that_never_answers_is_unknown_and_at_last_replaced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crew_module, "PING_EVERY_S", 0.01)
    world = World(DEAF)
    world.crew.resize(1, 0.0)
    await world.events.named("worker-started")
    assert await world.crew.ask(0.01) == {0: None}
    assert await world.crew.confirm(1, 0.01) == [0]
    watch = asyncio.create_task(world.crew.watch())
    await world.events.named("worker-stuck")
    exited = await world.events.named("worker-exited")
    await world.events.named("worker-started", 2)
    watch.cancel()
    await world.crew.kill()
    assert exited[0].fields["reason"] == "signal SIGKILL"


async def test_who_does_not_drain_in_time_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew_module, "GRACE_S", 0.05)
    world = World(DEAF)
    world.crew.resize(2, 0.0)
    await world.events.named("worker-started", 2)
    await world.crew.drain(0.05)
    assert world.crew.workers() == []
    assert world.crew.stopping


async def test_fewer_workers_drain_and_their_slots_stay_live_until_they_end() -> None:
    """These leave at the first message, which is the request to drain."""
    world = World(LEAVING)
    world.crew.resize(3, 0.0)
    await world.events.named("worker-started", 3)
    world.crew.resize(1, 0.0)
    exited = await world.events.named("worker-exited", 2)
    assert {each.fields["worker"] for each in exited} == {1, 2}
    assert [each.level for each in exited] == ["info", "info"]
    assert world.crew.restarts == 0
    assert world.live[:2] == [3, 3]
    async with asyncio.timeout(30):
        while world.live[-1] != 1:
            world.events.news.clear()
            await world.events.news.wait()
    await world.crew.kill()


async def test_an_emptied_slot_is_filled_again_when_the_number_grows() -> None:
    world = World(LEAVING)
    world.crew.resize(2, 0.0)
    await world.events.named("worker-started", 2)
    world.crew.resize(1, 0.0)
    await world.events.named("worker-exited")
    world.crew.resize(2, 0.0)
    found = await world.events.named("worker-started", 3)
    assert found[2].fields["worker"] == 1
    await world.crew.kill()
