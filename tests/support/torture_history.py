"""What clients did and saw in a torture run, and what of it cannot be. Pure.

Jepsen's method: each message has an identity of its own, each operation is noted with its outcome,
and the state after all troubles is held against the notes. A copy of a message is known by its UID
and the folder's UIDVALIDITY. Times are seconds of one monotonic clock.

    delivery     acknowledged: there once. Unknown: once or not at all, for each attempt.
                 Where the director's spool may try again: at least once.
    removal      acknowledged: the copy is gone. Unknown: either. Refused: it changed nothing.
    flag         the last acknowledged value; changes that overlap have no order, and one with an
                 unknown outcome may come late, so each of these may be the last.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

Uid = tuple[int, int]
"""UIDVALIDITY and UID."""


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
class Removal:
    account: str
    uid: Uid
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class FlagChange:
    """`ended_s` counts only when the outcome is known."""

    account: str
    uid: Uid
    flag: str
    value: bool
    started_s: float
    ended_s: float
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Sighting:
    """A session saw this message under this UID."""

    account: str
    uid: Uid
    message: str


@dataclass(frozen=True, slots=True)
class Copy:
    """In the end."""

    message: str
    flags: frozenset[str]


Mailbox = dict[Uid, Copy]
Entry = Delivery | Removal | FlagChange | Sighting


@dataclass(frozen=True, slots=True)
class Fault:
    """`kind` is one of lost, doubled, resurrected, invented, flag, uid, disk."""

    kind: str
    account: str
    text: str


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
            (type(each).__name__, each.outcome.value)
            for each in entries
            if not isinstance(each, Sighting)
        )


@dataclass
class _Account:
    """All that was noted of one account."""

    name: str
    deliveries: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    spooled: set[str] = field(default_factory=set)
    removals: dict[Uid, set[Outcome]] = field(default_factory=lambda: defaultdict(set))
    changes: dict[tuple[Uid, str], list[FlagChange]] = field(
        default_factory=lambda: defaultdict(list)
    )
    seen: dict[Uid, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, entry: Entry) -> None:
        match entry:
            case Delivery():
                self.deliveries[entry.message][entry.outcome] += 1
                if entry.by_spool:
                    self.spooled.add(entry.message)
            case Removal():
                self.removals[entry.uid].add(entry.outcome)
            case FlagChange():
                self.changes[entry.uid, entry.flag].append(entry)
            case Sighting():
                self.seen[entry.uid].add(entry.message)

    def fault(self, kind: str, text: str) -> Fault:
        return Fault(kind, self.name, text)


def check(entries: Sequence[Entry], final: dict[str, Mailbox]) -> list[Fault]:
    """What cannot be; empty when all is well. `final`: of every account, after all troubles."""
    accounts = {name: _Account(name) for name in final}
    for entry in entries:
        accounts[entry.account].add(entry)
    faults: list[Fault] = []
    for name, mailbox in final.items():
        account = accounts[name]
        for uid, copy in mailbox.items():
            account.seen[uid].add(copy.message)
        faults += _uids(account)
        faults += _copies(account)
        faults += _presence(account, mailbox)
        faults += _flags(account, mailbox)
    return faults


def repeats(entries: Sequence[Entry], final: dict[str, Mailbox]) -> int:
    """Messages doubled that a spool's own attempts account for."""
    strict = [replace(e, by_spool=False) if isinstance(e, Delivery) else e for e in entries]
    return len(check(strict, final)) - len(check(entries, final))


def differences(account: str, told: Mailbox, stored: Mailbox) -> list[Fault]:
    """Between what a server tells in the end and what is on the disk: a write behind the owner's
    back would show here."""
    return [
        Fault("disk", account, f"{uid}: told {told.get(uid)}, stored {stored.get(uid)}")
        for uid in sorted(told.keys() | stored.keys())
        if told.get(uid) != stored.get(uid)
    ]


def _uids(account: _Account) -> Iterator[Fault]:
    for uid, messages in account.seen.items():
        if len(messages) > 1:
            yield account.fault("uid", f"{uid} was given to {sorted(messages)}")
    validities = {validity for validity, _ in account.seen}
    if len(validities) > 1:
        yield account.fault("uid", f"UIDVALIDITY changed: {sorted(validities)}")


def _copies(account: _Account) -> Iterator[Fault]:
    """Nobody removes a copy without having seen it, so all that ever were are known."""
    found = Counter(message for messages in account.seen.values() for message in messages)
    for message, outcomes in account.deliveries.items():
        least = outcomes[Outcome.DONE]
        most = least + outcomes[Outcome.UNKNOWN]
        count = found.pop(message, 0)
        if count < least:
            way = " (by a spool)" if message in account.spooled else ""
            yield account.fault("lost", f"{message}{way}: {least} acknowledged, {count} seen")
        if count > most and message not in account.spooled:
            yield account.fault("doubled", f"{message}: {most} at most, {count} seen")
    for message in found:
        yield account.fault("invented", f"{message} was never sent")


def _presence(account: _Account, mailbox: Mailbox) -> Iterator[Fault]:
    for uid, messages in account.seen.items():
        outcomes = account.removals.get(uid, set())
        if uid in mailbox and Outcome.DONE in outcomes:
            yield account.fault("resurrected", f"{uid} {sorted(messages)} was removed")
        if uid not in mailbox and not outcomes & {Outcome.DONE, Outcome.UNKNOWN}:
            yield account.fault("lost", f"{uid} {sorted(messages)} was seen and not removed")


def _flags(account: _Account, mailbox: Mailbox) -> Iterator[Fault]:
    for uid, copy in mailbox.items():
        named = {flag for changed, flag in account.changes if changed == uid}
        for flag in sorted(named | copy.flags):
            allowed = last_values(account.changes.get((uid, flag), []))
            if (flag in copy.flags) not in allowed:
                yield account.fault("flag", f"{uid} {copy.message}: {flag} must be in {allowed}")


def last_values(changes: Sequence[FlagChange]) -> set[bool]:
    """What a flag may be in the end; at first it is not set."""
    known = [each for each in changes if each.outcome is Outcome.DONE]
    newest_start_s = max((each.started_s for each in known), default=None)
    found = {each.value for each in changes if each.outcome is Outcome.UNKNOWN}
    if newest_start_s is None:
        return found | {False}
    return found | {each.value for each in known if each.ended_s >= newest_start_s}
