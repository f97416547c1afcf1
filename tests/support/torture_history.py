"""What clients did and saw in a torture run: the notes that `torture_check` judges. Pure.

Jepsen's method: each message has an identity of its own, and each operation is noted with its
outcome. A copy of a message is known by its place. Times are seconds of one monotonic clock.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from enum import Enum

INBOX = "INBOX"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Of one copy, and of no other ever after (RFC 3501 §2.3.1.1)."""

    folder: str
    validity: int
    uid: int

    def __str__(self) -> str:
        return f"{self.folder}/{self.validity}/{self.uid}"


class Outcome(Enum):
    DONE = "acknowledged"
    REFUSED = "refused"
    """The server said so: nothing was changed."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt. `by_spool`: once acknowledged, a spool may have it and try again by itself, so
    it comes at least once (RFC 5321 §4.5.4.1), not exactly once."""

    account: str
    message: str
    outcome: Outcome
    by_spool: bool = False


@dataclass(frozen=True, slots=True)
class Append:
    """Of a message that no other operation brings. `place`: as acknowledged (RFC 4315)."""

    account: str
    message: str
    flags: frozenset[str]
    outcome: Outcome
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """COPY or MOVE of one message. `target`: as acknowledged. `ended_s` counts only then."""

    account: str
    message: str
    source: Place
    is_move: bool
    started_s: float
    ended_s: float
    outcome: Outcome
    target: Place | None = None


@dataclass(frozen=True, slots=True)
class Removal:
    account: str
    place: Place
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class FlagChange:
    """`ended_s` counts only when the outcome is known."""

    account: str
    place: Place
    flag: str
    value: bool
    started_s: float
    ended_s: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Sighting:
    """A session saw this message there."""

    account: str
    place: Place
    message: str


@dataclass(frozen=True, slots=True)
class Copy:
    """In the end."""

    message: str
    flags: frozenset[str]


Mailbox = dict[Place, Copy]
"""All folders of an account."""
Entry = Delivery | Append | Transfer | Removal | FlagChange | Sighting


@dataclass
class History:
    """Threads may note at the same time."""

    entries: list[Entry] = field(default_factory=list)
    sessions: Counter[str] = field(default_factory=Counter)
    """How sessions began and ended."""
    complaints: list[str] = field(default_factory=list)
    """What no trouble explains."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, entry: Entry) -> None:
        with self._lock:
            self.entries.append(entry)

    def count(self, what: str) -> None:
        with self._lock:
            self.sessions[what] += 1

    def complain(self, text: str) -> None:
        with self._lock:
            self.complaints.append(text)

    def outcomes(self) -> Counter[tuple[str, str]]:
        """How many operations of each kind ended how."""
        with self._lock:
            entries = list(self.entries)
        return Counter(
            (kind_of(each), each.outcome.value)
            for each in entries
            if not isinstance(each, Sighting)
        )


def kind_of(entry: Entry) -> str:
    if isinstance(entry, Transfer):
        return "Move" if entry.is_move else "Copy"
    return type(entry).__name__
