"""Which server an account has: the directory's word, else weighted rendezvous, fixed in the store.

Owns the record and its one way of change: whoever finds another record than the one that he looked
at begins anew. So all directors agree, also while they do not see the same servers. Must not know
protocols, sessions or how a directory is asked.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol

from l7lb.errors import MigrationRefused
from l7lb.mail.migration.record import RECORDS, Record, decoded
from l7lb.model import PoolSpec
from l7lb_storage import ABSENT, Changed, Item, Reset, StorageError, Store

ASSIGNED = "mail/assigned/"
MOVING = "mail/moving/"
PREFIX = "mail/"
KEEP_S = 900.0
"""How long an assignment outlives its last session, as long as Dovecot's director did."""
ATTEMPTS = 8
UNKNOWN = -1
"""Kicks of a record that is a guess, made without the store."""
log = logging.getLogger("l7lb.mail")


class Servers(Protocol):
    """What is asked of a pool."""

    name: str

    @property
    def spec(self) -> PoolSpec: ...

    def keeps(self, name: str) -> bool: ...
    def propose(self, account: bytes) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Assignment:
    """An account's record in one pool."""

    server: str
    hold_until_s: float = 0.0
    """Wall clock: logins wait until then, while the server before lets go."""
    kicks: int = 0
    """Grows when all sessions of the account shall end."""

    def encode(self) -> bytes:
        return json.dumps([self.server, self.hold_until_s, self.kicks]).encode()


def decode(value: bytes) -> Assignment | None:
    """None for what another version may have written."""
    try:
        server, hold_until_s, kicks = json.loads(value)
        return Assignment(str(server), float(hold_until_s), int(kicks))
    except (ValueError, TypeError):
        return None


Key = tuple[str, str]
"""Pool and account."""


def store_key(pool: str, account: str) -> str:
    return f"{ASSIGNED}{pool}/{account}"


async def change(
    store: Store,
    key: Key,
    edit: Callable[[Assignment | None], Assignment | None],
    *,
    is_new: bool = False,
) -> Assignment | None:
    """Write what `edit` makes of the present record; None: leave it. Returns what holds then.

    `is_new`: there is most likely no record; then one is written without a look before. Raises
    StorageError.
    """
    name = store_key(*key)
    fresh = edit(None) if is_new else None
    if fresh is not None and await store.swap(name, fresh.encode(), ABSENT, keep_s=KEEP_S):
        return fresh
    for _ in range(ATTEMPTS):
        item = await store.get(name)
        present = None if item is None else decode(item.value)
        wanted = edit(present)
        if wanted is None or wanted == present:
            return present
        revision = ABSENT if item is None else item.revision
        if await store.swap(name, wanted.encode(), revision, keep_s=KEEP_S):
            return wanted
    raise StorageError(f"{name} changes all the time")


def moved(server: str, hold_s: float) -> Callable[[Assignment | None], Assignment]:
    """For `change`: to this server; logins wait, sessions that are elsewhere end."""

    def edit(present: Assignment | None) -> Assignment:
        kicks = 0 if present is None else present.kicks
        if present is not None and present.server == server:
            return present
        return Assignment(server, time.time() + hold_s, kicks + 1)

    return edit


def kicked(present: Assignment | None) -> Assignment | None:
    """For `change`: all sessions end, the server stays."""
    return None if present is None else replace(present, kicks=present.kicks + 1)


class Assignments:
    """A copy of all records, fed by a watch, and the way to make new ones.

    Works on without the store, by what it knows and by rendezvous, and says so in `is_blind`.
    """

    def __init__(
        self,
        on_change: Callable[[Key, Assignment], None],
        on_mark: Callable[[str, int | None], None],
    ) -> None:
        """`on_mark`: an account moves, by the mark of this revision; None: no more."""
        self._on_change = on_change
        self._on_mark = on_mark
        self._known: dict[Key, tuple[Assignment, int]] = {}
        self._moving: dict[str, int] = {}
        """Accounts, and the revisions of their marks."""
        self._migrated: dict[str, Record] = {}
        """What is remembered of the directory may still name the server before."""
        self._moved = asyncio.Event()
        """Set anew whenever a mark has gone."""
        self._store: Store | None = None
        self._heard = asyncio.Event()
        """The store has said once what there is."""
        self.is_blind = True
        self.turns = 0
        """How many accounts have moved since the start."""

    def __len__(self) -> int:
        return len(self._known)

    def known(self, key: Key) -> Assignment | None:
        found = self._known.get(key)
        return None if found is None else found[0]

    def has_left(self, account: str, server: str, turn: int) -> bool:
        """Does its mail leave this server, or has it left it since `turns` was this?"""
        if account in self._moving:
            return True
        record = self._migrated.get(account) if turn != self.turns else None
        return record is not None and record.home(server) != server

    # ------------------------------------------------------------------ asking

    async def first_word(self, limit_s: float) -> None:
        """Wait for what the store says at the start of this process, but not longer than this."""
        if not self._heard.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await self._heard.wait()

    async def of(self, account: str, pool: Servers, home: str | None) -> Assignment | None:
        """The account's record in this pool, new if need be. Its server may be away; None: there
        is none to be had.

        `home`: the server that the directory names; no other will do then.
        """
        key = (pool.name, account)
        found = self.agreed(key, pool, home)
        if found is not None:
            return found
        home = self._home(account, home)
        proposed = home or pool.propose(account.encode())
        wanted = None if proposed is None else Assignment(proposed, kicks=UNKNOWN)
        store = self._store
        if wanted is None or store is None:
            return wanted
        try:
            return await self._settled(store, key, pool, home)
        except StorageError as error:
            self._blind(error)
            return wanted

    async def at_rest(
        self, account: str, pool: Servers, home: str | None, limit_s: float
    ) -> Assignment | None:
        """As `of`, once the account does not move. None, too, when it does after `limit_s`."""
        key, end_s = (pool.name, account), time.monotonic() + limit_s
        while await self.settle_moves(key, max(end_s - time.monotonic(), 0.0)):
            turn = self.turns
            found = await self.of(account, pool, home)
            if found is None or not (self.moves(key) or self.has_left(account, found.server, turn)):
                return found
        return None

    def agreed(self, key: Key, pool: Servers, home: str | None) -> Assignment | None:
        """What `of` says without asking the store; None: it must ask.

        Where the directory names a server all know it without a record (see `record`).
        """
        home = self._home(key[1], home)
        known = self.known(key)
        if known is not None:
            return known if self._holds(known, pool, home) else None
        return None if home is None or self._store is None else Assignment(home)

    def _home(self, account: str, home: str | None) -> str | None:
        """The directory's word, unless that is older than a migration."""
        migrated = self._migrated.get(account)
        return home if migrated is None else migrated.home(home)

    async def _settled(
        self, store: Store, key: Key, pool: Servers, home: str | None
    ) -> Assignment | None:
        def edit(present: Assignment | None) -> Assignment | None:
            if present is not None and self._holds(present, pool, home):
                return present
            server = home or pool.propose(key[1].encode())
            if server is None:
                return present
            if present is None:
                return Assignment(server)
            hold_s = 0.0 if home is not None else pool.spec.takeover_s
            return Assignment(server, time.time() + hold_s if hold_s else 0.0, present.kicks + 1)

        found = await change(store, key, edit, is_new=key not in self._known)
        if found is not None:
            self._known[key] = (found, 0)  # the watch soon says which revision
        return found

    async def record(self, key: Key, server: str) -> None:
        """For a session that came in without a record: so that others see it, and it can be
        kicked. A record that is there stays. Raises StorageError."""
        if key in self._known:
            return
        if self._store is None:
            raise StorageError("the store is away")
        await change(self._store, key, lambda at: at or Assignment(server), is_new=True)

    @staticmethod
    def _holds(present: Assignment, pool: Servers, home: str | None) -> bool:
        if home is not None:
            return present.server == home
        return pool.keeps(present.server)

    def moves(self, key: Key) -> bool:
        """Does the account move now? Then `settle_moves` waits."""
        known = self.known(key)
        return key[1] in self._moving or (known is not None and known.hold_until_s > time.time())

    async def settle_moves(self, key: Key, limit_s: float) -> bool:
        """Wait while the account moves. False: it still does after `limit_s`."""
        if not self.moves(key):
            return True
        try:
            async with asyncio.timeout(limit_s):
                while key[1] in self._moving:
                    await self._moved.wait()
                known = self.known(key)
                if known is not None and (left_s := known.hold_until_s - time.time()) > 0:
                    await asyncio.sleep(min(left_s, limit_s))
        except TimeoutError:
            return False
        return True

    # ------------------------------------------------------------------ changing

    async def move(self, key: Key, server: str, hold_s: float) -> None:
        """Raises StorageError; Unavailable, too, while there is no store."""
        if self._store is None:
            raise StorageError("the store is away")
        await change(self._store, key, moved(server, hold_s))

    async def refresh(self, key: Key) -> None:
        """A session of it lives: its record shall not go. Failures are of no consequence yet."""
        store, known = self._store, self._known.get(key)
        if store is None or known is None or not known[1]:
            return
        try:
            await store.swap(store_key(*key), known[0].encode(), known[1], keep_s=KEEP_S)
        except StorageError as error:
            self._blind(error)

    # ------------------------------------------------------------------ following

    async def follow(self, store: Store) -> None:
        """For ever. Raises StorageError."""
        try:
            async with store.watch(PREFIX) as events:
                async for event in events:
                    self._store = store
                    self.is_blind = False
                    if isinstance(event, Reset):
                        self._reset(event.items)
                    else:
                        self._changed(event)
        finally:
            self._store = None
            self.is_blind = True

    def _reset(self, items: tuple[Item, ...]) -> None:
        there = {item.key for item in items}
        for gone in [key for key in self._known if store_key(*key) not in there]:
            self._forget(gone)
        for account in [each for each in self._moving if MOVING + each not in there]:
            self._unmark(account)
        self._migrated.clear()
        for item in items:
            self._take(item)
        self._heard.set()

    def _changed(self, event: Changed) -> None:
        if event.item is not None:
            self._take(event.item)
        elif event.key.startswith(MOVING):
            self._unmark(event.key.removeprefix(MOVING))
        else:
            self._migrated.pop(event.key.removeprefix(RECORDS), None)
            self._forget(_key(event.key))

    def _take(self, item: Item) -> None:
        if item.key.startswith(MOVING):
            account = item.key.removeprefix(MOVING)
            self._moving[account] = item.revision
            self._on_mark(account, item.revision)
            return
        if item.key.startswith(RECORDS):
            self._learn(item)
            return
        key, assignment = _key(item.key), decode(item.value)
        if key is None or assignment is None:
            return
        self._known[key] = (assignment, item.revision)
        self._on_change(key, assignment)

    def _learn(self, item: Item) -> None:
        with suppress(MigrationRefused):  # another version wrote it
            self._migrated[item.key.removeprefix(RECORDS)] = decoded(item.value)

    def _forget(self, key: Key | None) -> None:
        if key is not None:
            self._known.pop(key, None)

    def _unmark(self, account: str) -> None:
        self._moving.pop(account, None)
        self.turns += 1
        self._on_mark(account, None)
        self._moved.set()
        self._moved = asyncio.Event()

    def _blind(self, error: StorageError) -> None:
        if not self.is_blind:
            self.is_blind = True
            log.warning("accounts are assigned without the store", extra={"reason": str(error)})


def _key(name: str) -> Key | None:
    if not name.startswith(ASSIGNED):
        return None
    pool, slash, account = name.removeprefix(ASSIGNED).partition("/")
    return (pool, account) if slash else None
