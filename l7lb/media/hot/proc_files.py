"""Which files other processes of this machine have open, and how far they have read: /proc.

Without root it sees the processes of its own user; with CAP_SYS_PTRACE those of all. It must not
know what the files mean.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

HANDLES_MOST = 200_000
_NUMBER = re.compile(r"[0-9]+")
_GONE = " (deleted)"


@dataclass(frozen=True, slots=True)
class Handle:
    """One open file of one process; that a number was used again for another file shows too."""

    pid: int
    fd: int
    path: str


@dataclass(frozen=True, slots=True)
class Look:
    positions: dict[Handle, int]
    read_bytes: dict[int, int] = field(default_factory=dict)
    """By process: all that it has ever read by read(2) and its kin; None of it says where."""


class ProcFiles:
    """`roots`: only files below these directories are told."""

    def __init__(self, roots: tuple[str, ...], proc: str = "/proc") -> None:
        self._roots = tuple(f"{root}/" for root in roots)
        self._proc = proc
        self._own = os.getpid()

    def look(self) -> Look:
        """Blocks for some milliseconds. What cannot be seen is left out."""
        positions: dict[Handle, int] = {}
        for pid in self._pids():
            for handle in self._handles(pid):
                position = self._position(handle)
                if position is not None and len(positions) < HANDLES_MOST:
                    positions[handle] = position
        pids = {handle.pid for handle in positions}
        read = {pid: self._read_bytes(pid) for pid in pids}
        return Look(positions, {pid: count for pid, count in read.items() if count is not None})

    def _pids(self) -> Iterator[int]:
        for name in os.listdir(self._proc):  # noqa: PTH208  # Path is slow
            if _NUMBER.fullmatch(name) and int(name) != self._own:
                yield int(name)

    def _handles(self, pid: int) -> Iterator[Handle]:
        folder = f"{self._proc}/{pid}/fd"
        try:
            numbers = os.listdir(folder)  # noqa: PTH208
        except OSError:
            return
        for number in numbers:
            try:
                path = os.readlink(f"{folder}/{number}")  # noqa: PTH115
            except OSError:
                continue
            if path.startswith(self._roots):
                yield Handle(pid, int(number), path.removesuffix(_GONE))

    def _position(self, handle: Handle) -> int | None:
        """None: it is gone, or open only for writing."""
        found = _fields(f"{self._proc}/{handle.pid}/fdinfo/{handle.fd}")
        try:
            writes_only = int(found["flags"], 8) & os.O_ACCMODE == os.O_WRONLY
            return None if writes_only else int(found["pos"])
        except (KeyError, ValueError):
            return None

    def _read_bytes(self, pid: int) -> int | None:
        try:
            return int(_fields(f"{self._proc}/{pid}/io")["rchar"])
        except (KeyError, ValueError):
            return None


def _fields(path: str) -> dict[str, str]:
    """`name: value` in lines; {} when it cannot be read."""
    try:
        with open(path, encoding="ascii", errors="replace") as file:  # noqa: PTH123
            text = file.read(4096)
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}
