"""Two directors and one store, all in this process: what one is told holds at the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from l7lb.director.administration import Administration
from l7lb.director.messages import Learned, Update
from l7lb.director.shared_state import SharedState
from l7lb.errors import ControlError
from l7lb.model import (
    Address,
    ClusterSpec,
    PersistenceKind,
    PersistenceSpec,
    PoolSpec,
    ServerSpec,
)
from l7lb.model_store import EtcdStore
from l7lb.pool.server import Admin
from l7lb_storage import (
    MemoryEngine,
    Mode,
    Node,
    SessionSpec,
    Store,
    Unavailable,
    World,
)
from l7lb_storage.model import Outcome, Transaction
from support.standing_parts import ToldCrew, close_parts, standing_parts

SERVERS = tuple(ServerSpec(name, Address("192.0.2.1", 80)) for name in ("alpha", "beta"))
LEARNED = PersistenceSpec(PersistenceKind.LEARNED, b"sid", timeout_s=60.0)
SPEC = ClusterSpec({"web": PoolSpec("web", SERVERS, persistence=LEARNED)}, {})
STORE = EtcdStore(("http://192.0.2.9",))
KEY = ("web", "alpha")
DEADLINE_S = 20.0


class Cut(MemoryEngine):
    """An engine whose way to the store can be cut."""

    is_cut = False

    async def transact(self, transaction: Transaction) -> Outcome:
        if self.is_cut:
            raise Unavailable("cut")
        return await super().transact(transaction)


class Director:
    """`shared` is what is tested; the rest stands still."""

    def __init__(self, folder: Path, world: World) -> None:
        folder.mkdir(exist_ok=True)
        self.parts = standing_parts(folder, SPEC)
        self.parts.running.admin.load()
        self.engine = Cut(world)
        self.shared = SharedState(self.parts, lambda _: self.engine)
        self.administration = Administration(self.parts)
        self.shared.start(STORE)

    async def close(self) -> None:
        await self.shared.close()
        close_parts(self.parts)

    @property
    def admin(self) -> Admin:
        return self.parts.running.admin.get(KEY).admin

    @property
    def owes(self) -> bool:
        return bool(self.parts.running.admin.unshared())

    def told(self, kind: type) -> list[object]:
        assert isinstance(self.parts.crew, ToldCrew)
        return [message for message in self.parts.crew.told if isinstance(message, kind)]

    def events(self, name: str) -> int:
        return sum(event.name == name for event in self.parts.events.since(0, 1000))


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def pair(tmp_path: Path, world: World) -> AsyncIterator[tuple[Director, Director]]:
    one, other = Director(tmp_path / "one", world), Director(tmp_path / "other", world)
    yield one, other
    await one.close()
    await other.close()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_drain_here_is_a_drain_there(pair: tuple[Director, Director]) -> None:
    one, other = pair
    one.administration.drain("web", "alpha", 60.0)
    await until(lambda: other.admin is Admin.DRAIN)
    await until(lambda: not one.owes)
    update = other.told(Update)[-1]
    assert isinstance(update, Update)
    assert (update.pool, update.update.name, update.update.admin) == ("web", "alpha", Admin.DRAIN)
    assert update.update.drain_until is not None
    assert abs(update.update.drain_until - (500.0 + 60.0)) < 5.0
    other.administration.enable("web", "alpha")
    await until(lambda: one.admin is Admin.READY and not one.owes and not other.owes)


async def test_a_weight_is_shared_too(pair: tuple[Director, Director]) -> None:
    one, other = pair
    one.administration.weigh("web", "alpha", 7)
    await until(lambda: other.parts.running.admin.get(KEY).weight == 7)


async def test_what_is_owed_is_paid_when_the_store_is_back(
    pair: tuple[Director, Director],
) -> None:
    one, other = pair
    await until(lambda: one.events("store-answers") == 1)
    one.engine.is_cut = True
    one.administration.disable("web", "alpha")
    assert one.admin is Admin.DISABLED  # at once, here
    await until(lambda: one.events("store-away") > 0)
    assert other.admin is Admin.READY
    assert one.shared.view() is not None
    assert (one.shared.view() or {})["unsent"] == 1
    one.engine.is_cut = False
    await until(lambda: other.admin is Admin.DISABLED and not one.owes)


async def test_what_was_said_alone_is_told_to_a_store_that_comes_later(
    tmp_path: Path, world: World
) -> None:
    alone = standing_parts(tmp_path, SPEC)
    Administration(alone).disable("web", "alpha")
    close_parts(alone)
    director = Director(tmp_path, world)
    await until(lambda: not director.owes)
    engine = MemoryEngine(world)
    await engine.open()
    assert b"disabled" in (await Store(engine).range("admin/")).items[0].value
    await engine.close()
    await director.close()


async def test_who_was_away_learns_what_was_taken_back(tmp_path: Path, world: World) -> None:
    one, other = Director(tmp_path / "one", world), Director(tmp_path / "other", world)
    one.administration.disable("web", "alpha")
    await until(lambda: other.admin is Admin.DISABLED)
    await other.close()
    one.administration.enable("web", "alpha")
    await until(lambda: not one.owes)
    other = Director(tmp_path / "other", world)
    assert other.admin is Admin.DISABLED  # from its file, until the store is heard
    await until(lambda: other.admin is Admin.READY)
    await one.close()
    await other.close()


async def test_the_last_word_that_reached_the_store_holds_for_all(
    pair: tuple[Director, Director],
) -> None:
    one, other = pair
    for number in range(30):
        one.administration.weigh("web", "alpha", number)
        other.administration.weigh("web", "alpha", 100 + number)
        await asyncio.sleep(0)
    weights = lambda: {  # noqa: E731
        each.parts.running.admin.get(KEY).weight for each in (one, other)
    }
    await until(lambda: not one.owes and not other.owes and len(weights()) == 1)


async def test_servers_of_a_later_file_have_what_the_store_says(
    pair: tuple[Director, Director], world: World
) -> None:
    one, _ = pair
    engine = MemoryEngine(world)
    await engine.open()
    entry = b'{"admin": "disabled", "drain_until_s": 0, "weight": null, "since_s": 1}'
    await Store(engine).put("admin/web/gamma", entry)
    await Store(engine).put("admin/web/alpha", b"what another version writes")
    await until(lambda: ("web", "gamma") in one.shared._there)
    assert one.parts.running.admin.shared() == []
    servers = (*SERVERS, ServerSpec("gamma", Address("192.0.2.3", 80)))
    spec = ClusterSpec({"web": PoolSpec("web", servers, persistence=LEARNED)}, {})
    one.parts.running.take(spec, one.parts.running.plan(spec))
    one.shared.file_changed()
    assert one.parts.running.admin.get(("web", "gamma")).admin is Admin.DISABLED
    await engine.close()


async def test_a_cookie_learnt_here_is_known_there(pair: tuple[Director, Director]) -> None:
    one, other = pair
    pin = Learned("web", b"s-1", "alpha")
    one.shared.learned(pin)
    await until(lambda: pin in other.told(Learned))
    assert list(other.parts.pins.all()) == [pin]
    one.shared.learned(pin)  # used again: no news for the other's workers
    one.shared.learned(Learned("web", b"s-2", "beta"))
    await until(lambda: len(other.told(Learned)) == 2)


async def test_a_director_that_starts_late_is_told_all(tmp_path: Path, world: World) -> None:
    one = Director(tmp_path / "one", world)
    pins = [Learned("web", b"s-%d" % number, "alpha") for number in range(50)]
    for pin in pins:
        one.shared.learned(pin)
    await until(lambda: not one.shared._unsent)
    late = Director(tmp_path / "late", world)
    await until(
        lambda: sorted(p.value for p in late.parts.pins.all()) == sorted(p.value for p in pins)
    )
    await late.close()
    await one.close()


async def test_locks_are_shown(pair: tuple[Director, Director], world: World) -> None:
    one, _ = pair
    engine = MemoryEngine(world)
    await engine.open()
    async with Node(engine, SessionSpec("node-a", ttl_s=15)) as node:
        session = await node.ready()
        async with await session.acquire("user/17", Mode.EX):
            await until(lambda: one.events("store-answers") == 1)
            (lock,) = await one.shared.locks("user/", 10)
            assert (lock["resource"], lock["mode"], lock["granted"]) == ("user/17", "EX", True)
            assert lock["holder"] == "node-a"
    await engine.close()


async def test_without_a_store_nothing_is_shared(tmp_path: Path) -> None:
    parts = standing_parts(tmp_path, SPEC)
    shared = SharedState(parts)
    shared.start(None)
    shared.learned(Learned("web", b"1", "alpha"))
    assert shared.view() is None
    with pytest.raises(ControlError, match="names no store"):
        await shared.locks("", 10)
    await shared.close()
    close_parts(parts)


async def test_a_store_that_never_answers_is_away(tmp_path: Path) -> None:
    class Nowhere(MemoryEngine):
        async def open(self) -> None:
            raise Unavailable("nobody there")

    parts = standing_parts(tmp_path, SPEC)
    shared = SharedState(parts, lambda _: Nowhere())
    shared.start(STORE)
    async with asyncio.timeout(DEADLINE_S):
        while (shared.view() or {})["state"] != "away":
            await asyncio.sleep(0.005)
    with pytest.raises(ControlError, match="does not answer"):
        await shared.locks("", 10)
    await shared.close()
    close_parts(parts)
