"""Retry budget: retries are a share of the requests of the last ten seconds.

So a failing pool is not hit with a multiple of its load. Time comes in by `tick`.
"""

from __future__ import annotations

from l7lb.model_failures import RetrySpec

WINDOW_S = 10


class RetryBudget:
    """A sliding window of one bucket for each second."""

    def __init__(self, spec: RetrySpec, workers: int, now_s: float) -> None:
        self.spec = spec
        self.refused = 0
        """Retries that were not allowed, ever."""
        self._workers = workers
        self._second = int(now_s)
        self._requests = [0] * WINDOW_S
        self._retries = [0] * WINDOW_S
        self._bucket = 0

    def count_request(self) -> None:
        self._requests[self._bucket] += 1

    def allow_retry(self, spec: RetrySpec | None = None) -> bool:
        """May one more retry go out now? Counts it if so. `spec`: a route's in place of ours.

        The minimum holds for all workers together, so each has its part, rounded up.
        """
        spec = spec or self.spec
        minimum = -(-spec.minimum // self._workers)
        if self.retries + 1 > spec.budget * self.requests + minimum:
            self.refused += 1
            return False
        self._retries[self._bucket] += 1
        return True

    def tick(self, now_s: float) -> None:
        """Forget the seconds that have left the window."""
        second = int(now_s)
        for _ in range(min(second - self._second, WINDOW_S)):
            self._bucket = (self._bucket + 1) % WINDOW_S
            self._requests[self._bucket] = 0
            self._retries[self._bucket] = 0
        self._second = max(self._second, second)

    @property
    def requests(self) -> int:
        """Requests of the window."""
        return sum(self._requests)

    @property
    def retries(self) -> int:
        """Retries of the window."""
        return sum(self._retries)
