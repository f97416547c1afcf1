"""The line: first come, first served, and no turn is lost with one that gives up."""

from __future__ import annotations

import asyncio

from l7lb.directory.turns import Turns


async def waiting(turns: Turns, count: int) -> list[asyncio.Task[None]]:
    tasks = [asyncio.create_task(turns.wait(turns.give)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_the_first_that_waits_is_next() -> None:
    turns = Turns()
    first, second = await waiting(turns, 2)
    assert len(turns) == 2
    assert turns.give()
    await first
    assert not second.done()
    assert turns.give()
    await second
    assert not turns.give()


async def test_one_that_gives_up_is_passed_over() -> None:
    turns = Turns()
    first, second = await waiting(turns, 2)
    first.cancel()
    await asyncio.wait([first])
    assert len(turns) == 1
    assert turns.give()
    await second


async def test_a_turn_that_came_too_late_is_passed_on() -> None:
    turns = Turns()
    first, second = await waiting(turns, 2)
    assert turns.give()
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    await second
