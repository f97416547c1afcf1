"""wlc: weighted least connections. The smallest (open sessions / weight), as in LVS.

Among equals the servers take turns by weight (as nginx does in least_conn), so that a quiet pool
is shared by weight too, and a server in slow start gets its share of the first sessions.
"""

from __future__ import annotations

from l7lb.scheduling.base import C
from l7lb.scheduling.lc import LeastConnections


class WeightedLeastConnections(LeastConnections[C]):
    """The default scheduler."""

    def cost(self, candidate: C) -> float:
        return 1.0 / candidate.weight
