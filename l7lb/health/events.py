"""Changes of verdicts, and a bounded history of them for display."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from l7lb.model import Health

HISTORY = 1000


@dataclass(frozen=True, slots=True)
class HealthEvent:
    """The verdict on one server changed."""

    pool: str
    server: str
    old: Health
    new: Health
    detail: str
    """What the deciding probe found."""
    when: float
    """On the prober's clock."""


class EventHistory:
    """The newest events; the oldest go first when it is full."""

    def __init__(self, limit: int = HISTORY) -> None:
        self._events: deque[HealthEvent] = deque(maxlen=limit)

    def add(self, event: HealthEvent) -> None:
        self._events.append(event)

    def __iter__(self) -> Iterator[HealthEvent]:
        """Oldest first."""
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def view(self, now: float) -> list[dict[str, object]]:
        """JSON, newest first, each with its age in seconds."""
        return [
            {
                "pool": event.pool,
                "server": event.server,
                "old": event.old.value,
                "new": event.new.value,
                "detail": event.detail,
                "age_s": now - event.when,
            }
            for event in reversed(self._events)
        ]
