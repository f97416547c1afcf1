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
RENEWALS = 3
"""In the time of a latch."""
SILENT = "silent"
ELSEWHERE = "elsewhere"
log = logging.getLogger("l7lb.media")


@dataclass(frozen=True, slots=True)
class Watch:
    paths: Sequence[FlowPath]
    within_s: float
    """From PLAY on."""
    timeout_s: int
    """Of the latches."""


class Latching:
    """One player. `listen` once; then `renew` until it is cancelled."""

    def __init__(self, kernel: Kernel, watch: Watch) -> None:
        self._kernel = kernel
        self._watch = watch
        self.mapped: list[FlowPath] = []
        """Those whose player is heard from another port: they end with the latch's timeout."""

    async def listen(self) -> bool:
        """True as soon as each path has a verdict, or the player was heard on one when time is
        up; False: nothing came."""
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._watch.within_s
        left = list(self._watch.paths)
        was_heard = False
        await asyncio.sleep(min(FIRST_S, self._watch.within_s))
        while True:
            silent = [path for path in left if await self._look(path) == SILENT]
            was_heard = was_heard or len(silent) < len(left)
            left = silent
            if not left or loop.time() >= end_s:
                return was_heard
            await asyncio.sleep(EVERY_S)

    async def renew(self) -> None:
        """Latches know nothing of packets: whoever plays longer needs them longer."""
        while self.mapped:
            await asyncio.sleep(self._watch.timeout_s / RENEWALS)
            for path in list(self.mapped):
                await self._look(path)

    async def _look(self, path: FlowPath) -> str:
        """A kernel that cannot be asked knows nothing against the player."""
        try:
            word = await self._kernel.latch(path, self._watch.timeout_s)
        except L7lbError as error:
            log.info("not latched", extra={"reason": str(error), "source": path.client})
            return ""
        if word == ELSEWHERE and path not in self.mapped:
            self.mapped.append(path)
        return word
