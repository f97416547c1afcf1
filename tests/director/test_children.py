"""A process that we started ends by word, else by force."""

from __future__ import annotations

import asyncio
import signal
import sys

from l7lb import children

DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); input()"
GOOD = "print(1, flush=True); input()"


async def started(program: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdin=pipe, stdout=pipe
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"1\n"
    return process


async def test_one_that_hears_ends_by_the_word() -> None:
    process = await started(GOOD)
    await children.end(process, 30.0)
    assert process.returncode == -signal.SIGTERM


async def test_one_that_does_not_hear_is_killed() -> None:
    process = await started(DEAF)
    await children.end(process, 0.05)
    assert process.returncode == -signal.SIGKILL


async def test_one_that_has_ended_is_left_alone() -> None:
    process = await started(GOOD)
    process.kill()
    await process.wait()
    await children.end(process, 30.0)
    assert process.returncode == -signal.SIGKILL
