"""The tree of a rules file, in which every key and value knows its place.

Owns: the shape of the tree and the way from a path of keys to a place. Must not know: what keys
mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from l7lb.model import Place

Plain = None | bool | int | float | str | list["Plain"] | dict[str, "Plain"]
"""A value of the file with the places taken off."""
Loc = Sequence[int | str]
"""The keys and list positions that lead to a value."""


@dataclass(slots=True)
class Scalar:
    place: Place
    value: bool | int | float | str | None

    size = 1
    depth = 1

    def plain(self) -> Plain:
        return self.value


@dataclass(slots=True)
class Listing:
    place: Place
    items: list[Node] = field(default_factory=list)
    size: int = 1
    depth: int = 1

    def plain(self) -> Plain:
        return [item.plain() for item in self.items]


@dataclass(slots=True)
class Entry:
    key_place: Place
    value: Node


@dataclass(slots=True)
class Mapping:
    place: Place
    entries: dict[str, Entry] = field(default_factory=dict)
    size: int = 1
    depth: int = 1

    def plain(self) -> dict[str, Plain]:
        return {key: entry.value.plain() for key, entry in self.entries.items()}

    def get(self, key: str) -> Node | None:
        entry = self.entries.get(key)
        return entry.value if entry else None


Node = Scalar | Listing | Mapping


def value_place(root: Node, loc: Loc) -> Place:
    """Where the value at `loc` stands.

    A step that the tree does not have is passed over: it belongs to the long form of something that
    was written in short. So the answer is the nearest value that is really there.
    """
    return _walk(root, loc)[0].place


def key_place(root: Node, loc: Loc) -> Place:
    """Where the key of the value at `loc` stands; the value's own place for an item of a list."""
    node, entry = _walk(root, loc)
    return entry.key_place if entry else node.place


def node_at(root: Node, loc: Loc) -> Node:
    return _walk(root, loc)[0]


def _walk(root: Node, loc: Loc) -> tuple[Node, Entry | None]:
    node, entry = root, None
    for step in loc:
        if isinstance(node, Mapping) and step in node.entries:
            entry = node.entries[str(step)]
            node = entry.value
        elif isinstance(node, Listing) and isinstance(step, int) and step < len(node.items):
            node, entry = node.items[step], None
    return node, entry
