"""Agents as processes beside readers that are processes too: end to end over loopback."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from l7lb.cli.main import main
from l7lb.media.hot.choice import Why
from l7lb.media.hot.chooser import Chooser
from l7lb.media.hot.holdings import Holdings, NodeView
from l7lb.media.hot.receiver import Receiver
from l7lb.model_directory import SecretSpec
from l7lb.model_hot_files import AnnounceSpec, Socket
from support.media_agent import DEADLINE_S, OLD_S, SECRET, Agent, Films, Reader, eventually

MB = 1_000_000
pytestmark = pytest.mark.timeout(300)
Start = Callable[[str], Agent]


@pytest.fixture
def films(tmp_path: Path) -> Films:
    found = Films(tmp_path)
    found.configure("127.0.0.1:9")
    return found


@pytest.fixture
def start(films: Films) -> Iterator[Start]:
    agents: list[Agent] = []

    def started(node: str) -> Agent:
        agents.append(Agent(films, node))
        agents[-1].start()
        return agents[-1]

    yield started
    for agent in agents:
        if agent.process is not None:
            agent.end()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def view(agent: Agent, name: str, times: int = 1) -> None:
    """Open it, and read it whole; each is seen before the next."""
    for _ in range(times):
        before = accesses(agent)
        reader = Reader(agent.presented / name)
        assert reader.read() == agent.films.digest(name)
        eventually(lambda: accesses(agent) > before, f"{name} was opened")  # noqa: B023
        reader.end()


def accesses(agent: Agent) -> int:
    status = agent.status()
    return status.accesses if status else 0


def test_the_second_viewing_makes_a_copy_and_who_reads_goes_on(films: Films, start: Start) -> None:
    film = films.make("a/film one.mp4", 3 * MB)
    agent = start("m1")
    assert (agent.presented / "a/film one.mp4").resolve() == film.resolve()
    watching = Reader(agent.presented / "a/film one.mp4")
    watching.read(MB)
    view(agent, "a/film one.mp4")
    eventually(lambda: agent.is_local("a/film one.mp4"), "it is copied")
    assert digest(agent.presented / "a/film one.mp4") == films.digest("a/film one.mp4")
    assert watching.read(2 * MB) == films.digest("a/film one.mp4", MB)
    watching.end()
    eventually(lambda: (s := agent.status()) and s.copies == 1 and s.sessions == 0)
    status = agent.status()
    assert status is not None
    assert (status.copies_made, status.copied_bytes, status.shared) == (1, 3 * MB, "there")
    assert status.hot[0][0] == "a/film one.mp4"
    assert 0.5 < status.hot[0][1] <= 2.0


def test_one_viewing_makes_no_copy(films: Films, start: Start) -> None:
    films.make("once.mp4", MB)
    films.make("twice.mp4", MB)
    agent = start("m1")
    view(agent, "once.mp4")
    view(agent, "twice.mp4", 2)
    eventually(lambda: agent.is_local("twice.mp4"))
    assert not agent.is_local("once.mp4")


def test_killed_in_the_middle_of_a_copy(films: Films, start: Start) -> None:
    films.make("film.mp4", 8 * MB)
    films.configure("127.0.0.1:9", rate="1MB")
    agent = start("m1")
    view(agent, "film.mp4", 2)
    partial = agent.local / "partial" / "file"
    eventually(partial.exists, "the copy has begun")
    agent.end(signal.SIGKILL)
    assert partial.exists(), "it was in the middle"
    assert not agent.copy("film.mp4").exists()
    assert digest(agent.presented / "film.mp4") == films.digest("film.mp4")
    films.configure("127.0.0.1:9")
    agent.start()
    assert not partial.exists()
    view(agent, "film.mp4", 2)
    eventually(lambda: agent.is_local("film.mp4"))
    assert digest(agent.copy("film.mp4")) == films.digest("film.mp4")
    agent.end(signal.SIGKILL)
    assert agent.is_local("film.mp4"), "a link needs no agent"
    agent.start()
    assert agent.is_local("film.mp4")
    eventually(lambda: (s := agent.status()) and s.epoch == 3 and s.copies == 1)
    assert agent.end() == 0


def test_ended_in_the_middle_of_a_copy_it_ends_soon_and_leaves_nothing(
    films: Films, start: Start
) -> None:
    films.make("film.mp4", 8 * MB)
    films.configure("127.0.0.1:9", rate="10kB")
    agent = start("m1")
    view(agent, "film.mp4", 2)
    eventually((agent.local / "partial" / "file").exists, "the copy has begun")
    assert agent.end() == 0
    assert not (agent.local / "partial" / "file").exists()
    assert not agent.copy("film.mp4").exists()


def test_room_is_made_but_never_by_what_is_read(films: Films, start: Start) -> None:
    films.configure("127.0.0.1:9", capacity="5MB")
    for name in ("first.mp4", "second.mp4"):
        films.make(name, 3 * MB)
    agent = start("m1")
    view(agent, "first.mp4", 2)
    eventually(lambda: agent.is_local("first.mp4"))
    reader = Reader(agent.presented / "first.mp4")
    view(agent, "second.mp4", 6)
    eventually(lambda: (s := agent.status()) and s.refused > 0, "there is no room")
    assert agent.is_local("first.mp4")
    assert reader.read() == films.digest("first.mp4")
    reader.end()
    eventually(lambda: (s := agent.status()) and s.sessions == 0)
    for _ in range(20):
        view(agent, "second.mp4")
        if agent.is_local("second.mp4"):
            break
    eventually(lambda: agent.is_local("second.mp4"))
    assert not agent.copy("first.mp4").exists()
    assert digest(agent.presented / "first.mp4") == films.digest("first.mp4")


def test_originals_that_come_change_and_go(films: Films, start: Start) -> None:
    agent = start("m1")
    film = films.make("new/film.mp4", MB)
    eventually((agent.presented / "new/film.mp4").exists, "a new file is presented")
    view(agent, "new/film.mp4", 2)
    eventually(lambda: agent.is_local("new/film.mp4"))
    reader = Reader(agent.presented / "new/film.mp4")
    before = films.digest("new/film.mp4")
    fresh = films.make("fresh", MB + 1)
    os.utime(fresh, (OLD_S, OLD_S))
    fresh.rename(film)
    eventually(lambda: not agent.is_local("new/film.mp4"), "the copy is no longer true")
    assert digest(agent.presented / "new/film.mp4") == films.digest("fresh")
    assert reader.read() == before, "who was reading the old one reads on"
    reader.end()
    film.unlink()
    eventually(lambda: not os.path.lexists(agent.presented / "new"), "it is gone")


def test_shared_storage_that_is_away_changes_nothing(films: Films, start: Start) -> None:
    films.make("film.mp4", MB)
    agent = start("m1")
    view(agent, "film.mp4", 2)
    eventually(lambda: agent.is_local("film.mp4"))
    want = digest(agent.copy("film.mp4"))
    aside = films.shared.rename(films.top / "aside")
    films.shared.mkdir()
    eventually(lambda: (s := agent.status()) and "not mounted" in s.shared, "it is seen")
    assert digest(agent.presented / "film.mp4") == want
    films.shared.rmdir()
    aside.rename(films.shared)
    eventually(lambda: (s := agent.status()) and s.shared == "there", "and that it is back")
    assert agent.is_local("film.mp4")


def test_popularity_outlives_a_restart(films: Films, start: Start) -> None:
    films.make("film.mp4", MB)
    agent = start("m1")
    view(agent, "film.mp4", 2)
    eventually(lambda: (s := agent.status()) and s.hot)
    assert agent.end() == 0
    agent.start()
    status = agent.status()
    assert status is not None
    [(name, score, held)] = status.hot
    assert name == "film.mp4"
    assert score > 0.5
    assert held == agent.is_local("film.mp4")


def test_what_cannot_be_started(
    films: Films, start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    start("m1")
    assert main(["media-agent", str(films.rules), "m1"]) == 1
    assert "used by another agent" in capsys.readouterr().err
    assert main(["media-agent", str(films.rules), "m" * 65]) == 1
    assert "no name of a server" in capsys.readouterr().err


# --------------------------------------------------------------------------- with a director


class Director:
    def __init__(self) -> None:
        listen = Socket("127.0.0.1", 0)
        spec = AnnounceSpec((), SecretSpec(SECRET.encode()), listen=listen)
        self.holdings = Holdings(fresh_s=DEADLINE_S)
        self.receiver = Receiver(spec, self.holdings)
        self.chooser = Chooser(self.holdings)
        self.port = self.receiver.open()

    def choice(self, path: bytes) -> tuple[str, Why] | None:
        found = self.chooser.explain(path, ["m1", "m2"])
        return (found.name, found.why) if found else None

    def holders(self, path: bytes) -> set[str]:
        choice = self.chooser.explain(path, ["m1", "m2"])
        return set(choice.holders) if choice else set()


@pytest.fixture
async def director() -> AsyncIterator[Director]:
    found = Director()
    yield found
    await found.receiver.close()


async def seen(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.02)


async def test_clients_follow_the_copy(films: Films, start: Start, director: Director) -> None:
    films.configure(f"127.0.0.1:{director.port}", shared="{node}/mount")
    films.make("hot.mp4", MB)
    for name in ("m1", "m2"):
        films.mount(name)
    agents = {node: await asyncio.to_thread(start, node) for node in ("m1", "m2")}
    await seen(lambda: len([n for n in director.holdings.nodes(0.0) if not n.needs_list]) == 2)
    home = director.chooser.choose("media", b"/hot.mp4", ["m1", "m2"])
    assert home in agents
    other = ({"m1", "m2"} - {home}).pop()
    await asyncio.to_thread(view, agents[other], "hot.mp4", 2)
    await seen(lambda: director.holders(b"/hot.mp4") == {other})
    for number in range(100):  # of the demand for one film alone, each server gets a copy
        director.chooser.choose("media", b"/other%d.mp4" % number, ["m1", "m2"])
    await seen(lambda: director.choice(b"/hot.mp4") == (other, Why.HOLDER))
    assert agents[other].is_local("hot.mp4")
    assert not agents[home].is_local("hot.mp4")
    reader = await asyncio.to_thread(Reader, agents[other].presented / "hot.mp4")
    await seen(lambda: node(director, other).sessions == 1)
    await asyncio.to_thread(reader.end)
    await seen(lambda: node(director, other).sessions == 0)
    (films.top / other / "mount" / "hot.mp4").unlink()
    (films.top / other / "mount" / "more").mkdir()
    await seen(lambda: director.holders(b"/hot.mp4") == set())


def node(director: Director, name: str) -> NodeView:
    return next(each for each in director.holdings.nodes(0.0) if each.name == name)


async def test_an_agent_that_is_killed_comes_back_with_what_it_has(
    films: Films, start: Start, director: Director
) -> None:
    films.configure(f"127.0.0.1:{director.port}")
    films.make("hot.mp4", MB)
    agent = await asyncio.to_thread(start, "m1")
    await asyncio.to_thread(view, agent, "hot.mp4", 2)
    await seen(lambda: director.holders(b"/hot.mp4") == {"m1"})
    await asyncio.to_thread(agent.end, signal.SIGKILL)
    await asyncio.to_thread(agent.start)
    await seen(lambda: director.holdings._nodes["m1"].proved_epoch == 2)
    assert director.holders(b"/hot.mp4") == {"m1"}
