"""The spool: what is kept is whole, found again after any death, and bounded."""

from __future__ import annotations

import asyncio
import errno
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7lb.mail.spool import draft as drafts
from l7lb.mail.spool import files, lane
from l7lb.mail.spool.draft import Draft
from l7lb.mail.spool.lane import Lane
from l7lb.mail.spool.spool import Entry, Spool, SpoolFull, SpoolLimits
from l7lb_protocols.smtp.address import Address
from l7lb_protocols.smtp.parameters import Recipient, Sender
from l7lb_protocols.smtp.spool_record import SpooledRecipient, SpoolRecord, State, digest_of

TEXT = b"Subject: x\r\n\r\nhello\r\n"
SENDER = Sender(Address(b"sam", b"sender.example"))
ALICE = SpooledRecipient(Recipient(Address(b"alice", b"example.org")))
BOB = SpooledRecipient(Recipient(Address(b"bob", b"example.org")))


def record(message: bytes = TEXT) -> SpoolRecord:
    size, digest = len(message), digest_of(message)
    return SpoolRecord(SENDER, (ALICE, BOB), 1000, message_bytes=size, message_digest=digest)


def delivered(old: SpoolRecord, *places: int) -> SpoolRecord:
    recipients = list(old.recipients)
    for place in places:
        recipients[place] = replace(recipients[place], state=State.DELIVERED)
    return replace(old, recipients=tuple(recipients))


async def opened(folder: Path, limits: SpoolLimits | None = None) -> Spool:
    spool = Spool(folder, limits)
    await spool.start()
    return spool


async def kept(spool: Spool, queue_id: str = "1a", text: bytes = TEXT) -> Entry:
    draft = spool.draft()
    draft.add(text)
    return await spool.keep(draft, "mx/1", queue_id, record(text))


async def content(spool: Spool, entry: Entry) -> bytes:
    return b"".join([piece async for piece in spool.pieces(entry)])


async def test_what_was_kept_is_found_by_the_next_owner(tmp_path: Path) -> None:
    first = await opened(tmp_path)
    entry = await kept(first)
    await first.update(entry, delivered(entry.record, 0))
    await first.close()
    second = await opened(tmp_path)
    [found] = second.entries.values()
    assert (found.queue_id, found.service) == ("1a", "mx/1")
    assert found.record == entry.record
    assert found.record.waiting == (1,)
    assert await content(second, found) == TEXT
    assert await second.head(found, 7) == TEXT[:7]
    assert second.used_bytes == len(TEXT)
    await second.update(found, delivered(found.record, 1))
    assert second.entries == {}
    assert second.used_bytes == 0
    assert not list(tmp_path.glob("lane-*/*.mail"))
    await second.close()


async def test_two_live_owners_do_not_see_each_others(tmp_path: Path) -> None:
    first, second = await opened(tmp_path), await opened(tmp_path)
    await kept(first)
    assert await second.take_over() == []
    await first.close()
    assert len(await second.take_over()) == 1
    assert len(list(tmp_path.glob("lane-*"))) == 1
    await second.close()


async def test_a_lane_is_not_given_away_while_a_file_in_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next owner would deliver to whoever has the message already."""
    first, second = await opened(tmp_path), await opened(tmp_path)
    entry = await kept(first)
    begun, may_end = threading.Event(), threading.Event()
    append = files.append

    def slow(path: Path, later: SpoolRecord) -> int:
        begun.set()
        assert may_end.wait(30)
        return append(path, later)

    monkeypatch.setattr(files, "append", slow)
    update = asyncio.create_task(first.update(entry, delivered(entry.record, 0)))
    await asyncio.to_thread(begun.wait, 30)
    update.cancel()  # as at a worker's end: nobody waits for it, but the thread goes on
    closing = asyncio.create_task(first.close())
    await asyncio.wait([update])
    assert await second.take_over() == []
    may_end.set()
    await closing
    [found] = await second.take_over()
    assert found.record.waiting == (1,)
    await second.close()


async def test_what_cannot_be_read_now_is_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the one nor those behind it wait for the next start."""
    first = await opened(tmp_path)
    for queue_id in ("1a", "2b", "3c"):
        await kept(first, queue_id)
    await first.close()
    works = files.read

    def fail(path: Path) -> files.Found:
        if "2b" in path.name:
            raise OSError(errno.EMFILE, "too many open files")
        return works(path)

    with monkeypatch.context() as patch:
        patch.setattr(files, "read", fail)
        second = await opened(tmp_path)
    assert set(second.entries) == {"1a", "3c"}
    assert [entry.queue_id for entry in await second.take_over()] == ["2b"]
    assert await second.take_over() == []
    await second.close()


async def test_what_was_taken_before_an_error_is_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, dead = await opened(tmp_path), await opened(tmp_path)
    await kept(dead)
    await dead.close()

    def fail(_: Path) -> None:
        raise OSError(errno.EIO, "the disk is sick")

    with monkeypatch.context() as patch:
        patch.setattr(lane, "sync_folder", fail)
        with pytest.raises(OSError, match="sick"):
            await spool.take_over()
    assert [entry.queue_id for entry in await spool.take_over()] == ["1a"]
    await spool.close()


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "name"])
async def test_torn_files_are_set_aside_never_deleted(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = await opened(tmp_path)
    path = (await kept(first)).path
    await first.close()
    data = path.read_bytes()
    if damage == "cut":
        path.write_bytes(data[:-3])
    elif damage == "flip":
        path.write_bytes(data[:-3] + bytes((data[-3] ^ 1,)) + data[-2:])
    elif damage == "empty":
        path.write_bytes(b"")
    else:
        path.rename(path.with_name("foreign.mail"))
    second = await opened(tmp_path)
    assert second.entries == {}
    assert second.set_aside_count == 1
    assert len(list((tmp_path / lane.ASIDE).iterdir())) == 1
    assert "set aside" in caplog.text
    await second.close()


@settings(deadline=None)
@given(st.integers(1, 200))
def test_a_torn_last_state_leaves_the_one_before(
    tmp_path_factory: pytest.TempPathFactory, missing: int
) -> None:
    path = tmp_path_factory.mktemp("torn") / "1a.mx.mail"
    files.create(path, record(), [TEXT])
    whole = path.stat().st_size
    size = files.append(path, delivered(record(), 0))
    with path.open("rb+") as file:
        file.truncate(whole + max(size - missing, 0))
    found = files.read(path)
    assert found.record == record()
    assert found.whole_bytes == whole
    files.cut(path, found.whole_bytes)
    files.append(path, delivered(record(), 0, 1))
    assert files.read(path).record.is_settled


async def test_what_never_was_accepted_is_set_aside_too(tmp_path: Path) -> None:
    first = Lane(tmp_path)
    first.open()
    (first.folder / "2b.new").write_bytes(b"half")
    first.close()
    second = await opened(tmp_path)
    assert second.entries == {}
    assert [path.name for path in (tmp_path / lane.ASIDE).iterdir()] == ["2b.new"]
    await second.close()


async def test_limits_of_number_and_size(tmp_path: Path) -> None:
    spool = await opened(tmp_path, SpoolLimits(messages=1, total_bytes=len(TEXT) + 1))
    draft = spool.draft()
    draft.add(TEXT)
    with pytest.raises(SpoolFull):
        draft.add(b"12")
    draft.close()
    draft.close()
    assert spool.used_bytes == 0
    await kept(spool)
    with pytest.raises(SpoolFull):
        spool.draft()
    await spool.close()


async def test_a_disk_that_is_full_is_a_full_spool(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = await opened(tmp_path)

    def no_space(fd: int) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr(files.os, "fsync", no_space)
    draft = spool.draft()
    draft.add(TEXT)
    with pytest.raises(SpoolFull):
        await spool.keep(draft, "mx", "1a", record())
    draft.close()
    assert spool.used_bytes == 0
    assert spool.entries == {}
    assert not [path for path in tmp_path.glob("lane-*/*") if path.name != "lock"]
    await spool.close()


async def test_a_state_that_cannot_be_written_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    spool = await opened(tmp_path)
    entry = await kept(spool)

    def broken(fd: int) -> None:
        raise OSError(errno.EIO, "broken")

    monkeypatch.setattr(files.os, "fdatasync", broken)
    await spool.update(entry, delivered(entry.record, 0))
    assert "not written" in caplog.text
    assert files.read(entry.path).record == record()
    assert entry.record.waiting == (1,)
    await spool.close()


async def test_an_entry_nobody_will_take_is_set_aside(tmp_path: Path) -> None:
    spool = await opened(tmp_path)
    entry = await kept(spool)
    await spool.set_aside(entry, "because")
    assert spool.entries == {}
    assert spool.used_bytes == 0
    assert (tmp_path / lane.ASIDE / entry.path.name).exists()
    await spool.close()


async def test_a_draft_that_grew_is_the_same_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "MEMORY_BYTES", 10)
    spool = await opened(tmp_path)
    draft = spool.draft()
    for start in range(0, len(TEXT), 4):
        draft.add(TEXT[start : start + 4])
        if draft.is_full:
            await spool.spill(draft)
    assert (draft.size, draft.digest) == (len(TEXT), digest_of(TEXT))
    entry = await spool.keep(draft, "mx", "1a", record())
    assert await content(spool, entry) == TEXT
    assert files.read(entry.path).record == record()
    await spool.close()


def test_a_message_that_is_not_whole_is_no_message(tmp_path: Path) -> None:
    path = tmp_path / "1a.mx.mail"
    start = files.create(path, record(), [TEXT])
    assert b"".join(files.message(path, start, len(TEXT))) == TEXT
    with pytest.raises(OSError, match="not whole"):
        list(files.message(path, start, len(TEXT) + 1))
    with pytest.raises(FileExistsError):
        files.create(path.with_name("1a.mx.mail"), record(), _fails(path))


def _fails(path: Path) -> list[bytes]:
    path.with_suffix(".new").write_bytes(b"")
    return [TEXT]


def test_a_draft_counts_what_it_holds(tmp_path: Path) -> None:
    counted: list[int] = []
    draft = Draft(tmp_path, counted.append)
    draft.add(b"abc")
    draft.spill(draft.take())
    draft.add(b"de")
    assert b"".join(draft.content()) == b"abcde"
    draft.close()
    assert counted == [3, 2, -5]
