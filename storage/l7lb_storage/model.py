"""What passes between callers and engines: items, transactions, watch events, claims and grants.

Frozen values only; it knows no engine and no time but what callers put in.
"""

from dataclasses import dataclass

from l7lb_storage.modes import Mode

ABSENT = 0
"""The revision of a key that is not there."""


@dataclass(frozen=True, slots=True)
class Item:
    """One key. `revision` is that of its last change; revisions only grow."""

    key: str
    value: bytes
    created: int
    revision: int
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Check:
    """The key's revision is this one; ABSENT: it is not there."""

    key: str
    revision: int


@dataclass(frozen=True, slots=True)
class Put:
    """With a lease the key goes when the lease goes. Without, an earlier binding is undone."""

    key: str
    value: bytes
    lease: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    key: str


@dataclass(frozen=True, slots=True)
class Transaction:
    """All edits, in one step, if all checks hold; otherwise nothing."""

    checks: tuple[Check, ...] = ()
    edits: tuple[Put | Delete, ...] = ()

    @property
    def puts(self) -> tuple[Put, ...]:
        return tuple(edit for edit in self.edits if isinstance(edit, Put))


@dataclass(frozen=True, slots=True)
class Outcome:
    """`done`: the checks held. `revision` is the store's, and that of the edits if done."""

    done: bool
    revision: int


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a range in the order of keys. With `more`, ask again after the last key."""

    items: tuple[Item, ...]
    revision: int
    more: bool


@dataclass(frozen=True, slots=True)
class Changed:
    """One change of one key; `item` None: it was deleted."""

    key: str
    item: Item | None
    revision: int


@dataclass(frozen=True, slots=True)
class Reset:
    """Forget what you know of the prefix: this is all of it, as of `revision`."""

    items: tuple[Item, ...]
    revision: int


WatchEvent = Changed | Reset


@dataclass(frozen=True, slots=True)
class Lease:
    """`ttl_s` is what the engine gives, which may be more than was asked."""

    id: int
    ttl_s: float


@dataclass(frozen=True, slots=True)
class Claim:
    """A wish for a lock. (lease, number) names it for ever; `since_s` is the asker's wall clock."""

    lease: int
    number: int
    resource: str
    mode: Mode
    holder: str
    since_s: float

    @property
    def id(self) -> tuple[int, int]:
        return (self.lease, self.number)


@dataclass(frozen=True, slots=True)
class Grant:
    mode: Mode
    token: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Somebody waits behind a lock that is held."""

    resource: str
    holder: str
    mode: Mode


@dataclass(frozen=True, slots=True)
class LockView:
    """One entry of a queue, for people. `token` of a waiter is 0; `since_s` is wall clock."""

    resource: str
    mode: Mode
    holder: str
    token: int
    granted: bool
    since_s: float
    lease: int
