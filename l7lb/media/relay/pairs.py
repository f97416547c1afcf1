"""Pairs of ports, RTP even and RTCP the odd one above (RFC 3550 §11), for one local address.

Owns which pairs are free. A pair that was given back rests before it is given out again, so that
late packets of the last session find nobody. Pure: binding is done elsewhere.
"""

from __future__ import annotations

from collections import deque

from l7lb.ports import Clock


class PairsExhausted(Exception):  # never leaves the package
    """All pairs of the range are in use or resting."""


class Pairs:
    """Of the ports from `first` to `last`, both included."""

    def __init__(self, first: int, last: int, cooling_s: float, clock: Clock) -> None:
        start = first + first % 2
        self._free = deque(range(start, last, 2))
        self._resting: deque[tuple[float, int]] = deque()
        self._cooling_s = cooling_s
        self._clock = clock
        self.size = len(self._free)
        self.used = 0

    def take(self) -> int:
        """The even port of the pair that has not been used for longest. Raises PairsExhausted."""
        self._warm_up()
        if not self._free:
            raise PairsExhausted(f"{self.used} pairs in use, {len(self._resting)} resting")
        self.used += 1
        return self._free.popleft()

    def give_back(self, port: int) -> None:
        """In use until now, or found to be somebody else's."""
        self.used -= 1
        self._resting.append((self._clock.now() + self._cooling_s, port))

    def _warm_up(self) -> None:
        now_s = self._clock.now()
        while self._resting and self._resting[0][0] <= now_s:
            self._free.append(self._resting.popleft()[1])
