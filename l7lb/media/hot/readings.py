"""From events and looks to what was read: accesses, bytes, and how many read now.

Events tell of each opening, but two of the same file at once may come as one, and they do not say
how much was read. A look at the open files says that, but misses what was opened and closed
between two looks. So an episode, from a file's first opening to its last close, counts the larger
of both. Pure: names instead of paths, and the time is passed in.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

UNSEEN_BYTES = 1 << 20
"""Taken for read when a file was opened and closed between two looks."""
BLIND_AFTER_S = 3.0
"""A file that is open for so long and seen in no look: its reader cannot be seen."""
BLIND_MOST_S = 6 * 3600.0
"""No film is longer: its close was lost."""
POSITIONLESS_BYTES = 64 << 10
"""A process that read more than that while no position moved reads without moving it (pread)."""
WHOLE = -1
"""Bytes of a file whose reader cannot be seen: one viewing."""

Key = tuple[int, int, str]
"""Process, descriptor, name."""


@dataclass(slots=True)
class Episode:
    since_s: float
    opened: int = 0
    """By events."""
    seen: int = 0
    """By looks."""
    counted: int = 0
    outstanding: int = 0
    """Opened and not yet closed, by events."""
    live: set[Key] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Counted:
    accesses: list[str]
    """A name for each."""
    read: list[tuple[str, int]]
    """Bytes by name, or WHOLE."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What a process can have read since the last look: at most, and for sure."""

    most: int
    sure: int


def _budget(total: int | None, before: int | None) -> Budget:
    if total is None:
        return Budget(sys.maxsize, 0)
    return Budget(total - (before or 0), 0 if before is None else total - before)


class Readings:
    def __init__(self) -> None:
        self._episodes: dict[str, Episode] = {}
        self._positions: dict[Key, int] = {}
        self._moved: set[Key] = set()
        """Those whose position has moved at all."""
        self._totals: dict[int, int] = {}

    def opened(self, name: str, now_s: float) -> None:
        episode = self._episode(name, now_s)
        episode.opened += 1
        episode.outstanding += 1

    def closed(self, name: str) -> None:
        episode = self._episodes.get(name)
        if episode is not None:
            episode.outstanding = max(0, episode.outstanding - 1)

    def lost(self) -> None:
        """Events are missing: only looks tell what is open."""
        for episode in self._episodes.values():
            episode.outstanding = 0

    @property
    def is_idle(self) -> bool:
        """Nothing is open, so that no look is needed."""
        return not self._episodes

    def is_open(self, name: str) -> bool:
        episode = self._episodes.get(name)
        return episode is not None and bool(episode.live or episode.outstanding)

    @property
    def sessions(self) -> int:
        """Readers now; of those that cannot be seen, the openings."""
        return sum(
            len(each.live) or (0 if each.seen else each.outstanding)
            for each in self._episodes.values()
        )

    def look(
        self, positions: Mapping[Key, int], totals: Mapping[int, int], now_s: float
    ) -> Counted:
        """`positions` of all open files, `totals` read by each process as far as it is known."""
        self._see(positions, now_s)
        read = self._moves(positions, totals)
        self._positions, self._totals = dict(positions), dict(totals)
        self._moved &= positions.keys()
        accesses = list(self._accesses())
        return Counted(accesses, [*read.items(), *self._ends(now_s)])

    def _episode(self, name: str, now_s: float) -> Episode:
        return self._episodes.setdefault(name, Episode(now_s))

    def _see(self, keys: Iterable[Key], now_s: float) -> None:
        live = defaultdict(set)
        for key in keys:
            live[key[2]].add(key)
        for name in live:
            self._episode(name, now_s)
        for name, episode in self._episodes.items():
            now = live.get(name, set())
            episode.seen += len(now - episode.live)
            episode.live = now

    def _accesses(self) -> Iterable[str]:
        for name, episode in self._episodes.items():
            count = max(episode.opened, episode.seen)
            yield from (name for _ in range(count - episode.counted))
            episode.counted = max(count, episode.counted)

    def _moves(self, positions: Mapping[Key, int], totals: Mapping[int, int]) -> dict[str, int]:
        """Forward moves, as far as their process has read so much: a jump is no reading."""
        moves: dict[int, dict[Key, int]] = defaultdict(dict)
        for key, position in positions.items():
            moves[key[0]][key] = max(0, position - self._positions.get(key, 0))
        found: dict[str, int] = defaultdict(int)
        for pid, by_key in moves.items():
            budget = _budget(totals.get(pid), self._totals.get(pid))
            self._moved |= {key for key, count in by_key.items() if count}
            for key, count in self._shared(by_key, budget).items():
                if count > 0:
                    found[key[2]] += count
        return found

    def _shared(self, by_key: dict[Key, int], budget: Budget) -> dict[Key, int]:
        moved = sum(by_key.values())
        if moved > budget.most:
            return {key: count * budget.most // moved for key, count in by_key.items()}
        still = [key for key in by_key if key not in self._moved]
        if moved or not still or budget.sure <= POSITIONLESS_BYTES:
            return by_key
        return dict.fromkeys(still, budget.sure // len(still))

    def _ends(self, now_s: float) -> list[tuple[str, int]]:
        """Episodes that are over, and what is taken for read in those that nobody saw."""
        found = []
        for name, episode in list(self._episodes.items()):
            age_s = now_s - episode.since_s
            is_stuck = bool(episode.seen) or age_s > BLIND_MOST_S
            if episode.live or (episode.outstanding and not is_stuck):
                continue
            del self._episodes[name]
            if not episode.seen:
                each = WHOLE if age_s > BLIND_AFTER_S else UNSEEN_BYTES
                found += [(name, each)] * episode.opened
        return found
