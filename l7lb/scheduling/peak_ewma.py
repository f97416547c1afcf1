"""Peak-sensitive moving average of a latency. Owns the arithmetic; the clock comes with each call.

A rise counts at once, a fall only slowly (twitter/finagle, "Peak EWMA"): the average is drawn to
the last sample with weight `1 - exp(-dt / tau)`, and a sample above the average replaces it.
"""

from __future__ import annotations

from math import exp

TAU_S = 10.0
"""Time in which an old figure fades to 1/e."""


class PeakEwma:
    """Latency in seconds that fades when no sample comes."""

    __slots__ = ("_at_s", "_value_s")

    def __init__(self) -> None:
        self._value_s = 0.0
        self._at_s = 0.0

    def observe(self, sample_s: float, now_s: float) -> None:
        """Take one sample, seen at `now_s`."""
        if sample_s >= self._value_s:
            self._value_s = sample_s
        else:
            kept = exp((self._at_s - now_s) / TAU_S)
            self._value_s = self._value_s * kept + sample_s * (1.0 - kept)
        self._at_s = now_s

    def value(self, now_s: float) -> float:
        """Seconds, faded to `now_s`; 0.0 when there never was a sample."""
        if self._value_s == 0.0:
            return 0.0
        return self._value_s * exp((self._at_s - now_s) / TAU_S)
