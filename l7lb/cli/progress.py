"""A line on standard error that shows how far a long command is; nothing where nobody looks."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from l7lb.cli.terms import amount
from l7lb.mail.migration.record import Record

WIDTH = 24
EVERY_S = 0.2


class Bar:
    """An Observer of migrations. `moved` and `total` come from another thread, one at a time."""

    def __init__(
        self, out: TextIO | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._out = out or sys.stderr
        self._shown = self._out.isatty()
        self._clock = clock
        self._due_s = clock()
        self._total = self._done = 0
        self.title = ""
        """What stands before it."""

    def step(self, record: Record) -> None:
        self.title = f"{self.title.partition(' ')[0]} {record.step}"
        self._draw()

    def awaited(self, names: list[str]) -> None:
        """Directors that have not let go of the account yet."""
        self.title = f"{self.title.partition(' ')[0]} waits: {'; '.join(names)}"
        self._draw()

    def begin(self, title: str) -> None:
        """The next account or thing; one word."""
        self.title = title.replace(" ", "_")
        self._total = self._done = 0

    def total(self, count: int) -> None:
        self._total, self._done = count, 0
        self._draw()

    def moved(self, count: int) -> None:
        self._done += count
        if self._clock() >= self._due_s:
            self._draw()

    def counted(self, count: int) -> None:
        """So many of an unknown number."""
        self._done = count
        if self._clock() >= self._due_s:
            self._draw()

    def end(self) -> None:
        """Gives the line back."""
        if self._shown:
            self._out.write("\r\x1b[K")
            self._out.flush()

    def line(self) -> str:
        if not self._total:
            return f"{self.title} {amount(self._done) if self._done else ''}".rstrip()
        full = min(WIDTH, WIDTH * self._done // self._total)
        bar = "#" * full + "-" * (WIDTH - full)
        return f"{self.title} [{bar}] {amount(self._done)}/{amount(self._total)}B"

    def _draw(self) -> None:
        self._due_s = self._clock() + EVERY_S
        if self._shown:
            safe = "".join(sign if sign.isprintable() else "?" for sign in self.line())
            self._out.write(f"\r\x1b[K{safe}")
            self._out.flush()
