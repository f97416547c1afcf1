"""sed: shortest expected delay. The smallest ((open sessions + 1) / weight), as in LVS.

The new session itself is counted, so an idle pool sends it to the heaviest server.
Among equals the first in the file wins.
"""

from __future__ import annotations

from collections.abc import Collection

from l7lb.scheduling.base import C, Scheduler


class ShortestExpectedDelay(Scheduler[C]):
    """For servers of very different power and few long sessions."""

    def choose(self, key: bytes | None, exclude: Collection[C] = ()) -> C | None:
        active = self.inputs.counters.active
        best: C | None = None
        least = 0.0
        for each in self.candidates:
            if exclude and each in exclude:
                continue
            delay = (active(each.index) + 1) / each.weight
            if best is None or delay < least:
                best = each
                least = delay
        return best
