"""The shared directory as it is now: its files, and size and time of those that matter.

Owns the walk. Its calls may hang with the storage, so it is used in a thread and with a deadline.
It must not know copies.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from l7lb.media.hot.errors import SharedAway

FILES_MOST = 1_000_000
DEPTH_MOST = 32
OURS = ".l7lb-"
"""Names that begin so are work of ours, whatever directory they are in."""


@dataclass(frozen=True, slots=True)
class Original:
    """What tells one content of a name from another."""

    size: int
    mtime_ns: int


@dataclass(slots=True)
class Walk:
    device: int
    files: set[str] = field(default_factory=set)
    """Names relative to the directory."""
    directories: list[str] = field(default_factory=list)
    """Paths, that of the shared directory itself first."""
    asked: frozenset[str] = frozenset()
    originals: dict[str, Original] = field(default_factory=dict)
    """Of those that were asked for and are there."""


def look_at(path: str) -> Original | None:
    """None: no regular file is there. A symbolic link is none: it is shown, but never copied.

    Raises OSError when that cannot be said.
    """
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return Original(found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


def walk(shared: str, asked: Collection[str] = ()) -> Walk:
    """All regular files, and links to files. Raises SharedAway when it cannot be read whole."""
    try:
        found = Walk(Path(shared).stat().st_dev, asked=frozenset(asked))
        open_folders = [("", 0)]
        while open_folders:
            folder, depth = open_folders.pop()
            found.directories.append(f"{shared}/{folder}".rstrip("/"))
            for name, is_folder in _entries(f"{shared}/{folder}"):
                relative = f"{folder}/{name}" if folder else name
                if is_folder and depth < DEPTH_MOST:
                    open_folders.append((relative, depth + 1))
                elif not is_folder and len(found.files) < FILES_MOST:
                    found.files.add(relative)
        for name in found.files & found.asked:
            original = look_at(f"{shared}/{name}")
            if original is not None:
                found.originals[name] = original
    except OSError as error:
        raise SharedAway(f"{shared}: {error.strerror or error}") from error
    return found


def _entries(folder: str) -> list[tuple[str, bool]]:
    """A directory that vanished meanwhile has none."""
    found = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(OURS):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    found.append((entry.name, True))
                elif entry.is_file():
                    found.append((entry.name, False))
    except FileNotFoundError:
        return []
    return found
