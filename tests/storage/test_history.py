"""Many tasks on several engines do random things; an automaton checks what was seen."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path

from support.lock_history import Automaton, Work
from support.storage_rigs import WAIT_S, Rig

SEED = itertools.count(1)


async def test_random_work_is_a_possible_history(rig: Rig, tmp_path: Path) -> None:
    work = Work(Automaton(), tmp_path, seed=7)
    sessions = [await rig.session(f"n{number}") for number in range(3)]
    tasks = [work.run(sessions[number % 3], 25, number) for number in range(9)]
    async with asyncio.timeout(2 * WAIT_S):
        await asyncio.gather(*tasks)
    assert work.automaton.grants > 120
    assert work.automaton.lost == 0
    assert work.stale == 0
    assert sum(work.written.values()) > 20
    work.check()
    assert await sessions[0].engine.locks() == []


async def test_history_holds_over_a_restart(server_rig: Rig, tmp_path: Path) -> None:
    """The servers die in the middle and come back; sessions live through it."""
    work = Work(Automaton(), tmp_path, seed=11)
    sessions = [await server_rig.session(f"n{number}", ttl_s=10) for number in range(3)]
    tasks = [asyncio.create_task(work.run(sessions[number % 3], 40, number)) for number in range(9)]
    async with asyncio.timeout(2 * WAIT_S):
        while work.automaton.grants < 40:
            await asyncio.sleep(0.005)
        await server_rig.restart()
        before = work.automaton.grants
        await asyncio.gather(*tasks)
    assert work.automaton.grants > before
    assert work.automaton.lost == 0
    work.check()
