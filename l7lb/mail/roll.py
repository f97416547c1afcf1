"""Which workers of which directors serve mail, and what each says of an account that moves.

Owns two kinds of keys of the store. A *member* is on the roll from before it lets anybody in by
the store's word until it has ended well; one that dies, stands still or is cut off stays on it,
for it may have sessions that nobody else knows of. A *word* answers one mark of an account that
moves, and goes with its worker's lease. Must not know sessions, nor who asks.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from l7lb_storage import Check, Delete, Store

ROLL = "directors/"
WORDS = "closed/"
KEEP_S = 86400.0
"""A member that has not renewed its place for so long is forgotten: it is no director any more."""
PAGE = 500


@dataclass(frozen=True, slots=True)
class Member:
    """One worker."""

    director: str
    """The same over restarts, and of no other director."""
    process: str
    """Of no other process, ever."""

    @property
    def key(self) -> str:
        return f"{ROLL}{self}"

    def word_key(self, account: str) -> str:
        return f"{WORDS}{account}/{self}"

    def __str__(self) -> str:
        return f"{self.director}#{self.process}"


@dataclass(frozen=True, slots=True)
class Word:
    """What one worker has open of an account at servers."""

    mark: int
    """Revision of the mark that it has seen."""
    sessions: int = 0
    deliveries: int = 0

    @property
    def is_closed(self) -> bool:
        return not (self.sessions or self.deliveries)

    def encode(self) -> bytes:
        return json.dumps([self.mark, self.sessions, self.deliveries]).encode()


def decode(value: bytes) -> Word | None:
    """None for what another version may have written."""
    try:
        mark, sessions, deliveries = json.loads(value)
        return Word(int(mark), int(sessions), int(deliveries))
    except (ValueError, TypeError):
        return None


async def enrol(store: Store, member: Member, is_alive: Callable[[str], bool]) -> None:
    """Take a place, or renew it; members of the same director whose process is gone lose theirs.

    Raises StorageError.
    """
    await store.put(member.key, b"", keep_s=KEEP_S)
    page = await store.range(f"{ROLL}{member.director}#", limit=PAGE)
    for item in page.items:
        other = member_of(item.key)
        if other is not None and other != member and not is_alive(other.process):
            await store.transact((Check(item.key, item.revision),), (Delete(item.key),))


async def leave(store: Store, member: Member) -> None:
    """It has nothing open any more. Raises StorageError."""
    await store.delete(member.key)


async def members(store: Store) -> list[Member]:
    """Raises StorageError."""
    found: list[Member] = []
    after, more = "", True
    while more:
        page = await store.range(ROLL, after=after, limit=PAGE)
        found += [each for item in page.items if (each := member_of(item.key)) is not None]
        after, more = (page.items[-1].key if page.items else ""), page.more
    return found


async def words(store: Store, account: str) -> dict[str, Word]:
    """What was said of this account, by `str(member)`. Raises StorageError."""
    prefix = f"{WORDS}{account}/"
    found: dict[str, Word] = {}
    after, more = "", True
    while more:
        page = await store.range(prefix, after=after, limit=PAGE)
        for item in page.items:
            word = decode(item.value)
            if word is not None:
                found[item.key.removeprefix(prefix)] = word
        after, more = (page.items[-1].key if page.items else ""), page.more
    return found


def member_of(key: str) -> Member | None:
    """None: no key of the roll."""
    director, sign, process = key.removeprefix(ROLL).rpartition("#")
    return Member(director, process) if sign and key.startswith(ROLL) else None
