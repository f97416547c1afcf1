"""What a relay process is told at its start: ports, bounds, times."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RelaySpec:
    first_port: int = 20000
    last_port: int = 29999
    cooling_s: float = 10.0
    """Before a pair of ports is used again."""
    sessions: int = 5000
    streams: int = 16
    """Of one session; a film has two or three."""
    rest_s: float = 0.006
    """Longest rest between two turns: what a packet may wait. 0: none."""

    def __post_init__(self) -> None:
        """Raises ValueError."""
        if not 1024 <= self.first_port < self.last_port <= 65535:
            raise ValueError(f"ports {self.first_port}-{self.last_port} are no range")
        if self.last_port - self.first_port - self.first_port % 2 < 3:
            raise ValueError("a stream needs two pairs of ports, each even and odd")
        if self.sessions < 1 or self.streams < 1 or self.cooling_s < 0 or self.rest_s < 0:
            raise ValueError("bounds and times are positive")
