"""How long a holder may believe in its lease: arithmetic only, times are passed in.

All times are seconds of one clock that never steps and that runs while the machine sleeps.
It must not know which clock that is, nor how a renewal is made.
"""

from dataclasses import dataclass, replace

MARGIN = 0.1
"""Share of the TTL that is given away, so that the holder stops before the engine expires it."""
RENEW_SHARE = 3
"""Renewals in a TTL: two may fail."""
LAG_SHARE = 4
"""A loop that stood still for this part of the TTL does not trust itself."""
BEATS = 16
"""Looks at the clock in a TTL."""


@dataclass(frozen=True, slots=True)
class Term:
    """What a holder knows of its lease.

    `sent_s` is when the last good renewal was *sent*: the engine counts from when it came, which
    is later, so the holder is always the first to stop.
    """

    ttl_s: float
    sent_s: float
    beat_s: float
    doubted_s: float | None = None
    """When a pause was found; None: the loop is trusted."""

    @property
    def deadline_s(self) -> float:
        return self.sent_s + self.ttl_s * (1 - MARGIN)

    @property
    def renew_every_s(self) -> float:
        return self.ttl_s / RENEW_SHARE

    @property
    def beat_every_s(self) -> float:
        return self.ttl_s / BEATS

    @property
    def lag_limit_s(self) -> float:
        return self.ttl_s / LAG_SHARE

    def is_over(self, now_s: float) -> bool:
        """Nothing brings it back: a later renewal would be another holder's luck."""
        return now_s >= self.deadline_s

    def has_paused(self, now_s: float) -> bool:
        return now_s - self.beat_s > self.lag_limit_s

    def is_valid(self, now_s: float) -> bool:
        """May the holder write now? Asks nobody."""
        return not (self.doubted_s is not None or self.is_over(now_s) or self.has_paused(now_s))

    def is_due(self, now_s: float) -> bool:
        return self.doubted_s is not None or now_s - self.sent_s >= self.renew_every_s

    def beat(self, now_s: float) -> "Term":
        """The loop runs. After a pause the lease is doubted until it was renewed and read again."""
        doubted_s = now_s if self.has_paused(now_s) else self.doubted_s
        return replace(self, beat_s=now_s, doubted_s=doubted_s)

    def renewed(self, sent_s: float) -> "Term":
        """A renewal that was sent then was confirmed; it ends a doubt that is older."""
        doubted_s = self.doubted_s
        if doubted_s is not None and sent_s >= doubted_s:
            doubted_s = None
        return replace(self, sent_s=max(sent_s, self.sent_s), doubted_s=doubted_s)
