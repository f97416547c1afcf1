"""What is in a Maildir: its folders, messages and state files, and the sum of them.

A message is known by its folder and the unique part of its name; the rest of the name is flags,
which servers change by renaming. State files are what servers keep beside: subscriptions, UIDs,
keywords, indexes. Left out: `tmp` (what is there was never delivered), lock and fence files.
All of it blocks; run it in a thread.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from l7lb.errors import MigrationRefused
from l7lb.mail.migration.record import Sum

FILES_LIMIT = 5_000_000
"""Of one account; a tree with more is not a mailbox."""
CHUNK = 256 << 10
MESSAGES = frozenset({"cur", "new"})
UNDELIVERED = "tmp"
OURS = ".l7lb-"
"""Files of a migration, in the copy only."""
Spend = Callable[[int], None]
"""Told of each piece of bytes that was read; may wait, and raises to stop."""


@dataclass(frozen=True, slots=True)
class File:
    folder: str
    """Relative to the Maildir, empty for the inbox; as the file system spells it."""
    place: str
    """`cur`, `new`, or empty for a state file."""
    name: str
    size: int
    mtime_s: int
    """Whole seconds: not every file system keeps more."""

    @property
    def path(self) -> str:
        return "/".join(part for part in (self.folder, self.place, self.name) if part)

    @property
    def is_message(self) -> bool:
        return self.place != ""

    @property
    def unique(self) -> str:
        return self.name.partition(":2,")[0] if self.is_message else self.name

    @property
    def flags(self) -> str:
        return self.name.partition(":2,")[2] if self.is_message else ""

    @property
    def content(self) -> tuple[str, bool, str, int, int]:
        """Equal for two files: the same message or state file, perhaps under another name."""
        return (self.folder, self.is_message, self.unique, self.size, self.mtime_s)


@dataclass(frozen=True, slots=True)
class Tree:
    directories: tuple[str, ...]
    """All of them, parents first; the Maildir itself is the empty one."""
    files: tuple[File, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size for file in self.files)

    @property
    def messages(self) -> int:
        return sum(file.is_message for file in self.files)


EMPTY = Tree((), ())


def scan(maildir: Path) -> Tree:
    """What is there now; EMPTY when nothing is. Files that go meanwhile are left out.

    Raises MigrationRefused for links, devices and the like, which a copy would make into something
    else; OSError.
    """
    if not maildir.is_dir():
        return EMPTY
    directories: list[str] = []
    files: list[File] = []
    waiting = [""]
    while waiting:
        here = waiting.pop()
        directories.append(here)
        for name, found in _entries(maildir / here):
            path = f"{here}/{name}" if here else name
            if stat.S_ISDIR(found.st_mode):
                waiting.append(path)
            elif not stat.S_ISREG(found.st_mode):
                raise MigrationRefused(f"{maildir / path} is neither a file nor a directory")
            elif not _is_passing(here, name):
                files.append(_file(here, name, found))
        if len(files) + len(directories) > FILES_LIMIT:
            raise MigrationRefused(f"{maildir} has more than {FILES_LIMIT} files")
    return Tree(tuple(sorted(directories)), tuple(files))


def _entries(directory: Path) -> Iterator[tuple[str, os.stat_result]]:
    try:
        with os.scandir(directory) as found:
            names = [entry.name for entry in found]
    except FileNotFoundError:
        return
    for name in names:
        try:
            yield name, (directory / name).lstat()
        except FileNotFoundError:
            continue


def _is_passing(folder: str, name: str) -> bool:
    """Belongs to whoever works there now, not to the mail."""
    if folder.rpartition("/")[2] == UNDELIVERED:
        return True
    if folder.rpartition("/")[2] in MESSAGES:
        return False
    return name.startswith((".fence", OURS)) or name.endswith(".lock")


def _file(here: str, name: str, found: os.stat_result) -> File:
    folder, _, last = here.rpartition("/")
    if last in MESSAGES:
        return File(folder, last, name, found.st_size, int(found.st_mtime))
    return File(here, "", name, found.st_size, int(found.st_mtime))


def summed(maildir: Path, spend: Spend) -> Sum:
    """Count, size and digest of all messages and state files; reads every byte.

    The digest is SHA-256 over the sorted (folder, place, unique part, flags, size, SHA-256 of the
    content). Raises as `scan` does, and FileNotFoundError for a file that goes meanwhile.
    """
    tree = scan(maildir)
    lines = sorted(_line(maildir, file, spend) for file in tree.files)
    whole = hashlib.sha256()
    for line in lines:
        whole.update(line)
    return Sum(tree.messages, tree.size_bytes, whole.hexdigest())


def _line(maildir: Path, file: File, spend: Spend) -> bytes:
    content = hashlib.sha256()
    with (maildir / file.path).open("rb", buffering=0) as source:
        while piece := source.read(CHUNK):
            content.update(piece)
            spend(len(piece))
    fields = (file.folder, file.place, file.unique, file.flags, str(file.size), content.hexdigest())
    return b"\0".join(map(os.fsencode, fields)) + b"\0\0"
