"""Keys in memory: history, pages by size, and the watcher's bounded buffer."""

from __future__ import annotations

import asyncio

import pytest

from l7lb_storage import Changed, Item, LimitExceeded, MemoryEngine, Put, Reset, Store, limits
from l7lb_storage.keyspace import Keyspace
from l7lb_storage.model import Delete, Transaction
from l7lb_storage.operating import OperationWatch


def filled(count: int, history_limit: int = 100, size: int = 1) -> Keyspace:
    keys = Keyspace(history_limit)
    for number in range(1, count + 1):
        keys.apply(Transaction(edits=(Put(f"k{number:03}", b"x" * size),)), number)
    return keys


def test_history_is_bounded() -> None:
    keys = filled(10, history_limit=4)
    assert keys.since("k", 5, 10) is None
    since = keys.since("k", 6, 10)
    assert since is not None
    assert [change.revision for change in since] == [7, 8, 9, 10]
    assert keys.since("x", 6, 10) == []
    assert keys.since("k", 11, 10) is None, "a revision that never was"
    keys.compact()
    assert keys.since("k", 9, 10) is None
    assert keys.since("k", 10, 10) == []
    keys.compact()
    assert keys.since("k", 10, 10) == []


def test_one_transaction_is_forgotten_whole() -> None:
    """Half of a revision would be a gap that nobody sees."""
    keys = Keyspace(history_limit=3)
    keys.apply(Transaction(edits=(Put("a", b""), Put("b", b""))), 1)
    keys.apply(Transaction(edits=(Put("c", b""), Put("d", b""))), 2)
    assert keys.since("", 0, 2) is None
    since = keys.since("", 1, 2)
    assert since is not None
    assert [change.key for change in since] == ["c", "d"]


def test_pages_end_early_when_values_are_large() -> None:
    keys = filled(20, size=60_000)
    page = keys.page("k", "", 100, 20)
    assert 0 < len(page.items) < 20
    assert page.more
    assert sum(len(item.value) for item in page.items) <= limits.PAGE_BYTES
    exact = filled(3).page("k", "", 3, 3)
    assert len(exact.items) == 3
    assert not exact.more


def test_after_is_behind_the_prefix_or_before_it() -> None:
    keys = filled(3)
    assert [item.key for item in keys.page("k", "k001", 9, 3).items] == ["k002", "k003"]
    assert len(keys.page("k", "a", 9, 3).items) == 3
    assert keys.page("k", "z", 9, 3).items == ()


def test_deleting_what_is_not_there_is_no_change() -> None:
    keys = filled(1)
    assert keys.apply(Transaction(edits=(Delete("none"),)), 2) == []
    assert len(keys) == 1


def test_snapshots_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l7lb_storage.keyspace.SNAPSHOT_ITEMS", 2)
    assert len(filled(2).snapshot("k", 2).items) == 2
    with pytest.raises(LimitExceeded):
        filled(3).snapshot("k", 3)


async def test_slow_watcher_is_told_to_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l7lb_storage.operating.WATCH_EVENTS", 3)
    engine = MemoryEngine()
    await engine.open()
    store = Store(engine)
    async with store.watch("w/") as watch:
        assert isinstance(watch, OperationWatch)
        for number in range(6):
            await store.put(f"w/{number}", b"")
        event = await anext(watch)
        assert isinstance(event, Reset)
        assert len(event.items) == 6
        revision = await store.put("w/6", b"")
        item = Item("w/6", b"", revision, revision)
        assert await anext(watch) == Changed("w/6", item, revision)
        waiting = asyncio.create_task(anext(watch))  # type: ignore[arg-type]
        await asyncio.sleep(0)
    with pytest.raises(StopAsyncIteration):
        await waiting
    await engine.close()
