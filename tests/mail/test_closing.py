"""What a worker says of an account that moves, from the mark to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from l7lb.mail.assignments import Assignment
from l7lb.mail.closing import Closing
from l7lb.mail.roll import Member, Word, decode
from l7lb.mail.sessions import Sessions
from l7lb.ports import ManualClock
from l7lb_storage import MemoryEngine, Session, SessionSpec, StorageError, Store, World

ALICE = "alice@example.org"
ME = Member("d1", "1")


class One:
    """A session whose server takes its time."""

    def __init__(self, rig: Worker, pool: str = "mail") -> None:
        self.key = (pool, ALICE)
        self.source = "a"
        self.assignment = Assignment("m1")
        self.is_fixed = self.is_locked = False
        self.ended = ""
        self.parted: Callable[[], None] = lambda: None
        self._rig = rig
        rig.sessions.enter(self)

    def moved_bytes(self) -> int:
        return 0

    def end(self, reason: str) -> None:
        self.ended = reason
        self.parted = self._rig.closing.parting(ALICE)
        self._rig.sessions.leave(self)
        self._rig.closing.changed(ALICE)


class Worker:
    def __init__(self, session: Session) -> None:
        self.sessions = Sessions(ManualClock())
        self.session = session
        self.store = Store(session.engine)
        self.is_away = False
        self.closing = Closing(ME, self.sessions, self._place)

    def _place(self) -> tuple[Store, int] | None:
        return None if self.is_away else (self.store, self.session.lease)

    async def says(self, word: Word | None) -> None:
        """Wait for this to stand in the store."""
        async with asyncio.timeout(20):
            while True:
                item = await self.store.get(ME.word_key(ALICE))
                if (None if item is None else decode(item.value)) == word:
                    return
                await asyncio.sleep(0.002)


@pytest.fixture
async def worker() -> AsyncIterator[Worker]:
    engine = MemoryEngine(World())
    await engine.open()
    async with await Session.open(engine, SessionSpec("worker")) as session:
        made = Worker(session)
        telling = asyncio.create_task(made.closing.tell())
        yield made
        telling.cancel()
        with suppress(asyncio.CancelledError):
            await telling
    await engine.close()


async def test_nothing_is_open(worker: Worker) -> None:
    worker.closing.marked(ALICE, 7)
    await worker.says(Word(7))
    item = await worker.store.get(ME.word_key(ALICE))
    assert item is not None
    assert item.lease == worker.session.lease
    worker.closing.marked(ALICE, 9)
    await worker.says(Word(9))
    worker.closing.marked(ALICE, None)
    await worker.says(None)


async def test_a_session_counts_until_its_server_has_ended(worker: Worker) -> None:
    one, other = One(worker), One(worker, "fast")
    worker.closing.marked(ALICE, 7)
    assert (one.ended, other.ended) == ("the account moves", "the account moves")
    await worker.says(Word(7, sessions=2))
    one.parted()
    await worker.says(Word(7, sessions=1))
    other.parted()
    await worker.says(Word(7))


async def test_a_session_that_parted_before_the_mark_counts(worker: Worker) -> None:
    one = One(worker)
    one.end("its client left")
    worker.closing.marked(ALICE, 7)
    await worker.says(Word(7, sessions=1))
    one.parted()
    await worker.says(Word(7))


async def test_a_delivery_counts_until_it_is_there(worker: Worker) -> None:
    over = worker.closing.delivering([ALICE, "bob@example.org"])
    again = worker.closing.delivering([ALICE])
    worker.closing.marked(ALICE, 7)
    await worker.says(Word(7, deliveries=2))
    over()
    await worker.says(Word(7, deliveries=1))
    again()
    await worker.says(Word(7))


async def test_what_the_store_did_not_take_is_said_when_it_is_back(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.is_away = True
    worker.closing.marked(ALICE, 7)
    await asyncio.sleep(0)
    worker.is_away = False
    refused = asyncio.Event()

    async def refuses(*words: object, **more: object) -> int:
        refused.set()
        raise StorageError("no")

    with monkeypatch.context() as patch:
        patch.setattr(worker.store, "put", refuses)
        async with asyncio.timeout(20):
            await refused.wait()
    await worker.says(Word(7))


async def test_a_new_lease_says_it_again(worker: Worker) -> None:
    worker.closing.marked(ALICE, 7)
    await worker.says(Word(7))
    engine = worker.session.engine
    async with await Session.open(engine, SessionSpec("worker")) as session:
        await engine.close_lease(worker.session.lease)
        assert await worker.store.get(ME.word_key(ALICE)) is None
        worker.session = session
        worker.closing.again()
        await worker.says(Word(7))
