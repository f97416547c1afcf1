"""Outlier detection: servers that fail in real traffic leave the pool for a while.

Owns the marks and the verdicts. Which pool a server is in, and telling others, is the pool's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from l7lb.model_failures import OutlierSpec

MINIMUM_SAMPLES = 10
"""Fewer answers than this in a round say nothing of a server's latency."""
ROUND_S = 5.0
"""Latencies are compared over rounds of this length."""


@dataclass(slots=True)
class OutlierRecord:
    """What traffic says of one server."""

    errors: int = 0
    """Failures in a row, of any kind."""
    connect_errors: int = 0
    """Failed connects in a row."""
    ejections: int = 0
    """Ejections in a row: each doubles the next."""
    last_ejected_until: float = 0.0
    samples: int = 0
    latency_sum_s: float = 0.0

    def succeeded(self) -> None:
        self.errors = 0
        self.connect_errors = 0

    def failed(self, *, connected: bool) -> None:
        self.errors += 1
        self.connect_errors = 0 if connected else self.connect_errors + 1

    def measured(self, latency_s: float) -> None:
        self.samples += 1
        self.latency_sum_s += latency_s

    @property
    def mean_s(self) -> float | None:
        """Mean latency of this round; None while there are too few samples."""
        return self.latency_sum_s / self.samples if self.samples >= MINIMUM_SAMPLES else None

    def begin_round(self) -> None:
        self.samples = 0
        self.latency_sum_s = 0.0

    def begin_ejection(self, until_s: float) -> None:
        """The server is out until then: by our verdict, or by another worker's."""
        self.ejections += 1
        self.last_ejected_until = until_s
        self.succeeded()


class Recorded(Protocol):
    """A server, as far as this module is concerned."""

    @property
    def outlier(self) -> OutlierRecord: ...
    @property
    def ejected_until(self) -> float: ...
    @property
    def is_enabled(self) -> bool: ...


R = TypeVar("R", bound=Recorded)


def has_failed(record: OutlierRecord, spec: OutlierSpec) -> bool:
    """Are there too many errors in a row?"""
    return (0 < spec.consecutive_errors <= record.errors) or (
        0 < spec.consecutive_connect_errors <= record.connect_errors
    )


def ejection_end(
    server: Recorded, pool: Sequence[Recorded], spec: OutlierSpec, now_s: float
) -> float | None:
    """Until when `server` is to be ejected; None: not at all, or too many are out already.

    `max_ejected` guards against a fault that all servers share. A server that refuses connections
    can serve nobody, so of such all but one may go.
    Each ejection is twice as long as the last, and the first length again after a long good time.
    """
    enabled = [each for each in pool if each.is_enabled]
    ejected = sum(each.ejected_until > now_s for each in enabled)
    record = server.outlier
    allowed = spec.max_ejected * len(enabled)
    if 0 < spec.consecutive_connect_errors <= record.connect_errors:
        allowed = max(allowed, len(enabled) - 1)
    if ejected + 1 > allowed:
        return None
    if now_s - record.last_ejected_until > spec.max_ejection_s:
        record.ejections = 0
    length_s = spec.ejection_s * 2.0 ** min(record.ejections, 32)
    return now_s + min(length_s, spec.max_ejection_s)


def slow_ones(servers: Sequence[R], factor: float, now_s: float) -> list[R]:
    """Servers whose mean latency is over `factor` times the median; the slowest first.

    Of an even number the lower middle is the median, so that one of two can be an outlier.
    """
    means = {
        each: mean
        for each in servers
        if each.ejected_until <= now_s and (mean := each.outlier.mean_s) is not None
    }
    if factor <= 0 or len(means) < 2:
        return []
    median_s = sorted(means.values())[(len(means) - 1) // 2]
    slow = [each for each, mean in means.items() if mean > factor * median_s]
    return sorted(slow, key=means.__getitem__, reverse=True)
