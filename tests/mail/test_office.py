"""What sessions of a worker share: the store's coming and going, locks, chores, directories."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from l7lb.errors import DirectoryAway
from l7lb.mail import roll
from l7lb.mail.assignments import MOVING, UNKNOWN, Assignment
from l7lb.mail.office import Office, OfficeSpec
from l7lb.mail.smtp.office import Box
from l7lb.ports import SystemClock
from l7lb_storage import MemoryEngine, NotGranted, StorageError, Store, Unavailable, World

KEY = ("mail", "alice@example.org")


async def hears(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


def office_of(name: str) -> Office:
    chance = random.Random(1).random
    return Office(OfficeSpec(name, b"s" * 32, {}, SystemClock(), chance, ttl_s=1.0))


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    made = office_of("one")
    yield made
    await made.close()


async def test_a_worker_is_on_the_roll_while_it_serves(office: Office) -> None:
    world = World()
    engine = MemoryEngine(world)
    await engine.open()
    store = Store(engine)
    office.set_store(MemoryEngine(world))
    await hears(lambda: office.store)
    assert await roll.members(store) == [office.spec.member]
    await office.close()
    assert await roll.members(store) == []
    await engine.close()


class Silent(MemoryEngine):
    """A store that cannot be reached."""

    async def open(self) -> None:
        raise Unavailable("nobody there")


class Pool:
    name = "mail"

    def keeps(self, name: str) -> bool:
        return True

    def propose(self, account: bytes) -> str | None:
        return "m1"


async def test_a_new_worker_waits_for_the_first_word_and_not_for_ever(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An account may move just then; a store that is away stops nobody for long."""
    pool: Any = Pool()
    first = asyncio.create_task(office.place("alice", pool, None, 20.0))
    assert (await first) is not None  # there is no store to wait for
    office.set_store(Silent(World()))
    office._word_due_s = office.spec.clock.now() + 20.0
    waiting = asyncio.create_task(office.place("alice", pool, None, 20.0))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not waiting.done()
    office.set_store(MemoryEngine(World()))
    found = await waiting
    assert found is not None
    assert found.kicks == 0  # from the store
    monkeypatch.setattr("l7lb.mail.office.FIRST_WORD_S", 0.01)
    other = office_of("other")
    other.set_store(Silent(World()))
    guess = await other.place("alice", pool, None, 20.0)
    assert guess is not None
    assert guess.kicks == UNKNOWN
    await other.close()


async def test_a_message_for_an_account_that_moves_is_not_begun(office: Office) -> None:
    world = World()
    office.set_store(MemoryEngine(world))
    await hears(lambda: office.store)
    assert office.store is not None
    boxes = {Box("alice", "m1"), Box("bob", "m1")}
    over = office.deliver_to(boxes)
    assert over is not None
    await office.store.put(MOVING + "bob", b"{}")
    await hears(lambda: office.deliver_to(boxes) is None)
    over()
    await office.store.delete(MOVING + "bob")
    await hears(lambda: office.deliver_to(boxes) is not None)


class Guest:
    """A session."""

    is_fixed = False
    is_locked = False

    def __init__(self, office: Office) -> None:
        self.key = KEY
        self.assignment = Assignment("m1")
        self.ended = ""
        self._office = office
        office.sessions.enter(self)

    def moved_bytes(self) -> int:
        return 0

    def end(self, reason: str) -> None:
        self.ended = reason
        self._office.sessions.leave(self)


class Locked(Guest):
    """One that holds a maildrop."""

    is_locked = True


class Placed(Guest):
    """One of an account whose server the directory names."""

    is_fixed = True


async def test_a_session_that_lasts_gets_a_record_also_when_the_store_comes_late(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, office: Office
) -> None:
    caplog.set_level(logging.INFO, "l7lb.mail")
    monkeypatch.setattr("l7lb.mail.office.CHORES_S", 0.01)
    session = Placed(office)
    await hears(lambda: "the store is away" in caplog.text)
    office.set_store(MemoryEngine(World()))
    await hears(lambda: office.assignments.known(KEY) == Assignment("m1"))
    assert session.ended == ""


async def test_one_maildrop_one_session(office: Office) -> None:
    world = World()
    other = office_of("other")
    for each in (office, other):
        each.set_store(MemoryEngine(world))
    await hears(lambda: office.store and other.store)
    lock = await office.lock_maildrop("alice")
    with pytest.raises(NotGranted):
        await other.lock_maildrop("alice")
    await lock.release()
    await (await other.lock_maildrop("alice")).release()
    await other.close()


async def test_a_lease_that_is_lost_ends_those_who_hold_maildrops(office: Office) -> None:
    engine = MemoryEngine(World())
    office.set_store(engine)
    await hears(lambda: office.store)
    lock = await office.lock_maildrop("alice")
    session = Locked(office)
    await engine.close_lease(lock.claim.lease)
    await hears(lambda: session.ended)
    assert session.ended == "the maildrop's lock is lost"
    await hears(lambda: office.store)  # and another lease is there


async def test_without_a_store_there_are_no_locks(office: Office) -> None:
    with pytest.raises(StorageError):
        await office.lock_maildrop("alice")
    assert office.state()["store"] == "away"


async def test_another_store_takes_the_place_of_the_first(office: Office) -> None:
    office.set_store(MemoryEngine(World()))
    await hears(lambda: office.store)
    first = office.store
    office.set_store(MemoryEngine(World()))
    await hears(lambda: office.store not in (None, first))
    office.set_store(None)
    await hears(lambda: office.store is None)
    assert office.assignments.is_blind


async def test_without_a_directory_nobody_is_asked(office: Office) -> None:
    with pytest.raises(DirectoryAway):
        office.asked()
    assert office.state()["directory"] is None


class Closing:
    closed = False

    def state(self) -> dict[str, object]:
        return {"kind": "test"}

    async def close(self) -> None:
        self.closed = True


async def test_a_directory_is_closed_when_another_comes(office: Office) -> None:
    first, second = Closing(), Closing()
    office.set_directory(first)  # type: ignore[arg-type]
    assert office.state()["directory"] == {"kind": "test"}
    office.set_directory(second)  # type: ignore[arg-type]
    await hears(lambda: first.closed)
    await office.close()
    assert second.closed


async def test_what_fails_in_the_background_is_logged(
    office: Office, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails() -> None:
        raise RuntimeError("broken")

    task = office.spawn(fails())
    await asyncio.wait([task])
    await hears(lambda: "a mail session failed" in caplog.text)


async def test_a_store_that_is_there_can_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not count as there before it has given a lease."""
    given = asyncio.Event()
    opening = MemoryEngine.open_lease

    async def slow(engine: MemoryEngine, *words: object, **more: object) -> object:
        await given.wait()
        return await opening(engine, *words, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(MemoryEngine, "open_lease", slow)
    office = office_of("one")
    office.set_store(MemoryEngine(World()))
    for _ in range(100):
        await asyncio.sleep(0)
    assert office.store is None
    given.set()
    await hears(lambda: office.store)
    await (await office.lock_maildrop("alice")).release()
    await office.close()
