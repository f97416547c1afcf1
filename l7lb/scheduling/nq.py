"""nq: never queue. The first idle server, however light; sed when none is idle, as in LVS."""

from __future__ import annotations

from collections.abc import Collection

from l7lb.scheduling.base import C
from l7lb.scheduling.sed import ShortestExpectedDelay


class NeverQueue(ShortestExpectedDelay[C]):
    """No session waits behind another while a server is idle."""

    def choose(self, key: bytes | None, exclude: Collection[C] = ()) -> C | None:
        active = self.inputs.counters.active
        for each in self.candidates:
            if active(each.index) == 0 and (not exclude or each not in exclude):
                return each
        return super().choose(key, exclude)
