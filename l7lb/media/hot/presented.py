"""The directory that the media server reads: for each file a symbolic link to its best copy.

A link is swapped by renaming another one over it, so at no moment is a file missing, and whoever
has it open goes on. Only links that lead to us are ever removed or replaced; what else lies there
is left alone. All of it blocks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from pathlib import Path

from l7lb.media.hot.originals import OURS

NEW = f"{OURS}new"


class Presented:
    """`sources`: where links of ours lead, the shared directory and that of the copies."""

    def __init__(self, root: str, sources: tuple[str, str]) -> None:
        self.root = root
        self._sources = tuple(f"{source}/" for source in sources)
        self._shown: dict[str, str] = {}
        Path(root).mkdir(parents=True, exist_ok=True)
        self._read()

    def target(self, name: str) -> str | None:
        """Where it leads; None: it is not shown."""
        return self._shown.get(name)

    def names(self) -> set[str]:
        return set(self._shown)

    def show(self, name: str, target: str) -> bool:
        """False: something that is not ours has that name. Raises OSError."""
        if self._shown.get(name) == target:
            return True
        path = f"{self.root}/{name}"
        if name not in self._shown and os.path.lexists(path):
            return False
        folder = os.path.dirname(path)  # noqa: PTH120  # a hundred thousand of these
        os.makedirs(folder, exist_ok=True)  # noqa: PTH103
        fresh = f"{folder}/{NEW}"
        if os.path.lexists(fresh):
            os.unlink(fresh)  # noqa: PTH108
        os.symlink(target, fresh)  # noqa: PTH211
        os.replace(fresh, path)  # noqa: PTH105
        self._shown[name] = target
        return True

    def hide(self, name: str) -> None:
        """The file is gone; directories that are empty now go too."""
        if self._shown.pop(name, None) is None:
            return
        path = Path(self.root) / name
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == Path(self.root):
                break
            try:
                folder.rmdir()
            except OSError:
                break

    def settle(self, names: Collection[str], target_of: Callable[[str], str]) -> list[str]:
        """Show exactly these. Gives the names that cannot be: something else has their place."""
        for name in self.names() - set(names):
            self.hide(name)
        return [name for name in sorted(names) if not self.show(name, target_of(name))]

    def _read(self) -> None:
        """What an earlier life left: its links, and one that was not yet renamed."""
        for folder, _, files in os.walk(self.root):
            for each in files:
                path = f"{folder}/{each}"
                if each == NEW:
                    os.unlink(path)  # noqa: PTH108
                    continue
                target = _link_target(path)
                if target is not None and target.startswith(self._sources):
                    self._shown[path[len(self.root) + 1 :]] = target


def _link_target(path: str) -> str | None:
    try:
        return os.readlink(path)  # noqa: PTH115
    except OSError:
        return None
