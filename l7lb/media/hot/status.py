"""What an agent says of itself: written beside its copies, read by `l7lb media-agent --status`.

A file instead of a socket: it also tells of an agent that has ended, and when.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

FILE = "status.json"
LIMIT_BYTES = 1 << 20


@dataclass(slots=True)
class Status:
    node: str
    time_s: float = 0.0
    """Wall clock."""
    every_s: float = 0.0
    epoch: int = 0
    shared: str = "there"
    """Or why it cannot be read; all stays as it is then."""
    disk: str = "good"
    files: int = 0
    copies: int = 0
    copied_bytes: int = 0
    capacity_bytes: int = 0
    free_bytes: int = 0
    copying: str = ""
    sessions: int = 0
    rate_bits_s: int = 0
    load_permille: int = 0
    accesses: int = 0
    hits: int = 0
    copies_made: int = 0
    copies_failed: int = 0
    evicted: int = 0
    refused: int = 0
    last_failure: str = ""
    watches: str = "all directories"
    unreachable: dict[str, str] = field(default_factory=dict)
    hot: list[tuple[str, float, bool]] = field(default_factory=list)
    """The most popular files: name, score, whether it is copied."""


def write(status: Status, local: str) -> None:
    """Raises OSError."""
    path = Path(local) / FILE
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(status)) + "\n")
    fresh.rename(path)


def read(local: str) -> Status | None:
    """None: no agent has run there, or what lies there is not its."""
    try:
        with (Path(local) / FILE).open() as file:
            found = json.loads(file.read(LIMIT_BYTES))
        status = Status(**found)
        status.hot = [(str(name), float(score), bool(held)) for name, score, held in status.hot]
    except (OSError, ValueError, TypeError):
        return None
    return status
