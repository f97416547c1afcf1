"""lockd against bad clients, bad servers and bad disks; TLS; a server that stood still."""

from __future__ import annotations

import asyncio
import sqlite3
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from l7lb_storage import (
    AuthenticationFailed,
    InDoubt,
    LeaseLost,
    LimitExceeded,
    Mode,
    Reset,
    Session,
    SessionSpec,
    StorageError,
    Store,
    Unavailable,
)
from l7lb_storage.clock import ManualClock
from l7lb_storage.lockd import connection, server, wire
from l7lb_storage.lockd.client import LockdEngine
from l7lb_storage.lockd.disk import Disk, file_system, numbers
from l7lb_storage.lockd.journal import Journal
from l7lb_storage.lockd.link import LockdAddress
from l7lb_storage.lockd.server import FILE, Lockd, LockdSpec, run
from support.storage_rigs import WAIT_S

SECRET = b"a secret of many bytes"


class Running:
    """A server in this loop."""

    def __init__(self, spec: LockdSpec, clock: ManualClock | None = None) -> None:
        self.lockd = Lockd(spec, clock)
        self.task: asyncio.Task[None] | None = None

    async def start(self) -> Running:
        await self.lockd.start()
        self.task = asyncio.get_running_loop().create_task(self.lockd.serve())
        return self

    async def close(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.lockd.close()


@pytest.fixture
async def tcp(tmp_path: Path) -> AsyncIterator[Lockd]:
    running = await Running(LockdSpec(tmp_path, host="127.0.0.1", secret=SECRET)).start()
    yield running.lockd
    await running.close()


async def engine_for(lockd: Lockd, secret: bytes = SECRET) -> LockdEngine:
    engine = LockdEngine(LockdAddress(port=lockd.port, secret=secret))
    await engine.open()
    return engine


async def test_wrong_secret(tcp: Lockd) -> None:
    with pytest.raises(AuthenticationFailed):
        await engine_for(tcp, b"another secret, long")


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\xff\xff\xff\xff",
        wire.frame(["hello", "x"]),
        wire.frame([1, ["ReadKey", "k"]]),
        wire.frame(["hello", "a" * 32, "b" * 32, "c" * 64]),
        b"\0\0\0\2[]" * 50,
    ],
)
async def test_strangers_are_cut_off(tcp: Lockd, data: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", tcp.port)
    writer.write(data)
    async with asyncio.timeout(WAIT_S):
        try:
            said = await reader.read()
        except ConnectionError:
            said = b""
    assert b"welcome" not in said
    assert b'"ok"' not in said
    writer.close()
    engine = await engine_for(tcp)
    assert await Store(engine).get("k") is None
    await engine.close()


async def test_silent_strangers_are_cut_off(tcp: Lockd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "GREETING_TIMEOUT_S", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", tcp.port)
    async with asyncio.timeout(WAIT_S):
        assert b"hello" in await reader.read()
    writer.close()


async def test_connections_are_bounded(tcp: Lockd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTIONS", 1)
    engine = await engine_for(tcp)
    with pytest.raises(Unavailable):
        await engine_for(tcp)
    await engine.close()


async def test_nonsense_after_the_greeting_ends_the_connection(tcp: Lockd) -> None:
    """The engine connects again; what it asks next is answered."""
    engine = await engine_for(tcp)
    assert engine._link is not None
    first = engine._link
    first._writer.write(wire.frame(["nonsense"]))
    async with asyncio.timeout(WAIT_S):
        assert await Store(engine).get("k") is None
    assert engine._link is not first
    await engine.close()


async def test_unanswered_transaction_is_in_doubt_and_an_acquire_is_repeated(tcp: Lockd) -> None:
    engine = await engine_for(tcp)
    session = await Session.open(engine, SessionSpec("n"))
    store = Store(engine)
    put = asyncio.create_task(store.put("k", b"1"))
    lock = asyncio.create_task(session.acquire("r", Mode.EX))
    await asyncio.sleep(0)
    assert engine._link is not None
    engine._link._writer.transport.abort()
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(InDoubt):
            await put
        assert (await lock).valid
    await session.close()
    await engine.close()


async def test_what_never_went_out_is_not_in_doubt(tcp: Lockd) -> None:
    """The connection is over, and the engine has not noticed yet: it waits for the next one."""
    engine = await engine_for(tcp)
    first = engine._link
    assert first is not None
    first.is_over = True
    first._writer.transport.abort()
    async with asyncio.timeout(WAIT_S):
        assert await Store(engine).put("k", b"1")
    assert engine._link is not first
    await engine.close()


async def test_watch_that_cannot_go_on_ends_alone(
    tcp: Lockd, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await engine_for(tcp)
    store = Store(engine)
    async with store.watch("w/") as large, store.watch("x/") as small:
        assert isinstance(await anext(large), Reset)
        assert isinstance(await anext(small), Reset)
        await store.put("w/1", b"1")
        await store.put("w/2", b"1")
        monkeypatch.setattr("l7lb_storage.keyspace.SNAPSHOT_ITEMS", 1)
        tcp._machine.keys.compact()
        await store.put("w/3", b"1")
        tcp._machine.keys.compact()
        large.seen = small.seen = 1  # type: ignore[attr-defined]
        large._events.clear()  # type: ignore[attr-defined]
        assert engine._link is not None
        engine._link._writer.transport.abort()
        async with asyncio.timeout(WAIT_S):
            with pytest.raises(LimitExceeded):
                await anext(large)
            assert isinstance(await anext(small), Reset)
            assert await store.put("x/1", b"1")
    await engine.close()


async def test_what_comes_late_on_an_old_connection_is_void(tcp: Lockd) -> None:
    """The same client comes back; what its old connection still says is not looked at."""
    engine = await engine_for(tcp)
    async with asyncio.timeout(WAIT_S):
        (old,) = tcp._connections.values()
        again = LockdEngine(LockdAddress(port=tcp.port, secret=SECRET))
        again._client = engine._client
        await again.open()
        assert old.is_cut
    await again.close()
    await engine.close()


async def test_slow_readers_are_cut_off(tcp: Lockd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "UNSENT_BYTES", 1000)
    engine = await engine_for(tcp)
    (cut,) = tcp._connections.values()
    cut.send(b"\0" * (64 << 20))
    assert cut.is_cut
    async with asyncio.timeout(WAIT_S):
        assert await Store(engine).get("k") is None, "the engine has connected again"
    await engine.close()


async def test_slow_watcher_begins_anew(tcp: Lockd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l7lb_storage.operating.WATCH_EVENTS", 300)
    engine = await engine_for(tcp)
    store = Store(engine)
    async with store.watch("w/") as watch, asyncio.timeout(2 * WAIT_S):
        assert isinstance(await anext(watch), Reset)
        for start in range(0, 400, 200):
            numbers_ = range(start, start + 200)
            await asyncio.gather(*(store.put(f"w/{number % 50}", b"") for number in numbers_))
        event = await anext(watch)
        assert isinstance(event, Reset)
        assert len(event.items) == 50
        revision = await store.put("w/last", b"")
        assert (await anext(watch)).revision == revision
    await engine.close()


async def test_tls_and_who_is_not_trusted(tmp_path: Path) -> None:
    authority = trustme.CA()
    there = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(there)
    here = ssl.create_default_context()
    authority.configure_trust(here)
    spec = LockdSpec(tmp_path, host="127.0.0.1", secret=SECRET, tls=there)
    running = await Running(spec).start()
    address = LockdAddress(port=running.lockd.port, secret=SECRET, tls=here)
    engine = LockdEngine(address)
    await engine.open()
    assert await Store(engine).put("k", b"1")
    await engine.close()
    stranger = ssl.create_default_context()
    other = LockdEngine(LockdAddress(port=running.lockd.port, secret=SECRET, tls=stranger))
    with pytest.raises(AuthenticationFailed):
        await other.open()
    await other.close()
    await running.close()


async def test_server_that_stood_still_blames_nobody(tmp_path: Path) -> None:
    clock = ManualClock()
    lockd = Lockd(LockdSpec(tmp_path, tmp_path / "s"), clock)
    await lockd.start()
    engine = LockdEngine(LockdAddress(tmp_path / "s"))
    await engine.open()
    lease = await engine.open_lease(5, "n")
    clock.advance(100)
    await engine.renew_lease(lease.id)
    for _ in range(11):
        clock.advance(0.5)
        await engine.get("k")
    with pytest.raises(LeaseLost):
        await engine.renew_lease(lease.id)
    await engine.close()
    await lockd.close()


async def test_disk_that_refuses_stops_the_server(tmp_path: Path) -> None:
    """Nothing that is not on the disk was ever confirmed."""
    lockd = Lockd(LockdSpec(tmp_path, tmp_path / "s"))
    await lockd.start()
    serving = asyncio.create_task(lockd.serve())
    engine = LockdEngine(LockdAddress(tmp_path / "s"), request_timeout_s=0.5)
    await engine.open()
    await Store(engine).put("k", b"1")

    def refuse(_batch: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    assert lockd._journal._disk is not None
    lockd._journal._disk.commit = refuse  # type: ignore[method-assign,assignment]
    with pytest.raises(InDoubt):
        await Store(engine).put("k", b"2")
    with pytest.raises(StorageError, match="disk I/O error"):
        await serving
    await lockd.close()
    await engine.close()
    disk = Disk(tmp_path / FILE)
    assert [item.value for item in disk.load().items] == [b"1"]
    disk.close()


def test_disk_is_all_or_nothing_and_has_one_owner(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "d")
    with pytest.raises(sqlite3.Error):
        disk.commit([*numbers(5, 5), ("INSERT INTO nothing VALUES (1)", ())])
    assert (disk.load().epoch, disk.load().revision) == (1, 0)
    with pytest.raises(StorageError, match="locked"):
        Disk(tmp_path / "d")
    disk.close()
    again = Disk(tmp_path / "d")
    again.commit(numbers(2, 7))
    assert (again.load().epoch, again.load().revision) == (2, 7)
    again.close()


def test_disk_that_is_not_ours(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database, and long enough to be read as none\n" * 99)
    with pytest.raises(StorageError, match="cannot be used"):
        Disk(tmp_path / "text")
    other = sqlite3.connect(tmp_path / "newer")
    other.execute("PRAGMA user_version = 9")
    other.close()
    with pytest.raises(StorageError, match="version 9"):
        Disk(tmp_path / "newer")
    with pytest.raises(StorageError):
        Disk(tmp_path / "no/such/folder")


def test_network_file_systems_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert file_system(Path("/proc/self")) == "proc"
    monkeypatch.setattr("l7lb_storage.lockd.disk.file_system", lambda _path: "nfs4")
    with pytest.raises(StorageError, match="local disk"):
        Disk(tmp_path / "d")


async def test_a_supervisor_runs_it_by_a_call(tmp_path: Path) -> None:
    ready = asyncio.Event()
    serving = asyncio.create_task(run(LockdSpec(tmp_path, tmp_path / "s"), ready))
    async with asyncio.timeout(WAIT_S):
        await ready.wait()
    engine = LockdEngine(LockdAddress(tmp_path / "s"))
    await engine.open()
    assert await Store(engine).put("k", b"1")
    await engine.close()
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    assert serving.cancelled()
    assert not (tmp_path / "s").exists()
    with pytest.raises(StorageError, match="address to listen on"):
        await run(LockdSpec(tmp_path))


async def test_journal_keeps_what_was_added_before_it_closes(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "d")
    await journal.open()
    sent: list[int] = []
    for number in range(1, 4):
        journal.add([], [lambda number=number: sent.append(number)], 1, number)  # type: ignore[misc]
    await journal.calm()
    await journal.close()
    assert sent == [1, 2, 3]
    disk = Disk(tmp_path / "d")
    assert disk.load().revision == 3
    disk.close()


async def test_closing_lets_those_go_who_wait_for_a_connection(tmp_path: Path) -> None:
    running = await Running(LockdSpec(tmp_path, tmp_path / "s")).start()
    engine = LockdEngine(LockdAddress(tmp_path / "s"))
    await engine.open()
    session = await Session.open(engine, SessionSpec("n"))
    await running.close()
    waiting = asyncio.create_task(session.acquire("r", Mode.EX))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    await engine.close()
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(Unavailable):
            await waiting
    await session.close()


async def test_kept_leases_are_not_renewed_by_a_new_connection(tcp: Lockd) -> None:
    engine = await engine_for(tcp)
    await Store(engine).put("k", b"1", keep_s=60)
    await engine.open_lease(15, "n")
    assert len(engine._ttl_s) == 1
    await engine.close()


async def test_engine_that_is_not_open(tmp_path: Path) -> None:
    engine = LockdEngine(LockdAddress(tmp_path / "none"))
    with pytest.raises(Unavailable):
        await engine.open()
    with pytest.raises(Unavailable):
        await engine.get("k")
    await engine.close()
