"""Whole migrations on lockd and in memory: what is where afterwards, and who is kept out."""

from __future__ import annotations

import asyncio
import json
import mailbox
from pathlib import Path
from typing import Any, cast

import pytest

from l7lb.accounts import AccountEdit, AccountEditor
from l7lb.errors import (
    CopyDiffers,
    DirectoryAway,
    DirectoryError,
    DirectoryRefused,
    MigrationRefused,
)
from l7lb.mail.migration import moving
from l7lb.mail.migration.migration import clean
from l7lb.mail.migration.orders import Order
from l7lb.mail.migration.record import MARKS, RECORDS, Record, Step, decoded
from l7lb.mail.migration.tree import summed
from l7lb.model_migration import FencePlace, MailStorageSpec
from l7lb_storage import Lock, Mode, Notice, StaleToken, guard
from support.mail_places import ALICE, MailCluster, Steps, deliver, held
from support.storage_rigs import Rig

WAIT_S = 20.0
TO_M2 = Order(ALICE, "m2")


@pytest.mark.parametrize("fence", FencePlace)
async def test_mail_moves_whole(cluster: MailCluster, fence: FencePlace) -> None:
    cluster.storage = MailStorageSpec(cluster.storage.path, fence=fence)
    before = cluster.fill("m1")
    record = await cluster.migration().run(TO_M2)
    assert (record.step, record.sum.messages) == (Step.DONE, 4)
    assert held(cluster.maildir("m2")) == before
    assert await cluster.server() == "m2"
    assert cluster.assigned == [(ALICE, "m2")]
    assert cluster.observer.steps == ["copying", "moving", "switching", "switched", "done"]
    assert await cluster.store.get(MARKS + ALICE) is None
    item = await cluster.store.get(RECORDS + ALICE)
    assert item is not None
    assert decoded(item.value) == record
    assert item.lease != 0  # goes by itself
    assert await cluster.session.engine.locks() == []


async def test_files_beside_the_messages_move_too(cluster: MailCluster) -> None:
    cluster.fill("m1")
    (cluster.maildir("m1") / "subscriptions").chmod(0o640)
    await cluster.migration().run(TO_M2)
    moved = cluster.maildir("m2")
    assert (moved / "dovecot-uidlist").read_text() == "3 V1 N4\n"
    assert (moved / ".Sent" / "dovecot-keywords").read_text() == "0 $Label1\n"
    assert (moved / "subscriptions").stat().st_mode & 0o777 == 0o640
    assert not (moved / "dovecot-uidlist.lock").exists()
    assert not list((moved / "tmp").iterdir())
    assert not list(moved.glob(".l7lb-*"))


async def test_times_of_messages_stay(cluster: MailCluster) -> None:
    """POP3 and IMAP servers take the internal date from them."""
    cluster.fill("m1")
    names = {path.name: path.stat().st_mtime_ns for path in cluster.maildir("m1").glob("cur/*")}
    await cluster.migration().run(TO_M2)
    moved = cluster.maildir("m2").glob("cur/*")
    assert {path.name: path.stat().st_mtime_ns for path in moved} == names


async def test_the_old_mail_is_put_away_and_deleted_later(cluster: MailCluster) -> None:
    before = cluster.fill("m1")
    await cluster.migration().run(TO_M2)
    assert not cluster.maildir("m1").exists()
    [retired] = cluster.home("m1").glob("Maildir.migrated-*")
    assert held(retired) == before
    assert await clean(cluster.store, cluster.now_s + 86400) == []
    assert retired.exists()
    [deleted] = await clean(cluster.store, cluster.now_s + 8 * 86400)
    assert deleted.path == str(retired)
    assert not retired.exists()
    assert await clean(cluster.store, cluster.now_s + 8 * 86400) == []


@pytest.mark.parametrize("fence", FencePlace)
async def test_there_and_back_again(cluster: MailCluster, fence: FencePlace) -> None:
    cluster.storage = MailStorageSpec(cluster.storage.path, fence=fence)
    before = cluster.fill("m1")
    for target in ("m2", "m1", "m2"):
        cluster.now_s += 10
        await cluster.migration().run(Order(ALICE, target))
        assert held(cluster.maildir(target)) == before
        assert await cluster.server() == target
    assert len(await clean(cluster.store, cluster.now_s + 8 * 86400)) >= 3


async def test_shared_storage_moves_no_file(cluster: MailCluster) -> None:
    cluster.storage = MailStorageSpec(f"{cluster.root}/m1/{{domain}}/{{user}}/Maildir")
    before = cluster.fill("m1")
    await cluster.migration().run(TO_M2)
    assert held(cluster.maildir("m1")) == before
    assert await cluster.server() == "m2"
    assert cluster.observer.bytes_moved == 0
    assert await clean(cluster.store, cluster.now_s + 8 * 86400) == []


async def test_done_is_done(cluster: MailCluster) -> None:
    cluster.fill("m1")
    first = await cluster.migration().run(TO_M2)
    assert await cluster.migration().run(TO_M2) == first
    with pytest.raises(MigrationRefused, match="was begun"):
        await cluster.migration().run(Order(ALICE))
    with pytest.raises(MigrationRefused, match="is under way"):
        await cluster.migration().abort(ALICE)


# --------------------------------------------------------------------------- others at work


async def test_the_owner_is_asked_and_lets_go(cluster: MailCluster, rig: Rig) -> None:
    """What it writes until then moves as well; logins meanwhile see the mark."""
    cluster.fill("m1")
    session = await rig.session("m1")
    marks: list[dict[str, object]] = []
    inbox = mailbox.Maildir(cluster.maildir("m1"), create=False)
    key = next(key for key in inbox.iterkeys() if inbox.get_message(key).get_subdir() == "new")

    async def let_go(lock: Lock, notice: Notice) -> None:
        item = await cluster.store.get(MARKS + ALICE)
        assert item is not None
        marks.append(json.loads(item.value))
        with guard(cluster.home("m1"), lock.token):
            deliver(inbox, b"last words", "R", "cur")
            seen = inbox.get_message(key)
            seen.set_subdir("cur")
            seen.set_flags("DS")
            inbox[key] = seen
            (cluster.maildir("m1") / "subscriptions").write_text("none\n")
        await lock.release()

    await session.acquire(f"user/{ALICE}", Mode.EX, on_blocking=let_go)
    await cluster.migration().run(TO_M2)
    [mark] = marks
    assert (mark["to"], mark["holder"]) == ("m2", "migrator")
    [retired] = cluster.home("m1").glob("Maildir.migrated-*")
    assert held(cluster.maildir("m2")) == held(retired)
    found = {where for _, name, where, _ in held(cluster.maildir("m2")) if name == key}
    assert found == {"cur:DS"}
    assert (cluster.maildir("m2") / "subscriptions").read_text() == "none\n"


async def test_a_delivery_under_way_is_waited_for(cluster: MailCluster, rig: Rig) -> None:
    cluster.fill("m1")
    session = await rig.session("m3")
    delivery = await session.acquire(f"user/{ALICE}/new", Mode.CW)
    running = asyncio.create_task(cluster.migration().run(TO_M2))
    async with asyncio.timeout(WAIT_S):
        while all(view.granted for view in await session.engine.locks(f"user/{ALICE}/new")):
            await asyncio.sleep(0.01)
    deliver(mailbox.Maildir(cluster.maildir("m1"), create=False), b"in time", "", "new")
    await delivery.release()
    await running
    assert any(b"in time" in body for *_, body in held(cluster.maildir("m2")))


async def test_an_owner_that_keeps_it_stops_the_migration(cluster: MailCluster, rig: Rig) -> None:
    before = cluster.fill("m1")
    session = await rig.session("m1")
    lock = await session.acquire(f"user/{ALICE}", Mode.EX)
    with pytest.raises(TimeoutError):
        await cluster.migration(close_timeout_s=0.2).run(TO_M2)
    assert await cluster.store.get(MARKS + ALICE) is None
    assert await cluster.server() == "m1"
    await lock.release()
    await cluster.migration().run(Order(ALICE))
    assert held(cluster.maildir("m2")) == before


@pytest.mark.parametrize("fence", FencePlace)
async def test_a_stale_writer_is_refused_on_both_sides(
    cluster: MailCluster, rig: Rig, fence: FencePlace
) -> None:
    """It believes in a lock that it lost while it slept."""
    cluster.storage = MailStorageSpec(cluster.storage.path, fence=fence)
    cluster.fill("m1")
    session = await rig.session("m1")
    lock = await session.acquire(f"user/{ALICE}", Mode.EX)
    stale = lock.token
    await lock.release()
    await cluster.migration().run(TO_M2)
    for server in ("m1", "m2"):
        is_home = fence is FencePlace.HOME
        place = cluster.home(server) if is_home else cluster.maildir(server)
        with pytest.raises(StaleToken):
            with guard(place, stale):
                pytest.fail("the stale writer was let in")
    fresh = await session.acquire(f"user/{ALICE}", Mode.EX)
    is_home = fence is FencePlace.HOME
    with guard(cluster.home("m2") if is_home else cluster.maildir("m2"), fresh.token):
        pass


class Sleeper(Steps):
    """A server that slept beyond its lease writes late, at each step once."""

    def __init__(self, home: Path, token: int) -> None:
        super().__init__()
        self.home = home
        self.token = token
        self.refused: list[str] = []

    def step(self, record: Record) -> None:
        super().step(record)
        try:
            with guard(self.home, self.token):
                pass
        except StaleToken:
            self.refused.append(record.step.value)


async def test_a_late_write_is_refused_before_both_sides_are_compared(
    cluster: MailCluster, rig: Rig
) -> None:
    """Else it would be in neither the copy nor the comparison."""
    cluster.fill("m1")
    session = await rig.session("m1")
    lock = await session.acquire(f"user/{ALICE}", Mode.EX)
    sleeper = Sleeper(cluster.home("m1"), lock.token)
    await lock.release()
    cluster.observer = sleeper
    await cluster.migration().run(TO_M2)
    assert sleeper.refused == ["switching", "switched", "done"]


async def test_one_migrator_at_a_time(cluster: MailCluster, rig: Rig) -> None:
    cluster.fill("m1")
    session = await rig.session("other")
    turn = await session.acquire(f"mail/migration/{ALICE}", Mode.EX)
    with pytest.raises(MigrationRefused, match="by somebody else"):
        await cluster.migration(turn_timeout_s=0.1).run(TO_M2)
    await turn.release()
    await cluster.migration().run(TO_M2)


# --------------------------------------------------------------------------- what is refused


async def test_what_makes_no_sense_is_refused_and_changes_nothing(cluster: MailCluster) -> None:
    before = cluster.fill("m1")
    orders = {
        "is on m1 already": Order(ALICE, "m1"),
        "has no server": Order("carol@example.org", "m2"),
        "both m2": Order("carol@example.org", "m2", "m2"),
        "is the storage mounted": Order("bob@example.org", "m1"),
        "was begun": Order(ALICE),
    }
    for words, order in orders.items():
        with pytest.raises(MigrationRefused, match=words):
            await cluster.migration().run(order)
    assert held(cluster.maildir("m1")) == before
    assert (await cluster.store.range("mail/")).items == ()


async def test_mail_at_the_target_is_never_overwritten(cluster: MailCluster) -> None:
    before = cluster.fill("m1")
    other = cluster.fill("m2")
    with pytest.raises(MigrationRefused, match="there is mail in"):
        await cluster.migration().run(TO_M2)
    assert held(cluster.maildir("m1")) == before
    assert held(cluster.maildir("m2")) == other


async def test_an_empty_maildir_at_the_target_makes_room(cluster: MailCluster) -> None:
    before = cluster.fill("m1")
    cluster.maildir("m2").parent.mkdir(parents=True)
    mailbox.Maildir(cluster.maildir("m2"))
    await cluster.migration().run(TO_M2)
    assert held(cluster.maildir("m2")) == before
    assert len(await clean(cluster.store, cluster.now_s + 8 * 86400)) == 2


async def test_an_account_without_mail_moves_when_told_so(cluster: MailCluster) -> None:
    await cluster.migration().run(Order("bob@example.org", "m1", without_mail=True))
    assert await cluster.server("bob@example.org") == "m1"
    assert held(cluster.maildir("m1", "bob@example.org")) == []


async def test_storage_that_is_not_mounted(cluster: MailCluster) -> None:
    cluster.fill("m1")
    cluster.storage = MailStorageSpec(
        cluster.storage.path, (("m2", f"{cluster.folder}/absent/{{account}}"),)
    )
    with pytest.raises(MigrationRefused, match="absent is not there; is the storage mounted"):
        await cluster.migration().run(TO_M2)


# --------------------------------------------------------------------------- abort, and failures


async def test_abort_before_the_switch(cluster: MailCluster, rig: Rig) -> None:
    before = cluster.fill("m1")
    session = await rig.session("m1")
    lock = await session.acquire(f"user/{ALICE}", Mode.EX)
    with pytest.raises(TimeoutError):
        await cluster.migration(close_timeout_s=0.1).run(TO_M2)
    assert list(cluster.home("m2").glob("Maildir.migrating-*"))
    with pytest.raises(MigrationRefused, match="on its way from m1 to m2"):
        await cluster.migration().run(Order(ALICE, "m3"))
    await lock.release()
    await cluster.migration().abort(ALICE)
    assert list(cluster.home("m2").glob("Maildir*")) == []
    assert held(cluster.maildir("m1")) == before
    assert (await cluster.store.range("mail/")).items == ()
    await cluster.migration().run(TO_M2)
    assert held(cluster.maildir("m2")) == before


class Failing:
    """An editor whose change fails, before or after it was made."""

    def __init__(self, editor: AccountEditor, error: DirectoryError, *, late: bool) -> None:
        self.editor = editor
        self.error = error
        self.late = late

    def __getattr__(self, name: str) -> Any:
        return getattr(self.editor, name)

    async def edit(self, name: str, edit: AccountEdit) -> None:
        if self.late:
            await self.editor.edit(name, edit)
        raise self.error


async def test_a_directory_that_refuses_leaves_all_at_the_old_server(
    cluster: MailCluster,
) -> None:
    before = cluster.fill("m1")
    cluster.maildir("m2").parent.mkdir(parents=True)
    mailbox.Maildir(cluster.maildir("m2"))
    editor = cluster.editor
    cluster.editor = cast(
        "AccountEditor", Failing(editor, DirectoryRefused("no right to write"), late=False)
    )
    with pytest.raises(DirectoryRefused):
        await cluster.migration().run(TO_M2)
    assert await cluster.server() == "m1"
    assert await cluster.store.get(MARKS + ALICE) is None
    assert held(cluster.maildir("m1")) == before
    assert held(cluster.maildir("m2")) == []
    cluster.editor = editor
    await cluster.migration().run(TO_M2)
    assert held(cluster.maildir("m2")) == before


@pytest.mark.parametrize("late", [False, True])
async def test_a_directory_in_doubt_keeps_the_account_closed(
    cluster: MailCluster, late: bool
) -> None:
    """Nobody may log in at either server until somebody asked the directory again."""
    before = cluster.fill("m1")
    editor = cluster.editor
    away = Failing(editor, DirectoryAway("no answer"), late=late)
    cluster.editor = cast("AccountEditor", away)
    with pytest.raises(DirectoryAway):
        await cluster.migration().run(TO_M2)
    mark = await cluster.store.get(MARKS + ALICE)
    assert mark is not None
    assert mark.lease == 0
    cluster.editor = editor
    record = await cluster.migration().run(Order(ALICE))
    assert record.step is Step.DONE
    assert await cluster.server() == "m2"
    assert held(cluster.maildir("m2")) == before
    assert await cluster.store.get(MARKS + ALICE) is None
    with pytest.raises(MigrationRefused):
        await cluster.migration().abort(ALICE)


async def test_mail_that_came_to_the_copy_all_the_same_is_not_lost(cluster: MailCluster) -> None:
    cluster.fill("m1")
    editor = cluster.editor
    cluster.editor = cast("AccountEditor", Failing(editor, DirectoryAway("no answer"), late=False))
    with pytest.raises(DirectoryAway):
        await cluster.migration().run(TO_M2)
    cluster.editor = editor
    deliver(mailbox.Maildir(cluster.maildir("m2"), create=False), b"astray", "", "new")
    for attempt in (cluster.migration().run(TO_M2), cluster.migration().abort(ALICE)):
        with pytest.raises(MigrationRefused, match="was changed by somebody"):
            await attempt
    assert any(b"astray" in body for *_, body in held(cluster.maildir("m2")))


async def test_a_copy_that_differs_is_thrown_away(
    cluster: MailCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = cluster.fill("m1")

    def spoilt(maildir: Path, spend: object) -> object:
        if "migrating" in maildir.name:
            next(maildir.glob("cur/*")).write_bytes(b"?")
        return summed(maildir, lambda count: None)

    with monkeypatch.context() as patch:
        patch.setattr(moving, "summed", spoilt)
        with pytest.raises(CopyDiffers):
            await cluster.migration().run(TO_M2)
    assert await cluster.server() == "m1"
    assert held(cluster.maildir("m1")) == before
    assert not list(cluster.home("m2").glob("Maildir.migrating-*"))
    await cluster.migration().run(TO_M2)
    assert held(cluster.maildir("m2")) == before


async def test_cancelled_it_can_go_on(cluster: MailCluster) -> None:
    """The thread has ended when the caller hears of it."""
    before = cluster.fill("m1")
    slow = asyncio.create_task(cluster.migration(bytes_s=1.0).run(TO_M2))
    async with asyncio.timeout(WAIT_S):
        while not list(cluster.home("m2").glob("*/tmp/l7lb.*")):
            await asyncio.sleep(0.01)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    await cluster.migration().run(TO_M2)
    assert held(cluster.maildir("m2")) == before
