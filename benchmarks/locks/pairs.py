"""Locks: pairs of lock and unlock in a second, and the time of a hand-over, for each engine.

`l7lb` is our recipe on etcd; beside it stand the other engines and the same etcd's bare
transactions, of which a pair needs two.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import ExitStack
from typing import Any

from benchmarks.figures import OURS, Bench, Case, Figures
from benchmarks.locks import servers
from l7lb_storage import MemoryEngine, Mode, Session, SessionSpec, Store
from l7lb_storage.engine import Engine
from l7lb_storage.etcd.engine import EtcdEngine
from l7lb_storage.etcd.gateway import EtcdSpec
from l7lb_storage.lockd.client import LockdEngine
from l7lb_storage.lockd.link import LockdAddress

MANY = 64
WAITERS = 20
BARE = "bare etcd"
Work = Callable[[Engine, float], Awaitable[tuple[float, float]]]
"""Gives a figure and the client's CPU for each unit, in milliseconds."""


async def repeated(
    count: int, seconds: float, unit: Callable[[int], Coroutine[Any, Any, None]]
) -> tuple[float, float]:
    """`count` tasks do units until the time is over: units in a second, CPU ms for each."""
    done = 0
    start, cpu = time.monotonic(), time.process_time()

    async def work(number: int) -> None:
        nonlocal done
        while time.monotonic() < start + seconds:
            await unit(number)
            done += 1

    await asyncio.gather(*(work(number) for number in range(count)))
    spent_ms = 1000 * (time.process_time() - cpu)
    return done / (time.monotonic() - start), spent_ms / done


def pairs(count: int) -> Work:
    async def work(engine: Engine, seconds: float) -> tuple[float, float]:
        async with await Session.open(engine, SessionSpec("bench")) as session:

            async def pair(number: int) -> None:
                await (await session.acquire(f"r{number}", Mode.EX)).release()

            return await repeated(count, seconds, pair)

    return work


def bare_pairs(count: int) -> Work:
    async def work(engine: Engine, seconds: float) -> tuple[float, float]:
        store = Store(engine)

        async def pair(number: int) -> None:
            await store.put(f"k{number}", b"x")
            await store.put(f"k{number}", b"y")

        return await repeated(count, seconds, pair)

    return work


async def hand_overs(engine: Engine, seconds: float) -> tuple[float, float]:
    """Milliseconds from one holder's release to the next one's grant, with a line of waiters."""
    async with await Session.open(engine, SessionSpec("bench")) as session:

        async def turn(_number: int) -> None:
            await (await session.acquire("r", Mode.EX)).release()

        rate, cpu_ms = await repeated(WAITERS, seconds, turn)
    return 1000 / rate, cpu_ms


async def one_transaction(engine: Engine, seconds: float) -> tuple[float, float]:
    """Milliseconds; a hand-over on etcd needs one, a watch's message, a read and the next entry."""
    store = Store(engine)

    async def put(_number: int) -> None:
        await store.put("k", b"x")

    rate, cpu_ms = await repeated(1, seconds, put)
    return 1000 / rate, cpu_ms


def measured(bench: Bench, ours: Work, bare: Work) -> Figures:
    lab = bench.lab
    notes: dict[str, float] = {}
    with ExitStack() as stack:
        socket = stack.enter_context(servers.lockd(lab.folder / "lockd", lab.proxy_core))
        url = stack.enter_context(servers.etcd(lab.folder / "etcd", lab.proxy_core))
        engines: dict[str, tuple[Callable[[], Engine], Work]] = {
            OURS: (lambda: EtcdEngine(EtcdSpec((url,))), ours),
            BARE: (lambda: EtcdEngine(EtcdSpec((url,))), bare),
            "lockd": (lambda: LockdEngine(LockdAddress(socket)), ours),
            "memory": (MemoryEngine, ours),
        }

        def subject(name: str) -> Callable[[], float]:
            make, work = engines[name]

            async def run() -> float:
                engine = make()
                await engine.open()
                try:
                    figure, notes[f"CPU ms of the client, {name}"] = await work(
                        engine, bench.seconds
                    )
                finally:
                    await engine.close()
                return figure

            return lambda: asyncio.run(run())

        return Figures(bench.interleave({name: subject(name) for name in engines}), notes)


CASES = (
    Case(
        "lock-pairs-1",
        "lock and unlock, one task, ours on etcd",
        "pairs/s",
        lambda bench: measured(bench, pairs(1), bare_pairs(1)),
    ),
    Case(
        f"lock-pairs-{MANY}",
        f"lock and unlock, {MANY} tasks, ours on etcd",
        "pairs/s",
        lambda bench: measured(bench, pairs(MANY), bare_pairs(MANY)),
    ),
    Case(
        "lock-hand-over",
        f"from release to grant, {WAITERS} wait, ours on etcd",
        "ms",
        lambda bench: measured(bench, hand_overs, one_transaction),
    ),
)
