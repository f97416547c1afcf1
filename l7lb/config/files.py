"""The files of a rules file: reading, includes, and the one tree they make.

Owns: limits on files, cycles, globs, names that stand twice. Must not know: what keys mean, other
than `include`, `pools`, `services` and `director`.
"""

from __future__ import annotations

import glob
import os
import stat
from pathlib import Path

from l7lb.config import source
from l7lb.config.nodes import Entry, Listing, Mapping, Node, Scalar
from l7lb.config.refusal import Problems
from l7lb.config.units import shown
from l7lb.model import Place

FILE_LIMIT_BYTES = 1 << 20
TOTAL_LIMIT_BYTES = 16 << 20
FILES_LIMIT = 256
PATH_SHOWN = 400
INCLUDE = "include"
BY_NAME = ("pools", "services")


class FileTree:
    """The tree of a file and of all that it includes."""

    def __init__(self, path: str, problems: Problems) -> None:
        self._problems = problems
        self._total_bytes = 0
        self._read: dict[str, Place] = {}
        """Real path of each file that was read, and the place that asked for it."""
        self._open: list[str] = []
        self.files: list[str] = []
        """As named in places, the main file first."""
        self.root = Mapping(Place(path, 1, 1))
        self.is_whole = True
        """Whether every file could be read; if not, names may seem unknown that are not."""
        self._add(path, Place(path, 1, 1))

    def _add(self, path: str, wanted_at: Place) -> None:
        name = shown(path, PATH_SHOWN)
        if "\0" in path:
            self._problems.add(wanted_at, f"{name} is not a file name")
            return
        real = os.path.realpath(path)
        if real in self._open:
            self._problems.add(wanted_at, f"{name} includes itself in a circle")
            return
        if real in self._read:
            other = self._read[real]
            self._problems.add(wanted_at, f"{name} is included here and at {other}")
            return
        self._read[real] = wanted_at
        if len(self._read) > FILES_LIMIT:
            if len(self._read) == FILES_LIMIT + 1:
                self._problems.add(wanted_at, f"more than {FILES_LIMIT} files")
            return
        self._open.append(real)
        self.files.append(path)
        tree = self._parsed(path, wanted_at)
        if tree is None:
            self.is_whole = False
        else:
            self._merge(tree, path)
        self._open.pop()

    def _parsed(self, path: str, wanted_at: Place) -> Mapping | None:
        text = self._text(path, wanted_at)
        if text is None:
            return None
        node = source.parse(text, path, self._problems)
        if node is None or isinstance(node, Mapping):
            return node
        self._problems.add(node.place, "the file is not a mapping", "such as pools: and services:")
        return None

    # ----------------------------------------------------------------- reading

    def _text(self, path: str, wanted_at: Place) -> str | None:
        data = self._bytes(path, wanted_at)
        if data is None:
            return None
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = data[: error.start]
            column = error.start - (before.rfind(b"\n") + 1) + 1
            place = Place(path, before.count(b"\n") + 1, column)
            self._problems.add(place, f"byte 0x{data[error.start]:02x} is not UTF-8")
        return None

    def _bytes(self, path: str, wanted_at: Place) -> bytes | None:
        try:
            data = read_regular(path, FILE_LIMIT_BYTES)
        except FileProblem as error:
            self._problems.add(wanted_at, f"{shown(path, PATH_SHOWN)} cannot be read: {error}")
            return None
        self._total_bytes += len(data)
        if self._total_bytes > TOTAL_LIMIT_BYTES:
            self._problems.add(wanted_at, f"all files together exceed {TOTAL_LIMIT_BYTES} bytes")
            return None
        return data

    # ----------------------------------------------------------------- merging

    def _merge(self, tree: Mapping, path: str) -> None:
        include = tree.entries.pop(INCLUDE, None)
        for key, entry in tree.entries.items():
            mine = self.root.entries.get(key)
            if mine is None:
                self.root.entries[key] = entry
            elif key in BY_NAME and isinstance(mine.value, Mapping):
                self._merge_names(mine.value, entry, key.removesuffix("s"))
            else:
                self._twice(f"key {shown(key)}", entry, mine)
        for pattern in self._patterns(include):
            self._include(pattern, path)

    def _merge_names(self, target: Mapping, entry: Entry, what: str) -> None:
        if not isinstance(entry.value, Mapping):
            self._problems.add(entry.value.place, f"{what}s are not a mapping")
            return
        for name, given in entry.value.entries.items():
            first = target.entries.setdefault(name, given)
            if first is not given:
                self._twice(f"{what} {shown(name)}", given, first)

    def _twice(self, what: str, given: Entry, first: Entry) -> None:
        message = f"{what} stands here and at {first.key_place}"
        self._problems.add(given.key_place, message, "one of them must go")

    # ----------------------------------------------------------------- includes

    def _patterns(self, include: Entry | None) -> list[Scalar]:
        if include is None:
            return []
        node = include.value
        nodes: list[Node] = node.items if isinstance(node, Listing) else [node]
        found = []
        for item in nodes:
            if isinstance(item, Scalar) and isinstance(item.value, str) and item.value:
                found.append(item)
            else:
                self._problems.add(item.place, "include takes a file name, or a list of them")
        return found

    def _include(self, pattern: Scalar, path: str) -> None:
        text = str(pattern.value)
        folder = Path(path).parent
        if not glob.has_magic(text):
            self._add(str(folder / text), pattern.place)
            return
        names = sorted(glob.glob(text, root_dir=folder))  # noqa: PTH207  # Path.glob refuses some text
        for name in names[: FILES_LIMIT + 1]:
            self._add(str(folder / name), pattern.place)


class FileProblem(Exception):
    """A file cannot be read; the message says why."""


def read_regular(path: str, limit: int) -> bytes:
    """All of a regular file of at most `limit` bytes. Raises FileProblem."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise FileProblem(reason(error)) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise FileProblem("it is not a regular file")
        with os.fdopen(handle, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise FileProblem(reason(error)) from None
    finally:
        os.close(handle)
    if len(data) > limit:
        raise FileProblem(f"it has more than {limit} bytes")
    return data


def reason(error: Exception) -> str:
    """The system's words for an error, without number and path."""
    text = error.strerror if isinstance(error, OSError) else None
    return (text or str(error)).lower()
