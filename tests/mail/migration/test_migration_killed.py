"""SIGKILL at every moment of a migration: nothing is lost, nothing is there twice."""

from __future__ import annotations

import asyncio
import mailbox
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from l7lb.errors import MigrationRefused
from l7lb.mail.migration.orders import Order
from l7lb.mail.migration.record import MARKS, Step
from l7lb_storage import Mode, Session, SessionSpec, guard
from l7lb_storage.lockd.client import LockdEngine
from l7lb_storage.lockd.link import LockdAddress
from support import migration_driver
from support.etcd_members import roomy
from support.lockd_process import LockdProcess
from support.mail_places import Held, MailCluster, deliver, held

TESTS = Path(__file__).parents[2]
WAIT_S = 240.0


@pytest.fixture
def folder() -> Iterator[Path]:
    with TemporaryDirectory(dir=roomy()) as name:
        yield Path(name)


@pytest.fixture
async def lockd(folder: Path) -> AsyncIterator[LockdProcess]:
    (folder / "lockd").mkdir()
    process = LockdProcess(folder / "lockd")
    await process.start()
    yield process
    await process.close()


async def killed(lockd: LockdProcess, folder: Path) -> dict[int, str]:
    """Every moment, by the number of the account whose migrator was killed at it."""
    driver = await asyncio.create_subprocess_exec(
        *(sys.executable, migration_driver.__file__, str(lockd.socket), str(folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PYTHONPATH": str(TESTS)},
    )
    async with asyncio.timeout(WAIT_S):
        out, err = await driver.communicate()
    assert driver.returncode == 0, err.decode()
    pairs = (line.split(" ", 1) for line in out.decode().splitlines())
    return {int(number): label for number, label in pairs}


async def go_on_working(cluster: MailCluster, account: str) -> None:
    """What the old server does when its clients come back before anybody resumes."""
    async with await cluster.session.acquire(f"user/{account}", Mode.EX) as lock:
        with guard(cluster.home("m1", account), lock.token):
            inbox = mailbox.Maildir(cluster.maildir("m1", account), create=False)
            key = next(key for key in inbox.iterkeys() if inbox.get_message(key).get_flags())
            message = inbox.get_message(key)
            message.set_flags("RT")
            inbox[key] = message
            deliver(inbox, b"after the crash", "S", "cur")


async def is_open(cluster: MailCluster, account: str) -> bool:
    """Whether a director lets it log in at the old server."""
    mark = await cluster.store.get(MARKS + account)
    is_moving = mark is not None and mark.lease == 0
    return not is_moving and await cluster.server(account) == "m1"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("abort", [False, True], ids=["resume", "abort"])
async def test_at_every_moment(lockd: LockdProcess, folder: Path, abort: bool) -> None:
    moments = await killed(lockd, folder)
    assert {"before edit", "after edit", "after transact", "after rename", "before _write"} <= {
        *moments.values()
    }
    engine = LockdEngine(LockdAddress(lockd.socket))
    await engine.open()
    async with await Session.open(engine, SessionSpec("resumer")) as session:
        for number, moment in moments.items():
            cluster = migration_driver.cluster_of(folder, number)
            await cluster.open(session)
            await check(cluster, f"u{number}@example.org", moment, abort=abort)
            await cluster.close()
    await engine.close()


async def check(cluster: MailCluster, account: str, moment: str, *, abort: bool) -> None:
    worked = await is_open(cluster, account)
    if worked:
        await go_on_working(cluster, account)
    expected = whole(cluster, account)
    where = "m2"
    if abort:
        where = await aborted(cluster, account)
    else:
        record = await cluster.migration().run(Order(account, "m2"))
        assert record.step is Step.DONE, moment
    assert await cluster.server(account) == where, moment
    assert held(cluster.maildir(where, account)) == expected, moment
    other = "m1" if where == "m2" else "m2"
    assert held(cluster.maildir(other, account)) == [], moment
    assert await cluster.store.get(MARKS + account) is None, moment
    assert worked == any(b"after the crash" in body for *_, body in expected), moment


def whole(cluster: MailCluster, account: str) -> Held:
    """All mail of the account: at the old server, or put away from there already."""
    retired = [*cluster.home("m1", account).glob("Maildir.migrated-*")]
    return held(retired[0] if retired else cluster.maildir("m1", account))


async def aborted(cluster: MailCluster, account: str) -> str:
    """The server where it is now: too late to abort means to go on."""
    try:
        await cluster.migration().abort(account)
    except MigrationRefused:
        if await cluster.server(account) == "m2":
            await cluster.migration().run(Order(account, "m2"))
            return "m2"
    return "m1"
