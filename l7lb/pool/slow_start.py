"""Slow start: the share of its weight that a server gets while it warms up."""

from __future__ import annotations

MINIMUM = 0.1
"""A server that gets nothing never warms up."""


def ramp(elapsed_s: float, duration_s: float) -> float:
    """Share of the full weight, `elapsed_s` after the server came up: linear, from 10 % to 1."""
    if elapsed_s >= duration_s:
        return 1.0
    return max(MINIMUM, elapsed_s / duration_s)
