"""Frozen specifications of how a pool meets failures of its servers.

As in `model`: seconds end in `_s`, and everything compares by value.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OutlierSpec:
    """Passive marks from real traffic."""

    consecutive_errors: int = 5
    """Gateway-type failures (connect, reset, 502, 503, 504) in a row; 0: off."""
    consecutive_connect_errors: int = 2
    """Failed connects in a row; 0: off."""
    latency_factor: float = 0.0
    """Eject when the mean time to first byte is over this many times the pool's median; 0: off."""
    ejection_s: float = 10.0
    """First ejection; doubles each time up to `max_ejection_s`."""
    max_ejection_s: float = 300.0
    max_ejected: float = 0.5
    """Share of the pool that may be ejected at once."""


@dataclass(frozen=True, slots=True)
class RetrySpec:
    attempts: int = 2
    """Tries on another server after the first."""
    budget: float = 0.2
    """Retries per request, over the last ten seconds."""
    minimum: int = 100
    """Retries in ten seconds that are always allowed."""
