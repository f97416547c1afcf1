"""What supervisor and workers say to each other over their socketpair.

Owns the vocabulary. Times are on the monotonic clock, which all processes of a host share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from l7lb.media.hot.receiver import Said
from l7lb.media.modes import Known
from l7lb.model import ClusterSpec
from l7lb.pool.cells import Layout
from l7lb.pool.indices import Indices
from l7lb.pool.server import ServerUpdate

# --------------------------------------------------------------------------- to a worker


@dataclass(frozen=True, slots=True)
class Setup:
    """The first message. Comes with one descriptor: the memory of the counters."""

    slot: int
    workers: int
    secret: bytes
    """Signs persistence cookies."""
    layout: Layout
    generation: int
    spec: ClusterSpec
    indices: Indices
    updates: tuple[tuple[str, ServerUpdate], ...]
    """What is known about servers now: pool name and update."""


@dataclass(frozen=True, slots=True)
class Listen:
    """Comes with one descriptor: a listening socket. `position` is that in `ServiceSpec.listen`."""

    service: str
    position: int


@dataclass(frozen=True, slots=True)
class Unlisten:
    service: str
    position: int


@dataclass(frozen=True, slots=True)
class Apply:
    """A new rules file, and all that is known of its servers."""

    generation: int
    spec: ClusterSpec
    indices: Indices
    updates: tuple[tuple[str, ServerUpdate], ...]


@dataclass(frozen=True, slots=True)
class Update:
    pool: str
    update: ServerUpdate


@dataclass(frozen=True, slots=True)
class StatusRequest:
    number: int


@dataclass(frozen=True, slots=True)
class Ping:
    """Are you alive?"""


@dataclass(frozen=True, slots=True)
class ReopenLogs:
    """The access logs were rotated."""


@dataclass(frozen=True, slots=True)
class Learned:
    """An application's cookie `value` belongs to `server`. Goes both ways: one tells all."""

    pool: str
    value: bytes
    server: str


@dataclass(frozen=True, slots=True)
class MediaWays:
    """What stands against which way of media, by service, pool and server."""

    found: Mapping[tuple[str, str, str], Known]


@dataclass(frozen=True, slots=True)
class HotSaid:
    """A media server's word on the hot files that it holds."""

    said: Said


@dataclass(frozen=True, slots=True)
class Drain:
    """Stop accepting, let sessions end, then exit."""

    deadline_s: float


# --------------------------------------------------------------------------- to the supervisor


@dataclass(frozen=True, slots=True)
class Ready:
    """The worker accepts connections by this generation of the file (after Setup and Apply)."""

    generation: int


@dataclass(frozen=True, slots=True)
class Refused:
    """A new file could not be applied (a certificate that cannot be read …); the old one rules."""

    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class Report:
    """Something worth an event; `event` is its name."""

    event: str
    fields: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StatusReply:
    number: int
    status: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Pong:
    """Alive."""


@dataclass(frozen=True, slots=True)
class Drained:
    """The last message: sessions that had to be cut."""

    cut: int


ToWorker = (
    Setup
    | Listen
    | Unlisten
    | Apply
    | Update
    | StatusRequest
    | Ping
    | ReopenLogs
    | Learned
    | MediaWays
    | HotSaid
    | Drain
)
ToSupervisor = Ready | Refused | Report | StatusReply | Learned | Pong | Drained
