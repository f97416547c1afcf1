"""How a process that we started is ended: by word, else by force.

Owns nothing. Must not know what the process does.
"""

from __future__ import annotations

import asyncio
import contextlib


async def end(process: asyncio.subprocess.Process, limit_s: float) -> None:
    """SIGTERM, and SIGKILL when it has not ended after so long. Returns when it has ended."""
    if process.returncode is not None:
        return
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    try:
        await asyncio.wait_for(process.wait(), limit_s)
    except TimeoutError:
        process.kill()
        await process.wait()
