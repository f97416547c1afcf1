"""From events of the kernel to openings, closes and changes, less those that are our own.

Owns what is expected of ourselves: the agent opens files too, to copy and to evict them. It must
not know what an opening is worth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from l7lb.media.hot.inotify import CHANGED, CLOSED, Event, Mask

OPEN_S = 5.0
CLOSE_S = 6 * 3600.0
"""Two equal events may have come as one: then what is expected never comes. A copy takes long."""


@dataclass(slots=True)
class Sorted:
    opened: list[str] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    is_changed: bool = False
    """Something below the shared directory."""


class Sorter:
    def __init__(self, shared: str, name_of: Callable[[str], str | None]) -> None:
        self._shared = shared
        self._name_of = name_of
        self._expected: dict[tuple[str, bool], list[float]] = {}

    def expect(self, path: str, now_s: float) -> None:
        """We are about to open this file, and will close it."""
        for is_open in (True, False):
            self._expected.setdefault((path, is_open), []).append(now_s)

    def forget(self, path: str) -> None:
        """It was removed."""
        for is_open in (True, False):
            self._expected.pop((path, is_open), None)

    def sort(self, events: list[Event], now_s: float) -> Sorted:
        found = Sorted()
        for event in events:
            name = self._name_of(event.path)
            is_shared = event.directory.startswith(self._shared)
            if event.mask & CHANGED and is_shared:
                found.is_changed = True
            if name is None or event.mask & Mask.ISDIR:
                continue
            if event.mask & Mask.CREATE and is_shared:
                self.expect(event.path, now_s)  # whoever writes a new file is no reader of it
            if event.mask & Mask.OPEN and not self._is_ours(event.path, is_open=True):
                found.opened.append(name)
            if event.mask & CLOSED and not self._is_ours(event.path, is_open=False):
                found.closed.append(name)
        self._sweep(now_s)
        return found

    def _is_ours(self, path: str, *, is_open: bool) -> bool:
        times = self._expected.get((path, is_open))
        if not times:
            return False
        times.pop(0)
        if not times:
            del self._expected[path, is_open]
        return True

    def _sweep(self, now_s: float) -> None:
        for key, times in list(self._expected.items()):
            if now_s - times[0] > (OPEN_S if key[1] else CLOSE_S):
                del self._expected[key]
