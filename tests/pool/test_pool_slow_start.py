"""Slow start."""

import pytest

from l7lb.pool.slow_start import ramp


@pytest.mark.parametrize(
    ("elapsed_s", "share"), [(0, 0.1), (0.5, 0.1), (1, 0.1), (5, 0.5), (10, 1), (99, 1), (-1, 0.1)]
)
def test_the_ramp_is_linear_from_a_tenth(elapsed_s, share):
    assert ramp(elapsed_s, 10.0) == share


def test_none_is_at_once():
    assert ramp(0.0, 0.0) == 1.0
