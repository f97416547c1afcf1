"""What a reader of one value raises, and the list in which problems gather."""

from __future__ import annotations

from l7lb.errors import ConfigError, Problem
from l7lb.model import Place


class Refusal(ValueError):
    """One value cannot be used; whoever knows its place makes a Problem of it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Problems:
    """Everything that is wrong with one rules file, and what is only doubtful."""

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}
        self._warnings: dict[Problem, None] = {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: Place, message: str, hint: str = "") -> None:
        self._found[Problem(place, message, hint)] = None

    def warn(self, place: Place, message: str, hint: str = "") -> None:
        self._warnings[Problem(place, message, hint)] = None

    def raise_if_any(self, files: list[str]) -> None:
        """Raises ConfigError, in the order of the files and of places in each."""
        if self._found:
            raise ConfigError(_sorted(self._found, files))

    def warnings(self, files: list[str]) -> list[Problem]:
        return _sorted(self._warnings, files)


def _sorted(problems: dict[Problem, None], files: list[str]) -> list[Problem]:
    rank = {file: position for position, file in enumerate(files)}

    def key(problem: Problem) -> tuple[int, int, int]:
        place = problem.place
        return (rank.get(place.file, len(rank)), place.line, place.column)

    return sorted(problems, key=key)
