"""Times, amounts and tables for people."""

import argparse

import pytest

from l7lb.cli.terms import age, amount, columns, duration_s


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0.0s"), (9.94, "9.9s"), (10, "10s"), (59.9, "59s"), (60, "1m"), (61, "1m1s"),
        (3600, "1h"), (3661, "1h1m"), (86400 * 3 + 3600, "3d1h"), (None, "-"),
    ],
)  # fmt: skip
def test_ages(seconds: float | None, said: str) -> None:
    assert age(seconds) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"), (99_999, "99999"), (100_000, "100k"), (999_999, "1M"), (1_234_567, "1.23M"),
        (5_000_000_000, "5G"), (None, "-"),
    ],
)  # fmt: skip
def test_amounts(number: int | None, said: str) -> None:
    assert amount(number) == said


def test_durations_are_those_of_the_rules_file() -> None:
    assert (duration_s("90s"), duration_s("10m"), duration_s("0")) == (90.0, 600.0, 0.0)
    for wrong in ("", "90", "-1s", "soon"):
        with pytest.raises(argparse.ArgumentTypeError):
            duration_s(wrong)


def test_columns_are_aligned() -> None:
    rows = [("a", "1", "x"), ("long", "100", "")]
    assert columns(("NAME", "N", "REST"), rows, {"N"}) == [
        "NAME    N  REST",
        "a       1  x",
        "long  100",
    ]
    assert columns(("A", "B"), []) == ["A  B"]
