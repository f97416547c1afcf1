"""After PLAY: whence is the player heard? Behind a router its ports are others than SETUP named;
the kernel then maps what was named to what was heard. A player from which nothing comes has no way
for UDP.

Only for the modes in which the kernel moves the packets; the relay looks by itself.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from l7lb.errors import L7lbError
from l7lb.media.ports import FlowPath, Kernel

FIRST_S = 0.5
EVERY_S = 1.5
"""Between two looks; each asks the kernel for a listing."""
SILENT = "silent"
log = logging.getLogger("l7lb.media")


@dataclass(frozen=True, slots=True)
class Watch:
    paths: Sequence[FlowPath]
    within_s: float
    """From PLAY on."""
    timeout_s: int
    """Of the latches."""


async def heard(kernel: Kernel, watch: Watch) -> bool:
    """True as soon as each path has a verdict or the player was heard on one when time is up;
    False: nothing came."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + watch.within_s
    left = list(watch.paths)
    was_heard = False
    await asyncio.sleep(min(FIRST_S, watch.within_s))
    while True:
        silent = [path for path in left if await _is_silent(kernel, path, watch.timeout_s)]
        was_heard = was_heard or len(silent) < len(left)
        left = silent
        if not left or loop.time() >= end_s:
            return was_heard
        await asyncio.sleep(EVERY_S)


async def _is_silent(kernel: Kernel, path: FlowPath, timeout_s: int) -> bool:
    """A kernel that cannot be asked knows nothing against the player."""
    try:
        return await kernel.latch(path, timeout_s) == SILENT
    except L7lbError as error:
        log.info("not latched", extra={"reason": str(error), "source": path.client})
        return False
