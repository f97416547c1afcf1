"""The table that the demo shows: one row a scene, one column an origin.

On a terminal the current row counts up in place; elsewhere only finished rows are written.
"""

from collections.abc import Mapping, Sequence
from typing import TextIO

BOLD, RED, GREEN, DIM, PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[32m", "\x1b[2m", "\x1b[0m"
LABEL_WIDTH = 46


class Table:
    def __init__(self, out: TextIO, columns: Sequence[str]) -> None:
        self.out = out
        self.live = out.isatty()
        self.columns = columns

    def head(self) -> None:
        cells = "".join(f"{name:>{self._width(name)}}" for name in self.columns)
        self._write(self._style(BOLD, f"{'':{LABEL_WIDTH}}{cells}  failed") + "\n")

    def row(self, label: str, counts: Mapping[str, int], failed: int, *, done: bool) -> None:
        """Shows a row; it is overwritten by the next call until it is `done`."""
        if not done and not self.live:
            return
        cells = "".join(self._cell(name, counts.get(name, 0)) for name in self.columns)
        mark = self._style(RED if failed else GREEN, f"{failed:>8}")
        start = "\r\x1b[K" if self.live else ""
        self._write(f"{start}{label:{LABEL_WIDTH}.{LABEL_WIDTH}}{cells}{mark}" + "\n" * done)

    def note(self, text: str) -> None:
        """A line of its own between rows."""
        start = "\r\x1b[K" if self.live else ""
        self._write(f"{start}{text}\n")

    def title(self, text: str) -> None:
        self.note("\n" + self._style(BOLD, text))

    def _cell(self, name: str, count: int) -> str:
        text = f"{count or '·':>{self._width(name)}}"
        return text if count else self._style(DIM, text)

    def _width(self, name: str) -> int:
        return max(len(name), 5) + 2

    def _style(self, code: str, text: str) -> str:
        return f"{code}{text}{PLAIN}" if self.live else text

    def _write(self, text: str) -> None:
        self.out.write(text)
        self.out.flush()
