"""Accounts and their servers: directors agree, also when they see different servers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from l7lb.mail.assignments import (
    MOVING,
    UNKNOWN,
    Assignment,
    Assignments,
    Key,
    change,
    decode,
    kicked,
    moved,
    store_key,
)
from l7lb.mail.migration.record import RECORDS, Record, Step
from l7lb.model import PoolSpec
from l7lb_storage import MemoryEngine, StorageError, Store, World

ALICE = "alice@example.org"
KEY = ("mail", ALICE)


class Servers:
    """A pool as one director sees it: the first usable server is proposed."""

    def __init__(self, *usable: str) -> None:
        self.name = "mail"
        self.usable = list(usable)
        self.spec = PoolSpec("mail", ())

    def keeps(self, name: str) -> bool:
        return name in self.usable

    def propose(self, account: bytes) -> str | None:
        return self.usable[0] if self.usable else None


class Director:
    def __init__(self) -> None:
        self.told: list[tuple[Key, Assignment]] = []
        self.marks: list[tuple[str, bool]] = []
        self.assignments = Assignments(
            lambda key, found: self.told.append((key, found)),
            lambda account, revision: self.marks.append((account, revision is not None)),
        )

    async def server(self, pool: Servers, home: str | None = None) -> str | None:
        found = await self.assignments.of(ALICE, pool, home)
        return None if found is None else found.server

    async def hears(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.001)


@asynccontextmanager
async def following(world: World, count: int = 2) -> AsyncIterator[list[Director]]:
    directors = [Director() for _ in range(count)]
    engines = [MemoryEngine(world) for _ in directors]
    for engine in engines:
        await engine.open()
    stores = [Store(engine) for engine in engines]
    tasks = [
        asyncio.create_task(each.assignments.follow(store))
        for each, store in zip(directors, stores, strict=True)
    ]
    for each in directors:
        await each.hears(lambda each=each: not each.assignments.is_blind)
    yield directors
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for store, engine in zip(stores, engines, strict=True):
        await store.close()
        await engine.close()


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    engine = MemoryEngine(World())
    await engine.open()
    yield Store(engine)
    await engine.close()


async def test_the_first_word_holds_for_all() -> None:
    """They see different servers, and the account still meets itself on one."""
    async with following(World()) as (one, other):
        assert await one.server(Servers("m1", "m2")) == "m1"
        assert await other.server(Servers("m2", "m1")) == "m1"


async def test_all_at_once_end_on_one_server() -> None:
    async with following(World(), 3) as directors:
        views = [Servers("m1", "m2", "m3"), Servers("m2", "m1", "m3"), Servers("m3", "m1", "m2")]
        found = await asyncio.gather(
            *(each.server(view) for each, view in zip(directors, views, strict=True))
        )
        assert len(set(found)) == 1


async def test_a_server_that_is_gone_is_replaced_once() -> None:
    async with following(World()) as (one, other):
        assert await one.server(Servers("m1", "m2")) == "m1"
        assert await one.server(Servers("m2")) == "m2"
        await other.hears(lambda: other.assignments.known(KEY) == Assignment("m2", 0.0, 1))
        assert await other.server(Servers("m3", "m2")) == "m2"


async def test_a_server_that_seems_gone_may_finish_before_another_has_the_account() -> None:
    async with following(World()) as (one, other):
        pool = Servers("m1", "m2")
        pool.spec = PoolSpec("mail", (), takeover_s=3600.0)
        rests = one.assignments.at_rest
        assert await rests(ALICE, pool, None, 0.0) == Assignment("m1")  # a new one waits for nobody
        pool.usable = ["m2"]
        assert await rests(ALICE, pool, None, 0.0) is None
        await other.hears(lambda: other.assignments.moves(KEY))
        assert other.assignments.known(KEY).server == "m2"  # sessions there end now
        assert await other.assignments.at_rest(ALICE, pool, None, 0.01) is None
        assert await rests(ALICE, pool, "m3", 0.01) is None
        pool.spec = PoolSpec("mail", (), takeover_s=0.05)
        await change(one.assignments._store, KEY, lambda at: Assignment("m1", 0.0, at.kicks))
        await one.hears(lambda: one.assignments.known(KEY).server == "m1")
        found = await rests(ALICE, pool, None, 60.0)
        assert (found.server, found.hold_until_s <= time.time()) == ("m2", True)


async def test_whom_the_directory_moves_waits_for_nobody() -> None:
    async with following(World(), 1) as (one,):
        pool = Servers("m1")
        pool.spec = PoolSpec("mail", (), takeover_s=3600.0)
        await one.server(pool)
        found = await one.assignments.at_rest(ALICE, pool, "m2", 0.0)
        assert found == Assignment("m2", 0.0, 1)


async def test_the_directory_decides_where_it_has_a_word() -> None:
    async with following(World()) as (one, other):
        assert await one.server(Servers("m1", "m2")) == "m1"
        assert await other.server(Servers("m1", "m2"), home="m2") == "m2"
        assert await other.server(Servers("m1"), home="m2") == "m2"  # and no other, if it is down


async def test_whom_the_directory_has_placed_needs_no_record_to_come_in(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with following(World(), 1) as (one,):
        with monkeypatch.context() as patch:
            patch.delattr(Store, "swap")
            assert await one.assignments.of(ALICE, Servers("m1"), "m2") == Assignment("m2")
        assert one.assignments.known(KEY) is None


async def test_who_stays_gets_a_record_which_everybody_sees() -> None:
    async with following(World()) as (one, other):
        for each in (one, other):
            await each.assignments.record(KEY, "m2")
            await other.hears(lambda: other.assignments.known(KEY) == Assignment("m2"))


async def test_a_record_that_is_there_is_not_written_over() -> None:
    async with following(World()) as (one, other):
        await one.assignments.move(KEY, "m3", hold_s=0.0)
        await other.assignments.record(KEY, "m2")
        await other.hears(lambda: other.assignments.known(KEY) is not None)
        assert other.assignments.known(KEY).server == "m3"


async def test_without_a_store_nothing_can_be_recorded() -> None:
    with pytest.raises(StorageError):
        await Director().assignments.record(KEY, "m1")


async def test_no_server_at_all() -> None:
    async with following(World(), 1) as (one,):
        assert await one.server(Servers()) is None


async def test_a_move_is_heard_everywhere_and_holds_logins() -> None:
    async with following(World()) as (one, other):
        await one.server(Servers("m1", "m2"))
        await one.assignments.move(KEY, "m2", hold_s=3600.0)
        await other.hears(lambda: other.told and other.told[-1][1].server == "m2")
        assert other.told[-1][1].kicks == 1
        assert not await other.assignments.settle_moves(KEY, 0.0)
        await one.assignments.move(KEY, "m2", hold_s=3600.0)
        assert one.assignments.known(KEY).kicks == 1  # it is there already


async def test_a_migration_holds_logins_until_its_mark_goes() -> None:
    world = World()
    async with following(world, 1) as (one,):
        await one.server(Servers("m1"))
        engine = MemoryEngine(world)
        await engine.open()
        store = Store(engine)
        await store.put(MOVING + ALICE, b"{}")
        await one.hears(lambda: one.marks == [(ALICE, True)])
        assert one.assignments.has_left(ALICE, "m1", 0)
        waiting = asyncio.create_task(one.assignments.settle_moves(KEY, 60.0))
        await asyncio.sleep(0)
        assert not waiting.done()
        await store.delete(MOVING + ALICE)
        assert await waiting
        assert one.marks == [(ALICE, True), (ALICE, False)]
        assert one.assignments.turns == 1
        assert not one.assignments.has_left(ALICE, "m1", 0)
        await engine.close()


async def test_an_old_word_of_the_directory_leads_to_the_new_server() -> None:
    """It is remembered from before a migration; a later word holds."""
    async with following(World(), 1) as (one,):
        pool, other = Servers("m1", "m2", "m3"), one.assignments._store
        assert other is not None
        assert await one.server(pool, home="m1") == "m1"
        record = Record(ALICE, "m1", "m2", 1.0, Step.MOVING)
        await other.put(RECORDS + ALICE, record.encoded())
        await other.put(RECORDS + "bob@example.org", b"what another version wrote")
        await one.hears(lambda: ALICE in one.assignments._migrated)
        assert await one.server(pool, home="m1") == "m1"
        switched = replace(record, step=Step.SWITCHED)
        await other.put(RECORDS + ALICE, switched.encoded())
        await one.hears(lambda: one.assignments._migrated[ALICE] == switched)
        assert await one.server(pool, home="m1") == "m2"
        turns = one.assignments.turns
        assert one.assignments.has_left(ALICE, "m1", turns - 1)
        assert not one.assignments.has_left(ALICE, "m1", turns)
        assert not one.assignments.has_left(ALICE, "m2", turns - 1)
        assert await one.server(pool, home="m2") == "m2"
        assert await one.server(pool, home="m3") == "m3"
        await other.delete(RECORDS + ALICE)
        await one.hears(lambda: ALICE not in one.assignments._migrated)
        assert await one.server(pool, home="m1") == "m1"


async def test_without_a_store_it_guesses_and_says_so() -> None:
    director = Director()
    found = await director.assignments.of(ALICE, Servers("m1"), None)
    assert found == Assignment("m1", kicks=UNKNOWN)
    assert director.assignments.is_blind
    with pytest.raises(StorageError):
        await director.assignments.move(KEY, "m2", 0.0)


async def test_a_kick_leaves_the_server(store: Store) -> None:
    assert await change(store, KEY, kicked) is None  # nobody is there
    await change(store, KEY, moved("m1", 0.0))
    found = await change(store, KEY, kicked)
    assert found is not None
    assert (found.server, found.kicks) == ("m1", 2)
    item = await store.get(store_key(*KEY))
    assert item is not None
    assert decode(item.value) == found


async def test_a_new_account_costs_one_write(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unasked(_key: str) -> None:
        raise AssertionError("nobody needs to look")

    with monkeypatch.context() as patch:
        patch.setattr(store, "get", unasked)
        assert await change(store, KEY, moved("m1", 0.0), is_new=True)
    item = await store.get(store_key(*KEY))
    assert item is not None


async def test_an_account_that_was_not_new_after_all(store: Store) -> None:
    first = await change(store, KEY, moved("m1", 0.0))
    assert await change(store, KEY, lambda present: present, is_new=True) == first
    found = await change(store, KEY, moved("m2", 0.0), is_new=True)
    assert found is not None
    assert (found.server, found.kicks) == ("m2", 2)


@pytest.mark.parametrize("value", [b"", b"{}", b"[1]", b'["m1", "x", 0]', b"\xff", b"null"])
async def test_a_record_of_another_version_is_none(store: Store, value: bytes) -> None:
    assert decode(value) is None
    await store.put(store_key(*KEY), value)
    found = await change(store, KEY, moved("m1", 0.0))
    assert found is not None
    assert found.server == "m1"
