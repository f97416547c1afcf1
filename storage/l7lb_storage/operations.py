"""What the machine can be asked: one frozen class for each operation, and what it tells unasked.

The memory engine hands these to the machine, lockd's client sends them to lockd, which does the
same. They know neither wire nor time.
"""

from dataclasses import dataclass

from l7lb_storage.model import Claim, Grant, Notice, Transaction, WatchEvent
from l7lb_storage.modes import Mode


@dataclass(frozen=True, slots=True)
class OpenLease:
    """The caller draws `lease` at random, so that a repeated request opens one lease."""

    lease: int
    ttl_s: float
    holder: str


@dataclass(frozen=True, slots=True)
class RenewLease:
    lease: int


@dataclass(frozen=True, slots=True)
class CloseLease:
    lease: int


@dataclass(frozen=True, slots=True)
class Acquire:
    """Repeated for the same claim it changes nothing and tells how it stands."""

    claim: Claim
    try_only: bool


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The entry goes, waiting or granted."""

    lease: int
    number: int


@dataclass(frozen=True, slots=True)
class Convert:
    lease: int
    number: int
    token: int
    mode: Mode


@dataclass(frozen=True, slots=True)
class Release:
    lease: int
    number: int
    token: int


@dataclass(frozen=True, slots=True)
class Remind:
    """Tell the holder again of the first who waits behind it; False: it does not hold."""

    lease: int
    number: int


@dataclass(frozen=True, slots=True)
class ViewLocks:
    prefix: str
    limit: int


@dataclass(frozen=True, slots=True)
class ReadKey:
    key: str


@dataclass(frozen=True, slots=True)
class ReadRange:
    prefix: str
    after: str
    limit: int


@dataclass(frozen=True, slots=True)
class Transact:
    transaction: Transaction


@dataclass(frozen=True, slots=True)
class StartWatch:
    """`after` is the last revision that the watcher has seen; None: it wants a snapshot."""

    watch: int
    prefix: str
    after: int | None


@dataclass(frozen=True, slots=True)
class StopWatch:
    watch: int


@dataclass(frozen=True, slots=True)
class RaiseEpoch:
    """Also how the epoch is read: `at_least` None."""

    at_least: int | None


Operation = (
    OpenLease
    | RenewLease
    | CloseLease
    | Acquire
    | Withdraw
    | Convert
    | Release
    | Remind
    | ViewLocks
    | ReadKey
    | ReadRange
    | Transact
    | StartWatch
    | StopWatch
    | RaiseEpoch
)


@dataclass(frozen=True, slots=True)
class Granted:
    """The waiting entry holds the lock now."""

    lease: int
    number: int
    grant: Grant


@dataclass(frozen=True, slots=True)
class Blocking:
    """Somebody waits behind this holder."""

    lease: int
    number: int
    notice: Notice


@dataclass(frozen=True, slots=True)
class LeaseGone:
    lease: int


@dataclass(frozen=True, slots=True)
class Watched:
    """For the watch with this number of whoever started it."""

    origin: int
    watch: int
    events: tuple[WatchEvent, ...]


Told = Granted | Blocking | LeaseGone | Watched
