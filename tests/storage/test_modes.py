"""All 36 pairs, told a second time in the words of what each mode lets its holder and others do."""

import itertools

import pytest

from l7lb_storage.modes import MATRIX, Mode, compatible

READS = {Mode.CR, Mode.CW, Mode.PR, Mode.PW, Mode.EX}
WRITES = {Mode.CW, Mode.PW, Mode.EX}
LETS_OTHERS_READ = {Mode.NL, Mode.CR, Mode.CW, Mode.PR, Mode.PW}
LETS_OTHERS_WRITE = {Mode.NL, Mode.CR, Mode.CW}
PAIRS = list(itertools.product(Mode, Mode))


def tolerates(holder: Mode, other: Mode) -> bool:
    return (other not in READS or holder in LETS_OTHERS_READ) and (
        other not in WRITES or holder in LETS_OTHERS_WRITE
    )


@pytest.mark.parametrize(("asked", "held"), PAIRS, ids=lambda mode: mode.value)
def test_pair_follows_from_what_the_modes_mean(asked: Mode, held: Mode) -> None:
    assert compatible(asked, held) is (tolerates(asked, held) and tolerates(held, asked))


@pytest.mark.parametrize(("asked", "held"), PAIRS, ids=lambda mode: mode.value)
def test_symmetric(asked: Mode, held: Mode) -> None:
    assert compatible(asked, held) is compatible(held, asked)


def test_matrix_is_total() -> None:
    assert [list(row) for row in MATRIX.values()] == [list(Mode)] * 6


def test_published_counts() -> None:
    """Compatible modes per row in the classic table."""
    counts = {mode.value: sum(row.values()) for mode, row in MATRIX.items()}
    assert counts == {"NL": 6, "CR": 5, "CW": 3, "PR": 3, "PW": 2, "EX": 1}


def test_stronger_rows_allow_less() -> None:
    """NL < CR < {CW, PR} < PW < EX: what a stronger mode bears, a weaker one bears too."""
    order = [
        (Mode.NL, Mode.CR),
        (Mode.CR, Mode.CW),
        (Mode.CR, Mode.PR),
        (Mode.CW, Mode.PW),
        (Mode.PR, Mode.PW),
        (Mode.PW, Mode.EX),
    ]
    for weaker, stronger in order:
        for other in Mode:
            assert compatible(weaker, other) or not compatible(stronger, other)
