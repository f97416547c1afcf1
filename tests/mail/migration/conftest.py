"""A cluster for migrations: accounts in a file, two servers with storage of their own, a store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.mail_cluster import MailCluster
from support.storage_rigs import LockdRig, MemoryRig, Rig


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
