"""Chooses a server for a path: holdings, demand and choice in one hand.

One for each worker. It must not know wire formats, or where announcements come from.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from l7lb.media.hot.choice import Choice, choose
from l7lb.media.hot.demand import Demand
from l7lb.media.hot.holdings import Holdings
from l7lb_protocols.announce.digest import path_digest


class Chooser:
    def __init__(self, holdings: Holdings, now: Callable[[], float] = time.monotonic) -> None:
        self.holdings = holdings
        self._demand = Demand()
        self._now = now

    def choose(self, pool: str, path: bytes, servers: Sequence[str]) -> str | None:
        """The server for one more client of this file, counted as a choice.

        `servers`: those that may be chosen now. None: no agent of any of them is heard, so the
        pool's scheduler says.
        """
        del pool  # names of servers are those of agents, whatever pool they are in
        now_s = self._now()
        if not servers or not self.holdings.is_heard(servers, now_s):
            return None
        file = path_digest(path)
        self._demand.ask(file, now_s)
        found = self._choice(file, servers)
        self.holdings.note(found.name, now_s)
        return found.name

    def explain(self, path: bytes, servers: Sequence[str]) -> Choice | None:
        """What `choose` would say, counting nothing."""
        if not servers or not self.holdings.is_heard(servers, self._now()):
            return None
        return self._choice(path_digest(path), servers)

    def _choice(self, file: int, servers: Sequence[str]) -> Choice:
        now_s = self._now()
        candidates = self.holdings.view(file, [(name, 1) for name in servers], now_s)
        return choose(file, candidates, self._demand.copies(file, len(servers), now_s))
