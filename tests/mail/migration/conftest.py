"""A cluster for migrations: accounts in a file, two servers with storage of their own, a store."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from support.mail_places import MailCluster
from support.storage_rigs import LockdRig, MemoryRig, Rig


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """A migration has no loop of its own to meet: one will do."""
    return {"asyncio": asyncio.new_event_loop}


@pytest.fixture(params=["memory", "lockd"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    folder = tmp_path / "lockd"
    folder.mkdir()
    rig = MemoryRig() if request.param == "memory" else LockdRig(folder)
    await rig.start()
    yield rig
    await rig.close()


@pytest.fixture
async def cluster(rig: Rig, tmp_path: Path) -> AsyncIterator[MailCluster]:
    made = MailCluster(tmp_path)
    await made.open(await rig.session("migrator"))
    yield made
    await made.close()
