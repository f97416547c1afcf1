"""What has to be done to make one tree equal to another. Pure.

A message whose flags changed is renamed, not copied again. A name that a file of the copy has
already is never the goal of a renaming: then the message is copied, so that no order of the steps
can lose one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from l7lb.mail.migration.tree import File, Tree


@dataclass(frozen=True, slots=True)
class Difference:
    """To be done in this order."""

    directories: tuple[str, ...]
    """To make, parents first."""
    renames: tuple[tuple[File, File], ...]
    copies: tuple[File, ...]
    removals: tuple[File, ...]
    gone: tuple[str, ...]
    """Directories to remove, children first."""

    @property
    def is_empty(self) -> bool:
        return not any((self.directories, self.renames, self.copies, self.removals, self.gone))

    @property
    def size_bytes(self) -> int:
        return sum(file.size for file in self.copies)


def difference(want: Tree, have: Tree, *, afresh: bool) -> Difference:
    """`afresh`: copy all state files, which may change in place without a trace in size and time;
    messages never change."""
    there = {file.path: file for file in have.files}
    missing = [file for file in want.files if not _is_kept(file, there.get(file.path), afresh)]
    wanted = {file.path for file in want.files}
    spare = _by_content(file for file in have.files if file.path not in wanted)
    renames: list[tuple[File, File]] = []
    copies: list[File] = []
    for file in missing:
        found = spare.get(file.content) if file.is_message and file.path not in there else None
        if found:
            renames.append((found.pop(), file))
        else:
            copies.append(file)
    removals = [file for files in spare.values() for file in files]
    made, gone = set(want.directories), set(have.directories)
    return Difference(
        directories=tuple(sorted(made - gone)),
        renames=tuple(renames),
        copies=tuple(copies),
        removals=tuple(removals),
        gone=tuple(sorted(gone - made, reverse=True)),
    )


def _is_kept(want: File, have: File | None, afresh: bool) -> bool:
    return have == want and (want.is_message or not afresh)


def _by_content(files: Iterable[File]) -> dict[object, list[File]]:
    found: dict[object, list[File]] = {}
    for file in files:
        found.setdefault(file.content, []).append(file)
    return found
