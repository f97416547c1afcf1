"""What is known of one migration, and kept in the store at each step. Pure.

    (none) ─▶ copying ─▶ moving ─▶ switching ─▶ switched ─▶ done
                 ▲          │  ▲        │
                 └── abort ─┘  └────────┘  (the directory still names the old server)

Whoever resumes does the whole step again; each step is made so that this is safe.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from enum import StrEnum

from l7lb.errors import MigrationRefused

RECORDS = "mail/migration/"
MARKS = "mail/moving/"
RETIRED = "mail/retired/"
TURNS = "mail/migration/"
"""Lock: one migration of an account at a time."""


class Step(StrEnum):
    COPYING = "copying"
    """A first copy; the old server still serves the account."""
    MOVING = "moving"
    """Nobody serves it. What changed meanwhile is copied, and both sides are compared."""
    SWITCHING = "switching"
    """The copy is put in place and the directory changed: whether it is, the directory says."""
    SWITCHED = "switched"
    """The new server has it. The old mail is put away."""
    DONE = "done"


BEFORE_SWITCH = frozenset({Step.COPYING, Step.MOVING, Step.SWITCHING})
"""May be aborted, as long as the directory names the old server."""
AFTER_SWITCH = frozenset({Step.SWITCHED, Step.DONE})
KEEP_S = 2 * 86400.0
"""How long a record outlives its migration: longer than anybody remembers what the directory said
before."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What one side holds: two that are equal hold the same messages with the same flags."""

    messages: int = 0
    size_bytes: int = 0
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    account: str
    source: str
    """Server that it leaves."""
    target: str
    started_s: float
    """Wall clock."""
    step: Step = Step.COPYING
    sum: Sum = Sum()
    """Of the verified copy, from `switching` on."""
    left: tuple[str, ...] = ()
    """Servers of migrations before that somebody may remember."""

    @property
    def is_open(self) -> bool:
        return self.step is not Step.DONE

    def home(self, remembered: str | None) -> str | None:
        """The account's server, for one who remembers what the directory said some time ago."""
        is_old = remembered is not None and remembered in (self.source, *self.left)
        return self.target if is_old and self.step in AFTER_SWITCH else remembered

    @property
    def stamp(self) -> str:
        """In the names of what is put away; a resumed migration has the same."""
        whole = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self.started_s))
        return f"{whole}.{int(self.started_s % 1 * 1e6):06d}"

    def encoded(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True).encode()


def decoded(value: bytes) -> Record:
    """Raises MigrationRefused: another version wrote it, or nobody of ours."""
    try:
        found = json.loads(value)
        parts = {"step": Step(found["step"]), "sum": Sum(**found["sum"])}
        return Record(**{**found, **parts, "left": tuple(found["left"])})
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise MigrationRefused(f"the store's record cannot be read: {value!r}") from error


@dataclass(frozen=True, slots=True)
class Retired:
    """Mail that was put away and may be deleted after a time."""

    account: str
    path: str
    until_s: float
    """Wall clock."""

    @property
    def key(self) -> str:
        return f"{RETIRED}{self.account}/{self.path.rpartition('/')[2]}"

    def encoded(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True).encode()


def decoded_retired(value: bytes) -> Retired:
    """Raises MigrationRefused."""
    try:
        return Retired(**json.loads(value))
    except (ValueError, TypeError) as error:
        raise MigrationRefused(f"the store's record cannot be read: {value!r}") from error


def mark(record: Record, holder: str, since_s: float) -> bytes:
    """What directors read below MARKS: the account moves, logins wait."""
    value = {"to": record.target, "since": since_s, "holder": holder}
    return json.dumps(value, sort_keys=True).encode()
