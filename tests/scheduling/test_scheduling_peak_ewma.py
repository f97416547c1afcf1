"""Peak-EWMA."""

from math import exp

import pytest

from l7lb.scheduling.peak_ewma import TAU_S, PeakEwma


def test_never_measured_is_zero():
    assert PeakEwma().value(5.0) == 0.0


def test_a_rise_counts_at_once_and_a_fall_slowly():
    ewma = PeakEwma()
    ewma.observe(0.1, 0.0)
    ewma.observe(0.9, 0.0)
    assert ewma.value(0.0) == 0.9
    ewma.observe(0.1, 1.0)
    kept = exp(-1.0 / TAU_S)
    assert ewma.value(1.0) == pytest.approx(0.9 * kept + 0.1 * (1 - kept))


def test_it_fades_to_1_over_e_in_tau():
    ewma = PeakEwma()
    ewma.observe(1.0, 100.0)
    assert ewma.value(100.0 + TAU_S) == pytest.approx(exp(-1))
