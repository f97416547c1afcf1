"""How long the relay rests between two turns.

A wake-up costs more than a packet. So after a turn that moved something the process rests for some
milliseconds and finds what came meanwhile in one batch; a player's buffer holds a hundred times as
much. Under load it rests less, so that no socket's buffer overflows. Pure.
"""

from __future__ import annotations

REST_S = (0.00025, 0.004)
"""Shortest and longest."""
FEW, MANY = 8, 32
"""Datagrams that one socket had at the end of a rest: below, it may be longer; above, shorter."""


class Pace:
    """`after` each turn says how long to rest before the next; 0: wait for what comes."""

    def __init__(self, longest_s: float = REST_S[1]) -> None:
        self._longest_s = longest_s
        self._shortest_s = min(REST_S[0], longest_s)
        self._rest_s = self._shortest_s

    def after(self, moved: int, largest: int) -> float:
        """`moved` datagrams in the turn, `largest` of them from one socket."""
        if not moved:
            return 0.0
        if largest > MANY:
            self._rest_s = max(self._rest_s / 2, self._shortest_s)
        elif largest < FEW:
            self._rest_s = min(self._rest_s * 2, self._longest_s)
        return self._rest_s
