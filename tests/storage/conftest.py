"""Rigs of all engines. One etcd member serves the whole run; each test has a prefix of its own."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from support.etcd_members import Member, roomy, single, three
from support.storage_rigs import EtcdRig, LockdRig, MemoryRig, Rig

NUMBERS = itertools.count()


@pytest.fixture(scope="session")
def member() -> Iterator[Member]:
    """A single etcd that tests may restart."""
    with TemporaryDirectory(dir=roomy()) as folder:
        member = single(Path(folder) / "data")
        member.start()
        yield member
        member.kill()


@pytest.fixture(scope="session")
def members() -> Iterator[list[Member]]:
    """A cluster of three; whoever stops one makes it go on."""
    with TemporaryDirectory(dir=roomy()) as folder:
        members = three(Path(folder))
        yield members
        for member in members:
            member.kill()


@pytest.fixture(params=["memory", "lockd", "etcd"])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """Each engine in turn."""
    async for found in started(request, request.param, tmp_path):
        yield found


@pytest.fixture(params=["lockd", "etcd"])
async def server_rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """The engines that other processes can reach."""
    async for found in started(request, request.param, tmp_path):
        yield found


@pytest.fixture
async def cluster(members: list[Member]) -> AsyncIterator[EtcdRig]:
    """etcd of three members."""
    rig = EtcdRig(members, f"t{next(NUMBERS)}/")
    yield rig
    await rig.close()


async def started(request: pytest.FixtureRequest, name: str, folder: Path) -> AsyncIterator[Rig]:
    rig: Rig
    if name == "memory":
        rig = MemoryRig()
    elif name == "lockd":
        rig = LockdRig(folder)
    else:
        rig = EtcdRig([request.getfixturevalue("member")], f"t{next(NUMBERS)}/")
    await rig.start()
    try:
        yield rig
    finally:
        await rig.close()
