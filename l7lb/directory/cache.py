"""What is remembered of the directory's answers, with one question for each key under way.

Owns: ages (fresh, stale, forgotten), the bound, single flight, and the memory of passwords that
were right. Must not know: where answers come from. Uses no I/O; the clock is given.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, fields

from l7lb.accounts import Account
from l7lb.errors import DirectoryAway
from l7lb.model_directory import CacheSpec
from l7lb.ports import Clock

Key = tuple[str, str]
"""Kind of question (`account`, `recipient`), and the normal name."""
Fetch = Callable[[], Awaitable[Account | None]]


@dataclass(slots=True)
class Counts:
    hits: int = 0
    misses: int = 0
    """Questions that went to the directory."""
    joined: int = 0
    """Callers that waited for another's question."""
    stale: int = 0
    """Old answers given because the directory was away."""
    evicted: int = 0


@dataclass(slots=True)
class Entry:
    """One answer."""

    account: Account | None
    at_s: float
    proof: bytes = b""
    """Keyed digest of the password that was last found right for it."""
    is_doubted: bool = False
    """A wrong password has already led to a fresh look-up."""


class Cache:
    """At most `limit` answers; the least recently used goes first."""

    def __init__(self, spec: CacheSpec, clock: Clock) -> None:
        self._spec = spec
        self._clock = clock
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._flights: dict[Key, asyncio.Task[Entry]] = {}
        self._running: set[asyncio.Task[Entry]] = set()
        """Flights, with those that nobody may join any more."""
        self._epoch = 0
        self._secret = os.urandom(32)
        self.counts = Counts()

    def __len__(self) -> int:
        return len(self._entries)

    async def get(self, key: Key, fetch: Fetch) -> Entry:
        """A fresh answer, else the directory's, else a stale one. Raises what `fetch` raises."""
        entry = self.fresh(key)
        if entry is not None:
            return entry
        try:
            return await self.fetched(key, fetch)
        except DirectoryAway:
            entry = self._entries.get(key)
            if entry is None or not self._is_usable(entry):
                raise
            self.counts.stale += 1
            return entry

    def fresh(self, key: Key) -> Entry | None:
        """What is remembered and not too old: no need to ask."""
        entry = self._entries.get(key)
        if entry is None or not self._is_fresh(entry):
            return None
        self._entries.move_to_end(key)
        self.counts.hits += 1
        return entry

    async def fetched(self, key: Key, fetch: Fetch) -> Entry:
        """The directory's answer, by a question that may be under way already."""
        flight = self._flights.get(key)
        if flight is None:
            self.counts.misses += 1
            flight = asyncio.get_running_loop().create_task(self._fetch(key, fetch))
            self._flights[key] = flight
            self._running.add(flight)
            flight.add_done_callback(lambda done: self._landed(key, done))
        else:
            self.counts.joined += 1
        # One caller that gives up must not take the answer from the others.
        return await asyncio.shield(flight)

    async def _fetch(self, key: Key, fetch: Fetch) -> Entry:
        epoch = self._epoch
        account = await fetch()
        entry = Entry(account, self._clock.now())
        if epoch == self._epoch:
            self._keep(key, entry)
        return entry

    def _landed(self, key: Key, flight: asyncio.Task[Entry]) -> None:
        self._running.discard(flight)
        if self._flights.get(key) is flight:
            del self._flights[key]
        if not flight.cancelled():
            flight.exception()  # read, so that nobody's absence is logged as an error

    def _keep(self, key: Key, entry: Entry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > self._spec.limit:
            self._entries.popitem(last=False)
            self.counts.evicted += 1

    # ----------------------------------------------------------------- ages

    def _is_fresh(self, entry: Entry) -> bool:
        life_s = self._spec.negative_s if entry.account is None else self._spec.positive_s
        return self._clock.now() < entry.at_s + life_s

    def _is_usable(self, entry: Entry) -> bool:
        """With the directory away. That there is nobody is never believed for longer."""
        return entry.account is not None and self._clock.now() < entry.at_s + self._spec.stale_s

    def age_s(self, entry: Entry) -> float:
        return self._clock.now() - entry.at_s

    # ----------------------------------------------------------------- forgetting

    def drop(self, handle: str, names: Iterable[str]) -> None:
        """Forget all about one entry of the directory and about these names.

        What is asked now may still get the old answer, but it is not kept.
        """
        self._epoch += 1
        wanted = set(names)
        gone = [
            key
            for key, entry in self._entries.items()
            if key[1] in wanted or (entry.account is not None and entry.account.handle == handle)
        ]
        for key in gone:
            del self._entries[key]
        self._flights.clear()

    def clear(self) -> None:
        self._epoch += 1
        self._entries.clear()
        self._flights.clear()

    # ----------------------------------------------------------------- passwords

    def is_proven(self, entry: Entry, password: bytes) -> bool:
        """Whether this very password was found right for this very answer."""
        return bool(entry.proof) and hmac.compare_digest(entry.proof, self._proof(entry, password))

    def prove(self, entry: Entry, password: bytes) -> None:
        """Remember it, as a digest under a key that only this process has."""
        entry.proof = self._proof(entry, password)
        entry.is_doubted = False

    def _proof(self, entry: Entry, password: bytes) -> bytes:
        assert entry.account is not None
        handle = entry.account.handle.encode()
        return hashlib.blake2b(
            len(handle).to_bytes(4, "big") + handle + password, key=self._secret, digest_size=32
        ).digest()

    def state(self) -> dict[str, object]:
        """For status: JSON values."""
        counts = {each.name: getattr(self.counts, each.name) for each in fields(Counts)}
        return {"entries": len(self), "under_way": len(self._flights), **counts}
