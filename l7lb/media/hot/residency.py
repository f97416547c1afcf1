"""Which files lie on the local disk: S3-FIFO (Yang and others, SOSP 2023), counted in bytes.

Two queues hold what is resident: *small*, where newcomers prove themselves, and *main*. *Ghost*
remembers names alone. Unlike in a cache of memory, a copy costs a read of the whole file, so a
first access leaves only its ghost, and a newcomer must be worth more than whom it drives out.
It must not know files, clocks or scores: sizes, times and what is open are passed in.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

HITS_MOST = 3
"""Accesses that are remembered of a resident file: two bits, as in the paper."""
GHOSTS = 200_000


@dataclass(frozen=True, slots=True)
class ResidencySpec:
    capacity_bytes: int
    small_share: float = 0.1
    """Of the capacity; beyond it newcomers leave first."""
    ghost_share: float = 1.0
    """Bytes of files whose ghosts are kept, as a multiple of the capacity."""
    ghost_s: float = 3600.0
    """A second access after this long is a first one."""
    second_access: bool = True
    """Whether a first access leaves only a ghost; without it, it is the paper's algorithm."""


class Access(StrEnum):
    HIT = "hit"
    FIRST = "first"
    """Not resident, and not seen lately."""
    AGAIN = "again"
    """Not resident, but seen lately: worth a copy."""


@dataclass(slots=True)
class Resident:
    size: int
    hits: int = 0


@dataclass(slots=True)
class Ghost:
    size: int
    seen_s: float
    was_resident: bool


class Residency:
    """An access says whether to copy; `room` names whom to evict, `admit` takes the copy in."""

    def __init__(self, spec: ResidencySpec) -> None:
        self.spec = spec
        self.bytes = 0
        """Of all residents."""
        self._small: OrderedDict[str, Resident] = OrderedDict()
        self._main: OrderedDict[str, Resident] = OrderedDict()
        self._small_bytes = 0
        self._ghosts: OrderedDict[str, Ghost] = OrderedDict()
        self._ghost_bytes = 0

    def access(self, name: str, size: int, now_s: float) -> Access:
        """Count an access. A ghost stays one until the file is admitted."""
        found = self._small.get(name) or self._main.get(name)
        if found is not None:
            found.hits = min(found.hits + 1, HITS_MOST)
            return Access.HIT
        ghost = self._drop_ghost(name)
        recent = ghost is not None and now_s - ghost.seen_s <= self.spec.ghost_s
        if recent or self.spec.second_access:
            was_resident = ghost is not None and recent and ghost.was_resident
            self._add_ghost(name, Ghost(size, now_s, was_resident))
        return Access.AGAIN if recent or not self.spec.second_access else Access.FIRST

    def room(
        self, size: int, is_held: Callable[[str], bool], limit_bytes: int | None = None
    ) -> list[str] | None:
        """Whom to evict so that `size` bytes fit below `limit_bytes` (the capacity).

        None: what is not held makes not enough room. Nothing is evicted yet: tell by `remove` who
        was; the others had their turn and stand at the end of main.
        """
        limit = self.spec.capacity_bytes if limit_bytes is None else limit_bytes
        if size > limit:
            return None
        victims: list[str] = []
        excess = self.bytes + size - limit
        for _ in range((HITS_MOST + 2) * len(self)):
            if excess <= 0:
                break
            name = self._next_small(is_held) if self._is_small_first else self._next_main(is_held)
            if name in victims:
                return None
            if name is not None:
                victims.append(name)
                excess -= self._main[name].size
        return victims if excess <= 0 else None

    def admit(self, name: str, size: int) -> None:
        """The copy is there. Who was resident lately goes straight to main."""
        self.remove(name)
        ghost = self._drop_ghost(name)
        self.bytes += size
        if ghost is not None and ghost.was_resident:
            self._main[name] = Resident(size)
        else:
            self._small[name] = Resident(size)
            self._small_bytes += size

    def remove(self, name: str, evicted_s: float | None = None) -> None:
        """It is no longer there; with `evicted_s` its ghost remembers that it was."""
        found = self._take(name)
        if found is not None and evicted_s is not None:
            self._add_ghost(name, Ghost(found.size, evicted_s, was_resident=True))

    def forget(self, name: str) -> None:
        """The file is gone, or another one has its name."""
        self.remove(name)
        self._drop_ghost(name)

    def size(self, name: str) -> int:
        """0 when it is not resident."""
        found = self._small.get(name) or self._main.get(name)
        return found.size if found else 0

    def __contains__(self, name: str) -> bool:
        return name in self._small or name in self._main

    def __len__(self) -> int:
        return len(self._small) + len(self._main)

    def __iter__(self) -> Iterator[str]:
        yield from self._small
        yield from self._main

    # ----------------------------------------------------------------- the three queues

    @property
    def _is_small_first(self) -> bool:
        full = self._small_bytes > self.spec.small_share * self.spec.capacity_bytes
        return bool(self._small) and (full or not self._main)

    def _next_small(self, is_held: Callable[[str], bool]) -> str | None:
        """The oldest newcomer moves to main, and is a victim when nobody asked for it again."""
        name, entry = self._small.popitem(last=False)
        self._small_bytes -= entry.size
        is_victim = entry.hits == 0 and not is_held(name)
        entry.hits = 0
        self._main[name] = entry
        return name if is_victim else None

    def _next_main(self, is_held: Callable[[str], bool]) -> str | None:
        """The oldest of main goes to its end, and is a victim when its hits are used up."""
        name = next(iter(self._main))
        entry = self._main[name]
        self._main.move_to_end(name)
        is_victim = entry.hits == 0 and not is_held(name)
        entry.hits = max(entry.hits - 1, 0)
        return name if is_victim else None

    def _take(self, name: str) -> Resident | None:
        found = self._small.pop(name, None)
        if found is not None:
            self._small_bytes -= found.size
        else:
            found = self._main.pop(name, None)
        if found is not None:
            self.bytes -= found.size
        return found

    def _add_ghost(self, name: str, ghost: Ghost) -> None:
        self._drop_ghost(name)
        self._ghosts[name] = ghost
        self._ghost_bytes += ghost.size
        most_bytes = self.spec.ghost_share * self.spec.capacity_bytes
        while self._ghosts and (self._ghost_bytes > most_bytes or len(self._ghosts) > GHOSTS):
            _, old = self._ghosts.popitem(last=False)
            self._ghost_bytes -= old.size

    def _drop_ghost(self, name: str) -> Ghost | None:
        found = self._ghosts.pop(name, None)
        if found is not None:
            self._ghost_bytes -= found.size
        return found
