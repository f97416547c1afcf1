"""Times, amounts and tables, read from and shown to people."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence

from l7lb.config.refusal import Refusal
from l7lb.config.units import parse_duration

AGES = (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1))


def duration_s(text: str) -> float:
    """For argparse: as in the rules file, such as 30s or 10m."""
    try:
        return parse_duration(0 if text == "0" else text)
    except Refusal as error:
        raise argparse.ArgumentTypeError(f"{error.message}, {error.hint}") from error


def age(seconds: object) -> str:
    """In one or two units, never more exact than that."""
    if not isinstance(seconds, int | float):
        return "-"
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    for unit, size, lower, part in AGES:
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size}{unit}{rest}{lower}" if rest else f"{whole // size}{unit}"
    return f"{whole}s"


def amount(number: object) -> str:
    """Exact up to 99,999, then with three digits and a letter."""
    if not isinstance(number, int):
        return "-"
    if number < 100_000:
        return str(number)
    value, letters = float(number), iter("kMGTPE")
    letter = ""
    while value >= 999.5:
        value /= 1000
        letter = next(letters)
    return f"{value:.3g}{letter}"


def columns(
    head: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[str] = ()
) -> list[str]:
    """An aligned table; the columns named in `right` stand to the right."""
    table = [tuple(head), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    return [
        "  ".join(
            cell.rjust(width) if name in right else cell.ljust(width)
            for cell, width, name in zip(row, widths, head, strict=True)
        ).rstrip()
        for row in table
    ]
