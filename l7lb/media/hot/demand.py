"""How many copies a file is worth: as many as its share of all demand needs servers.

Copies are raised at once and lowered late, so that a file at the edge between two numbers is not
copied and evicted in turn. Time is passed in; a share of the choices seen here is the same share
in the whole cluster, so directors need not add up what each of them sees.
"""

from __future__ import annotations

from math import ceil

from l7lb.media.hot.popularity import Popularity

LIMIT = 50_000
LATE = 0.5
"""Copies less than one lower: only so far below is the number lowered."""
TOTAL = "\0all"
"""Not a digest: what all files count together."""


class Demand:
    """`spread`: a server is to take no more of one file than this share of its own fair share."""

    def __init__(self, half_life_s: float = 600.0, spread: float = 0.5) -> None:
        self._asked = Popularity(half_life_s, LIMIT)
        self._spread = spread
        self._copies: dict[int, int] = {}
        """Those of more than one copy."""

    def ask(self, file: int, now_s: float) -> None:
        """A client wants this file."""
        self._asked.add(_name(file), 1.0, now_s)
        self._asked.add(TOTAL, 1.0, now_s)

    def copies(self, file: int, servers: int, now_s: float) -> int:
        """From 1 to `servers`."""
        total = self._asked.score(TOTAL, now_s)
        share = self._asked.score(_name(file), now_s) / total if total else 0.0
        needed = share * servers / self._spread
        before = self._copies.get(file, 1)
        wanted = max(1, ceil(needed)) if needed > before else before
        while wanted > 1 and needed < wanted - 1 - LATE:
            wanted -= 1
        self._remember(file, min(wanted, servers))
        return min(wanted, servers)

    def _remember(self, file: int, copies: int) -> None:
        if copies > 1:
            self._copies[file] = copies
            if len(self._copies) > LIMIT:
                del self._copies[next(iter(self._copies))]
        else:
            self._copies.pop(file, None)


def _name(file: int) -> str:
    return f"{file:016x}"
