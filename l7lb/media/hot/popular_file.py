"""Popularity over a restart: the scores of the most popular files, written now and then.

Without it every copy would be worth nothing at the start, and the first newcomers would drive out
what was hot. A file that cannot be read is as good as none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

FILE = "popular.json"
REMEMBERED = 5000
LIMIT_BYTES = 32 << 20


def remember(scores: list[tuple[str, float]], local: str, time_s: float) -> None:
    """`time_s`: wall clock. Raises OSError."""
    path = Path(local) / FILE
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"time_s": time_s, "scores": scores}))
    fresh.rename(path)


def remembered(local: str, half_life_s: float, time_s: float) -> list[tuple[str, float]]:
    """As old as they are now. A clock that went back makes nothing more popular."""
    try:
        with (Path(local) / FILE).open() as file:
            found = json.loads(file.read(LIMIT_BYTES))
        age_s = max(0.0, time_s - float(found["time_s"]))
        return list(_aged(found["scores"], 2.0 ** -min(1000.0, age_s / half_life_s)))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return []


def _aged(scores: list[tuple[object, object]], share: float) -> Iterator[tuple[str, float]]:
    for name, score in scores[:REMEMBERED]:
        if isinstance(name, str) and isinstance(score, float | int) and 0 < score < 1e12:
            yield name, score * share
