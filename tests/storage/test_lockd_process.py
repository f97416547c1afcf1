"""lockd as a process: killed in the middle of traffic, ended well, started wrongly."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from l7lb_storage import InDoubt, Mode, Session, SessionSpec, Store, Unavailable
from l7lb_storage.lockd.client import LockdEngine
from l7lb_storage.lockd.link import LockdAddress
from support.lock_history import Automaton, Work
from support.lockd_process import LockdProcess
from support.storage_rigs import WAIT_S


@pytest.fixture
async def lockd(tmp_path: Path) -> AsyncIterator[LockdProcess]:
    process = LockdProcess(tmp_path)
    await process.start()
    yield process
    await process.close()


async def test_killed_in_mid_traffic(lockd: LockdProcess, tmp_path: Path) -> None:
    """Twice SIGKILL: no lock is held twice, no update is lost, tokens grow, sessions live."""
    work = Work(Automaton(), tmp_path, seed=5)
    engines = [LockdEngine(LockdAddress(lockd.socket)) for _ in range(3)]
    for engine in engines:
        await engine.open()
    sessions = [
        await Session.open(engine, SessionSpec(f"n{number}", 10))
        for number, engine in enumerate(engines)
    ]
    store = Store(engines[0])
    confirmed: list[int] = []
    counting = asyncio.create_task(count(store, confirmed))
    tasks = [
        asyncio.create_task(work.run(sessions[number % 3], 120, number)) for number in range(9)
    ]
    async with asyncio.timeout(3 * WAIT_S):
        for goal in (60, 200):
            while work.automaton.grants < goal:
                await asyncio.sleep(0.002)
            assert await lockd.end(signal.SIGKILL) == -signal.SIGKILL
            await lockd.start()
        await asyncio.gather(*tasks)
        counting.cancel()
        await asyncio.gather(counting, return_exceptions=True)
        item = await store.get("count")
    assert work.automaton.lost == 0
    assert work.stale == 0
    work.check()
    assert item is not None
    assert int(item.value) >= confirmed[-1]
    await asyncio.gather(*(session.close() for session in sessions))
    await asyncio.gather(*(engine.close() for engine in engines))


async def count(store: Store, confirmed: list[int]) -> None:
    """What was confirmed must be there afterwards, whenever the server dies."""
    number = 0
    while True:
        number += 1
        try:
            await store.put("count", b"%d" % number)
        except InDoubt:
            continue
        except Unavailable:
            await asyncio.sleep(0.01)
        else:
            confirmed.append(number)


async def test_ends_well_and_comes_back(lockd: LockdProcess) -> None:
    engine = LockdEngine(LockdAddress(lockd.socket))
    await engine.open()
    await Store(engine).put("k", b"1")
    assert await lockd.end() == 0
    assert not lockd.socket.exists()
    await lockd.start()
    async with asyncio.timeout(WAIT_S):
        assert await Store(engine).get("k") is not None
    await engine.close()


async def test_it_ends_with_its_standard_input_when_asked_to(tmp_path: Path) -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "l7lb_storage.lockd", "--data", str(tmp_path / "data")),
        *("--unix", str(tmp_path / "s"), "--while-stdin"),
        stdin=pipe,
        stdout=pipe,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with asyncio.timeout(WAIT_S):
        assert (await process.stdout.readline()).startswith(b"ready")
        process.stdin.write(b"words are of no interest\n")
        await process.stdin.drain()
        engine = LockdEngine(LockdAddress(tmp_path / "s"))
        await engine.open()
        await Store(engine).put("k", b"1")
        await engine.close()
        process.stdin.close()
        assert await process.wait() == 0


async def test_socket_is_private(lockd: LockdProcess) -> None:
    assert lockd.socket.stat().st_mode & 0o777 == 0o600


async def test_second_server_on_the_same_data_is_refused(lockd: LockdProcess) -> None:
    second = LockdProcess(lockd.folder, "--unix", str(lockd.folder / "t"))
    second.process = await second.launch()
    async with asyncio.timeout(WAIT_S):
        _, said = await second.process.communicate()
    assert second.process.returncode == 1
    assert b"locked" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "needs a unix socket or an address"),
        (("--tcp", "127.0.0.1:0"), "secret has at least 16 bytes"),
        (("--tcp", "127.0.0.1:many"), "invalid literal"),
        (("--unix", "s", "--secret", "no-such-file"), "No such file"),
    ],
)
async def test_wrong_options(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    process = LockdProcess(tmp_path, *options or ("--data", str(tmp_path)))
    process.process = await process.launch()
    async with asyncio.timeout(WAIT_S):
        _, text = await process.process.communicate()
    assert process.process.returncode == 1
    assert said in text.decode()


async def test_tcp_with_a_secret(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("a secret of many bytes\n")
    process = LockdProcess(tmp_path, "--tcp", "127.0.0.1:0", "--secret", str(secret))
    await process.start()
    engine = LockdEngine(LockdAddress(port=process.port, secret=b"a secret of many bytes"))
    try:
        await engine.open()
        async with await Session.open(engine, SessionSpec("n")) as session:
            assert (await session.acquire("r", Mode.EX)).valid
    finally:
        await engine.close()
        await process.close()
