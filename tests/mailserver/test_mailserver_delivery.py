"""Delivery: complete, durable, and never to where nobody looks any more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from l7lb.errors import MailboxAway
from l7lb.mailserver import delivery, maildir
from l7lb.mailserver.delivery import Deliverer
from l7lb.mailserver.home import FENCE_NEW, Home
from l7lb.mailserver.work import Work
from l7lb_storage import MemoryEngine, Mode, Node, SessionSpec, guard

USER = "anna@example.org"
DATA = b"Subject: one\r\n\r\ntext\r\n"


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    engine = MemoryEngine()
    await engine.open()
    async with Node(engine, SessionSpec("a", 60.0)) as made:
        await made.ready()
        yield made
    await engine.close()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path, USER)


@pytest.fixture
def deliverer(node: Node, tmp_path: Path) -> Deliverer:
    return Deliverer(node, Work(), tmp_path)


def files(home: Home) -> list[str]:
    return [name for part in maildir.PARTS for name in maildir.names_in(home.maildir / part)]


async def test_many_at_once(deliverer: Deliverer, home: Home) -> None:
    await asyncio.gather(*(deliverer.deliver(USER, DATA) for _ in range(20)))
    new = home.maildir / "new"
    assert [(new / name).read_bytes() for name in maildir.names_in(new)] == [DATA] * 20
    assert len(files(home)) == 20


async def test_whoever_stops_deliveries_waits_for_those_under_way(
    deliverer: Deliverer, node: Node, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those that come later wait for it."""
    lock = await node.session.acquire(f"user/{USER}/new", Mode.EX)
    task = asyncio.create_task(deliverer.deliver(USER, DATA))
    while len(await node.session.engine.locks(f"user/{USER}/new")) < 2:
        await asyncio.sleep(0)
    assert not home.path.exists()
    await lock.release()
    await task
    assert len(files(home)) == 1


async def test_an_older_token_is_refused(deliverer: Deliverer, node: Node, home: Home) -> None:
    home.make()
    with guard(home.path, 2**62, name=FENCE_NEW):
        pass
    with pytest.raises(MailboxAway, match="moves"):
        await deliverer.deliver(USER, DATA)
    assert files(home) == []


async def test_what_was_slept_through_is_taken_back(
    deliverer: Deliverer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fence is raised between the first look and the last: the client must send it again."""
    seen: list[str] = []

    def sync_and_raise(path: Path) -> None:
        seen.extend(files(home))
        with guard(home.path, 2**62, name=FENCE_NEW):
            pass

    home.make()
    monkeypatch.setattr(maildir, "sync_directory", sync_and_raise)
    with pytest.raises(MailboxAway, match="moves"):
        await deliverer.deliver(USER, DATA)
    assert len(seen) == 1
    assert files(home) == []


async def test_without_a_lease_nothing_is_published(
    deliverer: Deliverer, node: Node, home: Home
) -> None:
    lock = await node.session.acquire(f"user/{USER}/new", Mode.CW)
    await lock.release()
    lock.grant = None
    home.make()
    with pytest.raises(Exception, match="not held"):
        delivery.publish(home, DATA, lock)
    assert files(home) == []


async def test_the_storages_errors_are_told(
    deliverer: Deliverer, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    home.make()
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(MailboxAway, match="No space left"):
        await deliverer.deliver(USER, DATA)
    assert files(home) == []
