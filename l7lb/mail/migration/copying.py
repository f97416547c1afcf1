"""Making one directory tree equal to another, so that a crash at any moment leaves whole files.

Each file is written under a name in `tmp`, brought to the disk, and renamed. Every change of the
copy is made inside `gate`, which refuses whoever is not the migrator any more. All of it blocks.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path

from l7lb.mail.migration.difference import Difference, difference
from l7lb.mail.migration.tree import CHUNK, UNDELIVERED, File, Spend, scan

Gate = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class CopySpec:
    source: Path
    copy: Path
    """Its parent is there."""
    gate: Gate
    spend: Spend
    total: Spend
    """Told once how many bytes there are to copy."""
    afresh: bool
    """As `difference` says."""


def synchronise(spec: CopySpec) -> None:
    """Until the copy has what the source had; a file that goes meanwhile is left out.

    Raises what `gate` and `spend` raise, MigrationRefused as `scan`, OSError.
    """
    want = scan(spec.source)
    todo = difference(want, scan(spec.copy), afresh=spec.afresh)
    spec.total(todo.size_bytes)
    with spec.gate():
        _make_directories(spec, ("", UNDELIVERED, *todo.directories))
    _rename(spec, todo)
    for file in todo.copies:
        _copy(spec, file)
    _remove(spec, todo)
    for directory in want.directories:
        sync_directory(spec.copy / directory)


def _make_directories(spec: CopySpec, directories: tuple[str, ...]) -> None:
    for directory in directories:
        path = spec.copy / directory
        path.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):
            found = (spec.source / directory).stat()
            path.chmod(found.st_mode & 0o7777)
            _give(path, found)


def _rename(spec: CopySpec, todo: Difference) -> None:
    for old, new in todo.renames:
        with spec.gate():
            (spec.copy / old.path).rename(spec.copy / new.path)


def _copy(spec: CopySpec, file: File) -> None:
    source = _opened(spec.source / file.path)
    if source is None:
        return
    temporary = spec.copy / UNDELIVERED / f"l7lb.{os.getpid()}"
    try:
        found = _transfer(source, temporary, spec.spend)
    finally:
        os.close(source)
    _give(temporary, found)
    with spec.gate():
        temporary.rename(spec.copy / file.path)


def _opened(path: Path) -> int | None:
    """None: it went since it was seen."""
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _transfer(source: int, temporary: Path, spend: Spend) -> os.stat_result:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    copy = os.open(temporary, flags, 0o600)
    try:
        while piece := os.read(source, CHUNK):
            _write(copy, piece)
            spend(len(piece))
        found = os.fstat(source)
        os.fchmod(copy, found.st_mode & 0o7777)
        os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
        os.fsync(copy)
    finally:
        os.close(copy)
    return found


def _write(descriptor: int, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _give(path: Path, found: os.stat_result) -> None:
    """To the owner of the source, where we may."""
    if os.geteuid() == 0:
        os.chown(path, found.st_uid, found.st_gid, follow_symlinks=False)


def _remove(spec: CopySpec, todo: Difference) -> None:
    for file in todo.removals:
        with spec.gate():
            (spec.copy / file.path).unlink(missing_ok=True)
    for directory in todo.gone:
        if directory in ("", UNDELIVERED):
            continue
        with spec.gate():
            shutil.rmtree(spec.copy / directory, ignore_errors=True)


def sync_directory(path: Path) -> None:
    """What was renamed into it stays there after a crash. No error when it is gone."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
