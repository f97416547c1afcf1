"""The store behaves alike on every engine."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from l7lb_storage import (
    ABSENT,
    Changed,
    Check,
    Delete,
    Item,
    LeaseLost,
    LimitExceeded,
    Put,
    Reset,
    Store,
)
from l7lb_storage.engine import Watch
from l7lb_storage.limits import PAGE_ITEMS, TRANSACTION_STEPS, VALUE_BYTES
from l7lb_storage.model import WatchEvent
from support.storage_rigs import TTL_S, WAIT_S, Rig


async def following(watch: Watch) -> WatchEvent:
    async with asyncio.timeout(WAIT_S):
        return await anext(watch)


@pytest.fixture
async def store(rig: Rig) -> Store:
    return Store(await rig.engine())


async def test_put_get_delete(store: Store) -> None:
    assert await store.get("k") is None
    first = await store.put("k", b"\x00\xff")
    second = await store.put("k", b"")
    assert second > first
    assert await store.get("k") == Item("k", b"", first, second)
    assert await store.delete("k") is True
    assert await store.delete("k") is False
    assert await store.get("k") is None


async def test_range_in_pages(store: Store) -> None:
    keys = [f"p/{number:02}" for number in range(7)]
    for key in [*reversed(keys), "p", "p0", "q"]:
        await store.put(key, key.encode())
    page = await store.range("p/", limit=3)
    found = [item.key for item in page.items]
    while page.more:
        page = await store.range("p/", after=found[-1], limit=3)
        found += [item.key for item in page.items]
    assert found == keys
    everything = await store.range("")
    assert [item.key for item in everything.items] == ["p", *keys, "p0", "q"]
    assert not everything.more
    assert (await store.range("none/")).items == ()


async def test_create_only_once(store: Store) -> None:
    assert await store.create("k", b"1") is True
    assert await store.create("k", b"2") is False
    item = await store.get("k")
    assert item is not None
    assert item.value == b"1"


async def test_transaction_is_all_or_nothing(store: Store) -> None:
    a = await store.put("a", b"1")
    b = await store.put("b", b"1")
    stale = await store.transact(
        (Check("a", a), Check("b", b + 1)), (Put("a", b"2"), Delete("b"), Put("c", b"2"))
    )
    assert not stale.done
    assert [item.value for item in (await store.range("")).items] == [b"1", b"1"]
    done = await store.transact(
        (Check("a", a), Check("b", b), Check("c", ABSENT)),
        (Put("a", b"2"), Delete("b"), Put("c", b"2")),
    )
    assert done.done
    assert (await store.range("")).items == (
        Item("a", b"2", a, done.revision),
        Item("c", b"2", done.revision, done.revision),
    )


async def test_two_who_read_the_same_cannot_both_write(rig: Rig) -> None:
    """The lost update: 10 writers, each 5 increments, nothing is lost."""
    stores = [Store(await rig.engine()) for _ in range(2)]
    await stores[0].put("n", b"0")

    async def increment(store: Store) -> None:
        while True:
            item = await store.get("n")
            assert item is not None
            new = Put("n", b"%d" % (int(item.value) + 1))
            if (await store.transact((Check("n", item.revision),), (new,))).done:
                return

    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*(increment(store) for _ in range(25) for store in stores))
    item = await stores[0].get("n")
    assert item is not None
    assert item.value == b"50"


async def test_bound_keys_go_with_the_session(rig: Rig, store: Store) -> None:
    session = await rig.session()
    await store.put("bound", b"1", lease=session.lease)
    await store.put("unbound", b"1", lease=session.lease)
    await store.put("unbound", b"2")
    item = await store.get("bound")
    assert item is not None
    assert item.lease == session.lease
    await session.close()
    assert await store.get("bound") is None
    assert await store.get("unbound") is not None
    with pytest.raises(LeaseLost):
        await store.put("late", b"1", lease=session.lease)


async def test_kept_keys_go_by_themselves(store: Store) -> None:
    await store.put("short", b"1", keep_s=0.5)
    await store.put("long", b"1", keep_s=60)
    async with asyncio.timeout(WAIT_S), store.watch("short") as watch:
        first = await following(watch)
        assert isinstance(first, Reset)
        assert len(first.items) == 1
        gone = await following(watch)
    assert isinstance(gone, Changed)
    assert gone.item is None
    assert await store.get("long") is not None


async def test_kept_keys_share_leases(store: Store) -> None:
    await store.put("a", b"1", keep_s=60)
    await store.put("b", b"1", keep_s=60)
    items = (await store.range("")).items
    assert len({item.lease for item in items}) == 1


async def test_watch_begins_with_everything(store: Store) -> None:
    await store.put("w/1", b"1")
    await store.put("x", b"1")
    async with store.watch("w/") as watch:
        first = await following(watch)
        assert isinstance(first, Reset)
        assert [item.key for item in first.items] == ["w/1"]
        revision = await store.put("w/2", b"2")
        await store.put("y", b"1")
        await store.delete("w/1")
        assert await following(watch) == Changed(
            "w/2", Item("w/2", b"2", revision, revision), revision
        )
        gone = await following(watch)
    assert isinstance(gone, Changed)
    assert (gone.key, gone.item) == ("w/1", None)
    assert gone.revision > revision


async def test_watch_goes_on_where_it_was(store: Store) -> None:
    revision = await store.put("w/0", b"0")
    for number in range(1, 6):
        await store.put(f"w/{number}", b"%d" % number)
    async with store.watch("w/", after=revision) as watch:
        events = [await following(watch) for _ in range(5)]
        await store.put("w/6", b"6")
        events.append(await following(watch))
    assert [event.item and event.item.value for event in events] == [  # type: ignore[union-attr]
        b"%d" % number for number in range(1, 7)
    ]


async def test_one_transaction_is_heard_whole_and_in_order(store: Store) -> None:
    async with store.watch("w/") as watch:
        assert await following(watch)
        outcome = await store.transact(edits=(Put("w/1", b"1"), Put("w/2", b"2")))
        events = [await following(watch) for _ in range(2)]
    assert {event.revision for event in events} == {outcome.revision}


async def test_watch_after_compaction_begins_anew(rig: Rig, store: Store) -> None:
    old = await store.put("w/1", b"1")
    await store.put("w/1", b"2")
    await store.put("w/2", b"2")
    await rig.compact()
    async with store.watch("w/", after=old) as watch:
        event = await following(watch)
        assert isinstance(event, Reset)
        assert [item.value for item in event.items] == [b"2", b"2"]
        await store.put("w/3", b"3")
        after = await following(watch)
    assert isinstance(after, Changed)
    assert after.revision > event.revision


async def test_watch_from_a_revision_that_never_was_begins_anew(store: Store) -> None:
    revision = await store.put("w/1", b"1")
    async with store.watch("w/", after=revision + 1_000_000) as watch:
        assert isinstance(await following(watch), Reset)


async def test_many_changes_are_heard_without_a_gap(rig: Rig, store: Store) -> None:
    """Written by another engine while the watch is under way."""
    writer = Store(await rig.engine())
    count = 300
    async with store.watch("w/") as watch:
        assert await following(watch)
        tasks = [writer.put(f"w/{number}", b"x") for number in range(count)]
        await asyncio.gather(*tasks)
        events = [await following(watch) for _ in range(count)]
    assert {event.key for event in events} == {  # type: ignore[union-attr]
        f"w/{number}" for number in range(count)
    }
    revisions = [event.revision for event in events]
    assert revisions == sorted(set(revisions))


async def test_closed_watch_ends(store: Store) -> None:
    async with store.watch("w/") as watch:
        assert await following(watch)
    with pytest.raises(StopAsyncIteration):
        await following(watch)


async def test_counter_counts_over_engines(rig: Rig) -> None:
    stores = [Store(await rig.engine(), wall=lambda: 1000.0) for _ in range(2)]
    found = await asyncio.gather(
        *(store.add("ip/192.0.2.1", 1, 10.0) for _ in range(20) for store in stores)
    )
    assert max(found) == 40
    assert await stores[0].add("ip/192.0.2.2", 3, 10.0) == 3
    assert await stores[0].add("ip/192.0.2.1", 0, 10.0) == 40


async def test_counter_forgets(rig: Rig) -> None:
    times = itertools.chain([1000.0, 1005.0, 1010.0, 1015.0, 1035.0], itertools.repeat(1035.0))
    store = Store(await rig.engine(), wall=lambda: next(times))
    found = [await store.add("k", n, 10.0) for n in (4, 4, 1, 1, 1)]
    assert found == [4, 8, 9, 6, 1]


async def test_counters_go_by_themselves(rig: Rig, store: Store) -> None:
    await store.add("k", 1, TTL_S)
    item = (await store.range("count/")).items[0]
    assert item.lease


@pytest.mark.parametrize("key", ["", "x" * 2000, "nul\0", "\ud800"])
async def test_keys_have_limits(store: Store, key: str) -> None:
    with pytest.raises(LimitExceeded):
        await store.put(key, b"")
    with pytest.raises(LimitExceeded):
        await store.get(key)


async def test_values_and_transactions_have_limits(store: Store) -> None:
    await store.put("k", b"x" * VALUE_BYTES)
    with pytest.raises(LimitExceeded):
        await store.put("k", b"x" * (VALUE_BYTES + 1))
    many = tuple(Put(f"k{number}", b"") for number in range(TRANSACTION_STEPS))
    assert (await store.transact(edits=many)).done
    with pytest.raises(LimitExceeded):
        await store.transact(edits=(*many, Put("more", b"")))
    with pytest.raises(LimitExceeded):
        await store.transact(edits=(Put("k", b"1"), Delete("k")))
    with pytest.raises(LimitExceeded):
        await store.transact(edits=tuple(Put(f"l{n}", b"x" * VALUE_BYTES) for n in range(9)))
    with pytest.raises(LimitExceeded):
        await store.range("", limit=PAGE_ITEMS + 1)


async def test_large_transaction_and_large_page(store: Store) -> None:
    edits = tuple(Put(f"l{n}", bytes([n]) * VALUE_BYTES) for n in range(7))
    assert (await store.transact(edits=edits)).done
    found: list[Item] = []
    more = True
    while more:
        page = await store.range("l", after=found[-1].key if found else "")
        found += page.items
        more = page.more
    assert [item.value for item in found] == [edit.value for edit in edits]


async def test_epoch_only_grows(rig: Rig) -> None:
    engine = await rig.engine()
    first = await engine.epoch()
    assert await engine.raise_epoch() == first + 1
    assert await engine.raise_epoch(at_least=40) == 40
    assert await engine.raise_epoch(at_least=7) == 41
    assert await engine.epoch() == 41
    with pytest.raises(LimitExceeded):
        await engine.raise_epoch(at_least=1 << 15)
