"""A spot in the tree of a rules file: where problems are noted and paths are resolved."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from l7lb.config.nodes import Node, key_place, value_place
from l7lb.config.refusal import Problems
from l7lb.model import Place


@dataclass(frozen=True, slots=True)
class Scope:
    root: Node
    problems: Problems
    loc: tuple[int | str, ...] = ()

    def at(self, *steps: int | str) -> Scope:
        return replace(self, loc=self.loc + steps)

    @property
    def place(self) -> Place:
        return value_place(self.root, self.loc)

    @property
    def key_place(self) -> Place:
        return key_place(self.root, self.loc)

    def problem(self, message: str, hint: str = "") -> None:
        """At the value."""
        self.problems.add(self.place, message, hint)

    def key_problem(self, message: str, hint: str = "") -> None:
        """At the key, where there is one."""
        self.problems.add(self.key_place, message, hint)

    def warn(self, message: str, hint: str = "") -> None:
        self.problems.warn(self.place, message, hint)

    def path(self, text: str) -> str:
        """Absolute, seen from the file in which the value stands."""
        return os.path.normpath(Path(self.place.file).parent.absolute() / text)
