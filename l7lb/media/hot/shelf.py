"""A node's files in one hand: shared, copied, presented. Every call blocks; each is for a thread.

Owns that what is presented always leads to something whole: a copy is shown after it is complete,
and before it is removed its original is. It must not know popularity, or why a file is copied.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from l7lb.media.hot.copies import Copies
from l7lb.media.hot.errors import CannotStart, OriginalChanged, SharedAway
from l7lb.media.hot.originals import Original, Walk, look_at, walk
from l7lb.media.hot.pace import Pace
from l7lb.media.hot.presented import Presented
from l7lb.model_hot_files import HotFilesSpec


@dataclass(slots=True)
class Settled:
    """What a walk changed."""

    names: set[str]
    directories: list[str] = field(default_factory=list)
    """Of copies."""
    dropped: list[str] = field(default_factory=list)
    """Copies whose original is gone or another one."""
    blocked: list[str] = field(default_factory=list)
    """Names under which something else lies in the presented directory."""


class Shelf:
    """Raises CannotStart."""

    def __init__(self, spec: HotFilesSpec, node: str) -> None:
        self.shared = _real(spec.path(spec.shared, node))
        local = _real(spec.path(spec.local, node))
        presented = _real(spec.path(spec.presented, node))
        _apart(self.shared, local, presented)
        self.copies = Copies(local)
        try:
            self.presented = Presented(presented, (self.shared, self.copies.root))
        except OSError as error:
            self.copies.close()
            raise CannotStart(f"{presented}: {error.strerror}") from error
        self.local = local
        self._settle_s = spec.settle_s
        self.held: dict[str, Original] = self.copies.found()
        """Copies that are whole, by name. Replaced, never changed: another thread may look."""
        self._device: int | None = None
        self._seen: set[str] = set()

    def close(self) -> None:
        self.copies.close()

    def name(self, path: str) -> str | None:
        """Of a file below the shared directory or among the copies."""
        for root in (self.shared, self.copies.root):
            if path.startswith(f"{root}/"):
                return path[len(root) + 1 :]
        return None

    def best(self, name: str) -> str:
        return self.copies.path(name) if name in self.held else f"{self.shared}/{name}"

    def look(self, name: str) -> Original | None:
        """At the original. Raises SharedAway."""
        try:
            return look_at(f"{self.shared}/{name}")
        except OSError as error:
            raise SharedAway(f"{self.shared}: {error.strerror}") from error

    def walk(self) -> Walk:
        """Of the shared directory. Raises SharedAway, also when another file system is there, or
        none: an empty mount point is no reason to throw everything away."""
        found = walk(self.shared, list(self.held))
        known = self._seen or set(self.held)
        is_bare = not found.files and len(found.directories) == 1
        if self._device not in {None, found.device} or (known and is_bare):
            raise SharedAway(f"{self.shared}: not mounted, it seems")
        self._device, self._seen = found.device, found.files
        return found

    def settle(self, found: Walk | None) -> Settled:
        """Drop copies that are no longer true, and present all files. Raises OSError.

        None: nothing is known of the shared directory. Then all stays, and what is copied is shown.
        """
        if found is None:
            for name in self.held:
                self.presented.show(name, self.best(name))
            return Settled(self.presented.names())
        stale = [
            name
            for name, copy in self.held.items()
            if name in found.asked and found.originals.get(name) != copy
        ]
        self._let_go(stale)
        blocked = self.presented.settle(found.files, self.best)
        for name in stale:
            self.copies.remove(name)
        return Settled(found.files, self.copies.directories(), stale, blocked)

    def copy(self, name: str, pace: Pace) -> Original:
        """Raises CopyFailed, SharedAway. Nobody sees it yet."""
        original = self.look(name)
        if original is None:
            raise OriginalChanged(f"{name} is no file, or gone")
        if abs(time.time() - original.mtime_ns / 1e9) < self._settle_s:
            raise OriginalChanged(f"{name} was changed just now")
        self.copies.copy(f"{self.shared}/{name}", name, original, pace)
        return original

    def present(self, name: str, original: Original) -> None:
        """A copy that is complete."""
        self.held = {**self.held, name: original}
        self.presented.show(name, self.best(name))

    def evict(self, name: str) -> bool:
        """False: somebody reads it."""
        gone = self.copies.evict(name, lambda: self._lead_back(name))
        if gone:
            self._let_go([name])
        return gone

    def drop(self, names: Collection[str]) -> None:
        """Copies that are not wanted, whoever reads them: who does, goes on."""
        self._let_go(names)
        for name in names:
            self._lead_back(name)
            self.copies.remove(name)

    def _let_go(self, names: Collection[str]) -> None:
        gone = set(names)
        self.held = {name: copy for name, copy in self.held.items() if name not in gone}

    def _lead_back(self, name: str) -> None:
        if self.presented.target(name) is not None:
            self.presented.show(name, f"{self.shared}/{name}")


def _real(path: str) -> str:
    return os.path.realpath(path)


def _apart(*paths: str) -> None:
    for one in paths:
        for other in paths:
            if one is not other and Path(one).is_relative_to(other):
                raise CannotStart(f"{one} lies in {other}: the three directories must be apart")
