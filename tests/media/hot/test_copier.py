"""Orders of the hot set done on a real disk, and what happens when they cannot be."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from l7lb.media.hot import copier as module
from l7lb.media.hot import copies, shelf
from l7lb.media.hot.copier import Copier
from l7lb.media.hot.hot_set import HotSet, HotSetSpec
from l7lb.media.hot.residency import ResidencySpec
from l7lb.media.hot.rooms import Room
from l7lb.media.hot.shelf import Shelf
from l7lb.media.hot.watch import Watch
from l7lb.model_directory import SecretSpec
from l7lb.model_hot_files import AnnounceSpec, HotFilesSpec
from l7lb.ports import ManualClock
from support.media_agent import DEADLINE_S, Films, Reader

SIZE = 1000


class Bench:
    """A copier with all that it works with."""

    def __init__(self, films: Films) -> None:
        top = films.top
        announce = AnnounceSpec((), SecretSpec(b""))
        self.spec = HotFilesSpec(
            f"{top}/shared", f"{top}/local", f"{top}/seen", 2 * SIZE, announce,
            reserve_bytes=0, copy_rate_bytes_s=0.0, settle_s=0.0,
        )  # fmt: skip
        self.clock = ManualClock()
        self.hot = HotSet(HotSetSpec(ResidencySpec(2 * SIZE), margin=0.0))
        self.shelf = Shelf(self.spec, "m1")
        self.watch = Watch(
            self.shelf.shared, self.shelf.copies.root, self.shelf.name, self.clock.now
        )
        self.room = Room("test")
        self.copier = Copier(self.spec, self.hot, self.shelf, self.watch, self.room, self.clock.now)
        self.changes = 0

    async def settle(self) -> None:
        walked = await self.room.run(self.shelf.walk)
        settled = await self.room.run(lambda: self.shelf.settle(walked))
        self.watch.directories([*walked.directories, *settled.directories])

    def wish(self, name: str) -> None:
        for _ in range(2):
            self.hot.opened(name, SIZE, self.clock.now())
        self.copier.wake()

    def is_local(self, name: str) -> bool:
        """Presented, and taken in by the hot set."""
        shown = Path(self.shelf.presented.root, name).resolve()
        return name in self.hot and shown == Path(self.shelf.copies.path(name))


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    films = Films(tmp_path)
    for name in ("one", "two", "three"):
        films.make(name, SIZE)
    found = Bench(films)
    found.watch.open(lambda: None)
    await found.settle()
    task = asyncio.create_task(found.copier.run())
    yield found
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await found.copier.stop()
    found.watch.close()
    found.shelf.close()
    found.room.close()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():
            await asyncio.sleep(0.01)


async def test_a_wish_becomes_a_copy_and_its_own_reading_counts_for_nothing(bench: Bench) -> None:
    bench.wish("one")
    await until(lambda: bench.copier.done.made == 1)
    assert bench.is_local("one")
    assert (await bench.watch.count()).accesses == []
    assert bench.watch.readings.is_idle


async def test_room_is_made_by_evicting(bench: Bench) -> None:
    for name in ("one", "two"):
        bench.wish(name)
        await until(lambda each=name: bench.is_local(each))
    bench.hot.streamed("three", 1.0, bench.clock.now())
    bench.wish("three")
    await until(lambda: bench.is_local("three"))
    assert bench.copier.done.evicted == 1
    assert bench.hot.bytes == 2 * SIZE
    assert len(bench.shelf.held) == 2


async def test_a_victim_that_is_read_in_secret_stays(bench: Bench) -> None:
    """Its reader is not seen, but the lease tells."""
    for name in ("one", "two"):
        bench.wish(name)
        await until(lambda each=name: bench.is_local(each))
    bench.watch.close()
    bench.watch.open = bench.watch.close = lambda *_: None  # type: ignore[method-assign, assignment]
    readers = [
        await asyncio.to_thread(Reader, Path(bench.shelf.copies.path(name)))
        for name in ("one", "two")
    ]
    bench.hot.streamed("three", 1.0, bench.clock.now())
    for name in ("one", "two"):
        assert not await bench.copier._evict(name)
        assert bench.is_local(name)
    for reader in readers:
        await asyncio.to_thread(reader.end)


async def test_a_full_disk_is_told_and_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "REST_S", 0.0)
    monkeypatch.setattr(copies, "_copy", full)
    bench.wish("one")
    await until(lambda: bench.copier.done.failed == 1)
    assert "No space left" in bench.copier.done.disk
    assert not bench.is_local("one")
    assert (Path(bench.shelf.presented.root) / "one").read_bytes()
    monkeypatch.undo()
    bench.wish("one")
    await until(lambda: bench.copier.done.disk == "good")
    assert bench.is_local("one")


async def test_a_short_disk_is_a_smaller_cache(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        bench.wish(name)
        await until(lambda each=name: bench.is_local(each))
    monkeypatch.setattr(bench.shelf.copies, "free_bytes", lambda: -SIZE)
    bench.copier.wake()
    await until(lambda: bench.copier.done.evicted == 1)
    assert bench.hot.bytes == SIZE


async def test_shared_storage_that_goes_away_is_waited_for(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stale(_path: str) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(module, "REST_S", 0.0)
    monkeypatch.setattr(shelf, "look_at", stale)
    bench.wish("one")
    await until(lambda: bench.copier.done.failed == 1)
    assert "Stale" in bench.copier.done.last_failure
    monkeypatch.undo()
    bench.wish("one")
    await until(lambda: bench.is_local("one"))


async def test_a_copy_that_cannot_be_presented_is_no_copy(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    show = bench.shelf.presented.show

    def refused(name: str, target: str) -> bool:
        if target.startswith(bench.shelf.copies.root):
            raise OSError(errno.EROFS, "Read-only file system")
        return show(name, target)

    monkeypatch.setattr(bench.shelf.presented, "show", refused)
    bench.wish("one")
    await until(lambda: bench.copier.done.failed == 1)
    await until(lambda: not bench.shelf.held)
    assert not Path(bench.shelf.copies.path("one")).exists()
    assert "one" not in bench.hot


async def test_a_size_that_was_remembered_wrongly_is_set_right(bench: Bench) -> None:
    for _ in range(2):
        bench.hot.opened("one", 10, bench.clock.now())
    bench.copier.wake()
    await until(lambda: bench.is_local("one"))
    assert bench.hot.residency.size("one") == SIZE


# --------------------------------------------------------------------------- the watch


async def test_directories_come_and_go_and_too_many_are_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from l7lb.media.hot.inotify import Inotify, NoWatches

    watched = bench.watch._inotify
    assert bench.shelf.shared in watched.watched()
    bench.watch.directories([bench.shelf.copies.root])
    assert watched.watched() == {bench.shelf.copies.root}

    def full(_self: Inotify, _path: str) -> None:
        raise NoWatches(errno.ENOSPC, "no more")

    monkeypatch.setattr(Inotify, "watch", full)
    bench.watch.directories([bench.shelf.shared])
    assert "max_user_watches" in bench.watch.state
    reader = await asyncio.to_thread(Reader, Path(bench.shelf.shared) / "one")
    assert (await bench.watch.count()).accesses == ["one"], "looks must do"
    await asyncio.to_thread(reader.end)


async def test_lost_events_make_it_look_for_itself(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    from l7lb.media.hot.inotify import Inotify, Lost

    def lost(_self: Inotify) -> None:
        raise Lost

    changes: list[None] = []
    bench.watch.open(lambda: changes.append(None))
    bench.watch.readings.opened("one", 0.0)
    monkeypatch.setattr(Inotify, "read", lost)
    await bench.watch.count()
    assert changes
    assert bench.watch.readings.is_idle
