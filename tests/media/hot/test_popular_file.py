"""Popularity over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest

from l7lb.media.hot.popular_file import FILE, REMEMBERED, remember, remembered


def test_scores_come_back_as_old_as_they_are(tmp_path: Path) -> None:
    assert remembered(str(tmp_path), 100.0, 0.0) == []
    remember([("a", 4.0), ("ü \udcff", 1.0)], str(tmp_path), 1000.0)
    assert remembered(str(tmp_path), 100.0, 1000.0) == [("a", 4.0), ("ü \udcff", 1.0)]
    assert remembered(str(tmp_path), 100.0, 1100.0) == [("a", 2.0), ("ü \udcff", 0.5)]
    assert remembered(str(tmp_path), 100.0, 5.0) == [("a", 4.0), ("ü \udcff", 1.0)]
    assert remembered(str(tmp_path), 1.0, 1e9)[0][1] < 1e-200


def test_what_is_read_is_bounded(tmp_path: Path) -> None:
    remember([(f"f{number}", 1.0) for number in range(REMEMBERED + 5)], str(tmp_path), 0.0)
    assert len(remembered(str(tmp_path), 100.0, 0.0)) == REMEMBERED


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '{"time_s": "x", "scores": []}', '{"time_s": 0, "scores": [3]}'],
)
def test_a_file_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert remembered(str(tmp_path), 100.0, 0.0) == []


def test_scores_that_cannot_be_are_left_out(tmp_path: Path) -> None:
    scores = '[["a", 1], ["b", -1], ["c", "x"], [4, 1], ["d", 1e300], ["e", 2.5]]'
    (tmp_path / FILE).write_text(f'{{"time_s": 0, "scores": {scores}}}')
    assert remembered(str(tmp_path), 100.0, 0.0) == [("a", 1.0), ("e", 2.5)]
