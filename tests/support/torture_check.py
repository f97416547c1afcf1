"""What of the notes of a torture run cannot be. Pure.

The state after all troubles is held against what every client was told:

    delivery     acknowledged: there once. Unknown: once or not at all, for each attempt.
                 Where the director's spool may try again: at least once.
    append       acknowledged: there once, at the place that was told, with its flags.
    copy         acknowledged: once more, at the place that was told, with the flags of its source.
    move         the same, and the source is gone. Unknown: there, here, or both; never nowhere.
    removal      acknowledged: the copy is gone. Unknown: either. Refused: it changed nothing.
    flag         the last acknowledged value; changes that overlap have no order, and one with an
                 unknown outcome may come late, so each of these may be the last.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf

from support.torture_history import (
    Append,
    Delivery,
    Entry,
    FlagChange,
    Mailbox,
    Outcome,
    Place,
    Removal,
    Sighting,
    Transfer,
)

DONE, UNKNOWN = Outcome.DONE, Outcome.UNKNOWN


@dataclass(frozen=True, slots=True)
class Fault:
    """`kind` is one of lost, doubled, resurrected, invented, flag, uid, disk."""

    kind: str
    account: str
    text: str


@dataclass
class _Account:
    """All that was noted of one account."""

    name: str
    made: dict[str, Counter[Outcome]] = field(default_factory=lambda: defaultdict(Counter))
    """Operations that bring a copy, by message."""
    spooled: set[str] = field(default_factory=set)
    removals: dict[Place, set[Outcome]] = field(default_factory=lambda: defaultdict(set))
    moves: dict[Place, set[Outcome]] = field(default_factory=lambda: defaultdict(set))
    """By source."""
    changes: dict[tuple[Place, str], list[FlagChange]] = field(
        default_factory=lambda: defaultdict(list)
    )
    seen: dict[Place, set[str]] = field(default_factory=lambda: defaultdict(set))
    origins: dict[Place, Append | Transfer] = field(default_factory=dict)
    """What is known to have brought a copy; all others were delivered, or nobody knows."""
    unsure: set[str] = field(default_factory=set)
    """Messages with an append or a transfer that may or may not have brought a copy."""

    def add(self, entry: Entry) -> None:
        match entry:
            case Delivery():
                self.made[entry.message][entry.outcome] += 1
                if entry.by_spool:
                    self.spooled.add(entry.message)
            case Append():
                self._brought(entry, entry.place)
            case Transfer():
                self._brought(entry, entry.target)
                if entry.is_move:
                    self.moves[entry.source].add(entry.outcome)
            case Removal():
                self.removals[entry.place].add(entry.outcome)
            case FlagChange():
                self.changes[entry.place, entry.flag].append(entry)
            case Sighting():
                self.seen[entry.place].add(entry.message)

    def _brought(self, entry: Append | Transfer, place: Place | None) -> None:
        self.made[entry.message][entry.outcome] += 1
        if place is not None:
            self.origins[place] = entry
            self.seen[place].add(entry.message)
        if entry.outcome is UNKNOWN:
            self.unsure.add(entry.message)

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
        for place, copy in mailbox.items():
            account.seen[place].add(copy.message)
        faults += _places(account)
        faults += _copies(account, mailbox)
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
        Fault("disk", account, f"{place}: told {told.get(place)}, stored {stored.get(place)}")
        for place in sorted(told.keys() | stored.keys())
        if told.get(place) != stored.get(place)
    ]


def _places(account: _Account) -> Iterator[Fault]:
    for place, messages in account.seen.items():
        if len(messages) > 1:
            yield account.fault("uid", f"{place} was given to {sorted(messages)}")
    validities: dict[str, set[int]] = defaultdict(set)
    for place in account.seen:
        validities[place.folder].add(place.validity)
    for folder, found in validities.items():
        if len(found) > 1:
            yield account.fault("uid", f"UIDVALIDITY of {folder} changed: {sorted(found)}")


def _copies(account: _Account, mailbox: Mailbox) -> Iterator[Fault]:
    """Nobody removes a copy without having seen it, so all that ever were are known."""
    found = Counter(message for messages in account.seen.values() for message in messages)
    moved = _moved_away(account, mailbox)
    for message, outcomes in account.made.items():
        sure, most = outcomes[DONE], outcomes[DONE] + outcomes[UNKNOWN]
        least, count = sure + moved[message], found.pop(message, 0)
        if count < least:
            way = " (by a spool)" if message in account.spooled else ""
            yield account.fault("lost", f"{message}{way}: {least} at least, {count} seen")
        if count > most and message not in account.spooled:
            yield account.fault("doubled", f"{message}: {most} at most, {count} seen")
    for message in found:
        yield account.fault("invented", f"{message} was never sent")


def _moved_away(account: _Account, mailbox: Mailbox) -> Counter[str]:
    """Copies that are gone by a move with an unknown outcome, and by nothing else: each must have
    arrived."""
    return Counter(
        message
        for place, messages in account.seen.items()
        if place not in mailbox
        and UNKNOWN in account.moves.get(place, set())
        and DONE not in account.moves[place]
        and not account.removals.get(place, set()) & {DONE, UNKNOWN}
        for message in messages
    )


def _presence(account: _Account, mailbox: Mailbox) -> Iterator[Fault]:
    for place, messages in account.seen.items():
        outcomes = account.removals.get(place, set()) | account.moves.get(place, set())
        if place in mailbox and DONE in outcomes:
            yield account.fault("resurrected", f"{place} {sorted(messages)} was removed")
        if place not in mailbox and not outcomes & {DONE, UNKNOWN}:
            yield account.fault("lost", f"{place} {sorted(messages)} was seen and not removed")


def _flags(account: _Account, mailbox: Mailbox) -> Iterator[Fault]:
    for place, copy in mailbox.items():
        named = {flag for changed, flag in account.changes if changed == place}
        origin = account.origins.get(place)
        if isinstance(origin, Append):
            named |= origin.flags
        if isinstance(origin, Transfer):
            named |= {flag for _, flag in account.changes}
        for flag in sorted(named | copy.flags):
            allowed = _values(account, place, flag)
            if (flag in copy.flags) not in allowed:
                yield account.fault("flag", f"{place} {copy.message}: {flag} must be in {allowed}")


def _values(
    account: _Account, place: Place, flag: str, from_s: float = inf, to_s: float = inf
) -> set[bool]:
    """What a flag may have been at any moment between these two."""
    first = _first_values(account, place, flag)
    return possible_values(account.changes.get((place, flag), []), first, from_s, to_s)


def _first_values(account: _Account, place: Place, flag: str) -> set[bool]:
    origin = account.origins.get(place)
    if isinstance(origin, Append):
        return {flag in origin.flags}
    if isinstance(origin, Transfer):
        return _values(account, origin.source, flag, origin.started_s, origin.ended_s)
    is_unsure = account.seen[place] & account.unsure
    return {True, False} if is_unsure else {False}


def possible_values(
    changes: Sequence[FlagChange], first: set[bool], from_s: float = inf, to_s: float = inf
) -> set[bool]:
    """`first`: what it may have been before all changes."""
    begun = [each for each in changes if each.started_s <= to_s]
    done = [each for each in begun if each.outcome is DONE]
    known = [each for each in done if each.ended_s <= from_s]
    newest_start_s = max((each.started_s for each in known), default=-inf)
    found = {each.value for each in begun if each.outcome is UNKNOWN}
    found |= {each.value for each in done if each.ended_s >= newest_start_s}
    return found if known else found | first
