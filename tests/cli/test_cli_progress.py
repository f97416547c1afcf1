"""The line that shows how far a long command is."""

from __future__ import annotations

import io

from l7lb.cli.progress import Bar
from l7lb.mail.migration.record import Record, Step


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_for_each_state() -> None:
    out = Terminal()
    bar = Bar(out, clock=lambda: 0.0)
    bar.begin("1/2:a@b")
    bar.step(Record("a@b", "m1", "m2", 1.0, Step.MOVING))
    assert bar.line() == "1/2:a@b moving"
    bar.total(4_000_000)
    bar.moved(1_000_000)
    assert bar.line() == "1/2:a@b moving [######------------------] 1M/4MB"
    bar.moved(9_000_000)  # files that grew
    assert bar.line() == "1/2:a@b moving [########################] 10M/4MB"
    bar.begin("meas uring")
    bar.counted(12)
    assert bar.line() == "meas_uring 12"
    bar.end()
    assert out.getvalue().endswith("\r\x1b[K")


def test_it_is_drawn_a_few_times_a_second_only() -> None:
    now = [0.0]
    out = Terminal()
    bar = Bar(out, clock=lambda: now[0])
    bar.begin("x")
    for _ in range(50):
        bar.moved(1)
    assert out.getvalue().count("\r") == 1
    now[0] = 0.3
    bar.moved(1)
    assert out.getvalue().endswith("x 51")


def test_names_cannot_steer_the_terminal() -> None:
    out = Terminal()
    bar = Bar(out)
    bar.begin("a\x1b[2Jb")
    bar.total(0)
    assert "\x1b[2J" not in out.getvalue()


def test_nothing_where_nobody_looks() -> None:
    out = io.StringIO()
    bar = Bar(out)
    bar.begin("x")
    bar.total(5)
    bar.moved(5)
    bar.end()
    assert out.getvalue() == ""
