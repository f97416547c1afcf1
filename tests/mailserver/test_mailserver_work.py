"""Threads for files."""

import asyncio
import threading

import pytest

from l7lb.errors import MailboxAway
from l7lb.mailserver.work import Work

WAIT_S = 30.0


async def test_results_and_errors_come_back() -> None:
    work = Work()
    assert await work.run(lambda: 1) == 1
    with pytest.raises(ZeroDivisionError):
        await work.run(lambda: 1 // 0)
    work.close()


async def test_what_waits_is_bounded_and_what_has_begun_is_finished() -> None:
    work = Work(threads=1, queue=2)
    go_on, done = threading.Event(), threading.Event()
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow() -> None:
        loop.call_soon_threadsafe(begun.set)
        assert go_on.wait(WAIT_S)
        done.set()

    first = asyncio.create_task(work.run(slow))
    await begun.wait()
    second = asyncio.create_task(work.run(lambda: 2))
    await asyncio.sleep(0)
    with pytest.raises(MailboxAway):
        await work.run(lambda: 3)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    go_on.set()
    assert await second == 2
    assert done.is_set()
    assert await work.run(lambda: 4) == 4
    work.close()
