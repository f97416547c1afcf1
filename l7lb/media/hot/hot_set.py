"""What should lie on the local disk, and what to copy next: popularity and residency together.

Owns the decision; must not know files, disks or clocks. Whoever drives it (the agent, or a trace
in `benchmarks/hotfiles`) tells it what is read, takes an order, does it, and tells how it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from l7lb.media.hot.popularity import Popularity
from l7lb.media.hot.residency import Access, Residency, ResidencySpec

WANTED = 256
"""Files that wait for their copy; the least popular is dropped for one more."""
WAIT_S = 600.0
"""A wish that is older is forgotten: the next access wishes anew."""


@dataclass(frozen=True, slots=True)
class HotSetSpec:
    residency: ResidencySpec
    half_life_s: float = 1800.0
    margin: float = 1.2
    """A newcomer's worth is more than so many times that of its victims."""


@dataclass(frozen=True, slots=True)
class Order:
    """Evict `victims`, then copy `name`; end it by `copied` or `failed`."""

    name: str
    size: int
    victims: tuple[str, ...]


@dataclass(slots=True)
class Wish:
    size: int
    since_s: float


class HotSet:
    """All files are names; times are seconds of one clock."""

    def __init__(self, spec: HotSetSpec) -> None:
        self._spec = spec
        self.popularity = Popularity(spec.half_life_s)
        self.residency = Residency(spec.residency)
        self._wishes: dict[str, Wish] = {}
        self._coming: dict[str, int] = {}
        self.refused = 0
        """Wishes that were not worth their victims."""

    def opened(self, name: str, size: int, now_s: float) -> Access:
        """Somebody began to read it."""
        access = self.residency.access(name, size, now_s)
        if access is Access.AGAIN and name not in self._coming:
            self._wish(name, size, now_s)
        return access

    def streamed(self, name: str, viewings: float, now_s: float) -> None:
        """Bytes read ÷ size."""
        self.popularity.add(name, viewings, now_s)

    def next_order(
        self,
        now_s: float,
        is_held: Callable[[str], bool] = lambda _: False,
        limit_bytes: int | None = None,
    ) -> Order | None:
        """The most popular wish that is worth it. The others that were looked at are dropped.

        `is_held`: not to be evicted now. `limit_bytes`: below the capacity when the disk is short.
        """
        while self._wishes:
            name = max(self._wishes, key=lambda each: (self._score(each, now_s), each))
            wish = self._wishes.pop(name)
            if now_s - wish.since_s > WAIT_S:
                continue
            victims = self._victims(name, wish.size, now_s, is_held, limit_bytes)
            if victims is not None:
                self._coming[name] = wish.size
                return Order(name, wish.size, victims)
            self.refused += 1
        return None

    def evicted(self, name: str, now_s: float) -> None:
        self.residency.remove(name, now_s)

    def copied(self, name: str) -> None:
        size = self._coming.pop(name, None)
        if size is not None:
            self.residency.admit(name, size)

    def resized(self, name: str, size: int) -> None:
        """What is being copied has another size than it was ordered with."""
        if name in self._coming:
            self._coming[name] = size

    def excess(self, limit_bytes: int, is_held: Callable[[str], bool]) -> list[str]:
        """Whom to evict when less may be used than is."""
        over = self.bytes > limit_bytes
        coming = sum(self._coming.values())
        return self.residency.room(0, is_held, max(0, limit_bytes - coming)) or [] if over else []

    def failed(self, name: str) -> None:
        """The copy was not made; the next access may wish again. Nothing after `copied`."""
        self._coming.pop(name, None)

    def found(self, name: str, size: int) -> None:
        """A copy from an earlier life of the agent."""
        self.residency.admit(name, size)

    def forget(self, name: str) -> None:
        """The original is gone, or was replaced."""
        self.residency.forget(name)
        self.popularity.forget(name)
        self._wishes.pop(name, None)

    @property
    def bytes(self) -> int:
        """Of all copies, with those that are being made."""
        return self.residency.bytes + sum(self._coming.values())

    @property
    def wishes(self) -> int:
        return len(self._wishes)

    def __contains__(self, name: str) -> bool:
        return name in self.residency

    def __iter__(self) -> Iterator[str]:
        return iter(self.residency)

    def _wish(self, name: str, size: int, now_s: float) -> None:
        self._wishes.setdefault(name, Wish(size, now_s))
        if len(self._wishes) > WANTED:
            del self._wishes[min(self._wishes, key=lambda each: (self._score(each, now_s), each))]

    def _score(self, name: str, now_s: float) -> float:
        return self.popularity.score(name, now_s)

    def _victims(
        self,
        name: str,
        size: int,
        now_s: float,
        is_held: Callable[[str], bool],
        limit_bytes: int | None,
    ) -> tuple[str, ...] | None:
        """None: no room, or not worth it."""
        limit = self._spec.residency.capacity_bytes if limit_bytes is None else limit_bytes
        victims = self.residency.room(size, is_held, limit - sum(self._coming.values()))
        if victims is None:
            return None
        lost = sum(self._score(each, now_s) * self.residency.size(each) for each in victims)
        gained = self._score(name, now_s) * size
        worth = not victims or gained > self._spec.margin * lost
        return tuple(victims) if worth else None
