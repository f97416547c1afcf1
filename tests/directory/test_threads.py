"""Threads that hang: bounded, counted, and no burden to the loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from l7lb.directory.threads import Threads
from l7lb.errors import DirectoryAway
from support.directories import turns

SOON_S = 0.05
LATE_S = 30.0


def failing() -> None:
    raise LookupError("no such host")


async def test_results_and_errors() -> None:
    threads = Threads("test", 2, 2)
    assert await threads.run(threading.get_ident, LATE_S) != threading.get_ident()
    with pytest.raises(LookupError, match="no such host"):
        await threads.run(failing, LATE_S)
    assert (threads.busy, threads.abandoned) == (0, 0)


async def test_a_thread_that_hangs_is_given_up_and_counted() -> None:
    threads, gate = Threads("test", 1, 0), threading.Event()
    with pytest.raises(DirectoryAway, match=r"no answer within 0.05 s"):
        await threads.run(gate.wait, SOON_S)
    assert (threads.busy, threads.abandoned, threads.abandoned_total) == (1, 1, 1)
    with pytest.raises(DirectoryAway, match="all 1 threads hang"):
        await threads.run(gate.wait, LATE_S)
    gate.set()
    while threads.busy:
        await asyncio.sleep(0.001)
    assert (threads.abandoned, threads.abandoned_total) == (0, 1)
    assert await threads.run(lambda: 5, LATE_S) == 5


async def test_the_loop_turns_while_a_thread_hangs() -> None:
    threads, gate = Threads("test", 1, 0), threading.Event()
    hanging = asyncio.create_task(threads.run(gate.wait, LATE_S))
    await turns()
    assert not hanging.done()
    gate.set()
    assert await hanging is True


async def test_no_more_than_the_limit_at_once_and_the_rest_in_line() -> None:
    threads, gate = Threads("test", 2, 3), threading.Event()
    running = [asyncio.create_task(threads.run(gate.wait, LATE_S)) for _ in range(5)]
    await turns(10)
    assert threads.busy == 2
    with pytest.raises(DirectoryAway, match="more than 3 calls wait"):
        await threads.run(gate.wait, LATE_S)
    gate.set()
    assert await asyncio.gather(*running) == [True] * 5
    assert threads.busy == 0


async def test_who_gives_up_waiting_takes_no_place() -> None:
    threads, gate = Threads("test", 1, 2), threading.Event()
    first = asyncio.create_task(threads.run(gate.wait, LATE_S))
    await turns(10)
    with pytest.raises(DirectoryAway):
        await threads.run(gate.wait, SOON_S)
    cancelled = asyncio.create_task(threads.run(gate.wait, LATE_S))
    await turns(10)
    cancelled.cancel()
    last = asyncio.create_task(threads.run(lambda: 7, LATE_S))
    gate.set()
    assert await first
    assert await last == 7
    assert threads.busy == 0


async def test_who_is_cancelled_in_the_moment_of_its_turn_passes_it_on() -> None:
    threads, gate = Threads("test", 1, 2), threading.Event()
    first = asyncio.create_task(threads.run(gate.wait, LATE_S))
    await turns(10)
    second = asyncio.create_task(threads.run(lambda: 2, LATE_S))
    third = asyncio.create_task(threads.run(lambda: 3, LATE_S))
    await turns(10)
    threads._waiting._line[0].add_done_callback(lambda _: second.cancel())
    gate.set()
    assert await first
    assert await third == 3
    assert second.cancelled() or await second == 2
    assert threads.busy == 0
