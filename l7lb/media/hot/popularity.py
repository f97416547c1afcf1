"""How popular a file is: viewings, each worth less as time goes by.

A viewing is bytes streamed ÷ size, so a film that is left after a tenth counts a tenth, and the
score is at the same time what a byte of disk saves. Time is passed in; it must not know files.
"""

from __future__ import annotations

from collections.abc import Iterator

LIMIT = 100_000
"""Files remembered."""
KEPT = 0.75
"""Share of them that stays when there are too many: the most popular."""
FAR = 40
"""Half-lives after which the base is moved: 2^40 viewings are far below what a float holds."""


class Popularity:
    """Score of a file = sum of its viewings, each halved every `half_life_s`."""

    def __init__(self, half_life_s: float, limit: int = LIMIT) -> None:
        self._half_life_s = half_life_s
        self._limit = limit
        self._scaled: dict[str, float] = {}
        """Scores as they were at the base time: one number a file, and no sweep to age them."""
        self._base_s: float | None = None

    def add(self, name: str, viewings: float, now_s: float) -> None:
        growth = self._growth(now_s)
        self._scaled[name] = self._scaled.get(name, 0.0) + viewings * growth
        if len(self._scaled) > self._limit:
            self._shed()

    def score(self, name: str, now_s: float) -> float:
        """0.0 for a file that is not remembered."""
        found = self._scaled.get(name)
        return 0.0 if found is None else found / self._growth(now_s)

    def total(self, now_s: float) -> float:
        return sum(self._scaled.values()) / self._growth(now_s)

    def forget(self, name: str) -> None:
        self._scaled.pop(name, None)

    def top(self, count: int, now_s: float) -> list[tuple[str, float]]:
        """The most popular files, the first first."""
        growth = self._growth(now_s)
        ranked = sorted(self._scaled.items(), key=lambda item: (-item[1], item[0]))
        return [(name, scaled / growth) for name, scaled in ranked[:count]]

    def __len__(self) -> int:
        return len(self._scaled)

    def __iter__(self) -> Iterator[str]:
        return iter(self._scaled)

    def _growth(self, now_s: float) -> float:
        """What a viewing of now is worth in scores of the base time."""
        if self._base_s is None:
            self._base_s = now_s
        age = (now_s - self._base_s) / self._half_life_s
        if age > FAR:
            self._move_base(now_s, age)
            age = 0.0
        return float(2.0**age)

    def _move_base(self, now_s: float, age: float) -> None:
        shrink = 2.0**-age if age < 1000 else 0.0
        self._scaled = {
            name: scaled * shrink for name, scaled in self._scaled.items() if scaled * shrink > 1e-9
        }
        self._base_s = now_s

    def _shed(self) -> None:
        ranked = sorted(self._scaled, key=self._scaled.__getitem__, reverse=True)
        for name in ranked[int(self._limit * KEPT) :]:
            del self._scaled[name]
