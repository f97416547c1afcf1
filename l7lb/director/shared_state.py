"""What all directors of a cluster agree on, by way of the store: the administrator's drains and
weights, and learnt cookies.

Owns the connection and both directions. A director that cannot reach the store works on with what
it knows, says so, and tells the store what it owes when that is back. The last word that reached
the store holds for everybody.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import Callable

from l7lb.director.admin_state import AdminEntry, entry_of
from l7lb.director.messages import Learned, Update
from l7lb.director.parts import Parts
from l7lb.director.store import engine_of
from l7lb.errors import ControlError
from l7lb.model_store import EtcdStore, StoreSpec
from l7lb.pool.indices import ServerKey
from l7lb_storage import Changed, Delete, Item, Put, Reset, StorageError, Store
from l7lb_storage.engine import Engine

ADMIN = "admin/"
PINS = "pins/"
BEAT_S = 3.0
"""Between two looks whether the store answers."""
PAUSE_S = (0.2, 5.0)
"""First and longest wait after the store did not answer."""
UNSENT_PINS = 10_000
"""Learnt cookies that wait for the store; the oldest are let go."""
FOREVER_S = 30 * 86400.0
"""How long the store keeps a learnt cookie that never times out, after its last use."""


class SharedState:
    """`start` it once there is a running file; `close` it in any case."""

    def __init__(self, parts: Parts, make: Callable[[StoreSpec], Engine] = engine_of) -> None:
        self._parts = parts
        self._make = make
        self._spec: StoreSpec | None = None
        self._store: Store | None = None
        self._task: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._there: dict[ServerKey, tuple[AdminEntry, int]] = {}
        """What the store says of servers, of those too that our file does not name, and since
        which of its revisions."""
        self._unsent: OrderedDict[tuple[str, bytes], str] = OrderedDict()
        self._answers: bool | None = None
        self._since_s = time.time()

    def start(self, spec: StoreSpec | None) -> None:
        self._spec = spec
        if spec is not None:
            self._parts.running.admin.is_shared = True
            self._parts.running.admin.on_change = self._wake.set
            self._task = asyncio.create_task(self._run(spec), name="store")

    @property
    def is_started(self) -> bool:
        return self._spec is not None

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def view(self) -> dict[str, object] | None:
        """JSON; None: the file names no store."""
        if self._spec is None:
            return None
        words = {True: "answers", False: "away", None: "unknown"}
        return {
            "engine": "etcd" if isinstance(self._spec, EtcdStore) else "lockd",
            "state": words[self._answers],
            "age_s": round(time.time() - self._since_s, 1),
            "unsent": len(self._parts.running.admin.unshared()) + len(self._unsent),
        }

    def store(self) -> Store:
        """Raises ControlError: 409 without a store, 503 when it is away."""
        if self._spec is None:
            raise ControlError("the rules file names no store", 409)
        if self._store is None:
            raise ControlError("the store does not answer", 503)
        return self._store

    async def locks(self, prefix: str, limit: int) -> list[dict[str, object]]:
        """Holders and waiters. Raises ControlError: 409 without a store, 503 when it is away."""
        engine = self.store().engine
        try:
            found = await engine.locks(prefix, limit)
        except StorageError as error:
            raise ControlError(f"the store does not answer: {error}", 503) from error
        return [
            {
                "resource": each.resource,
                "mode": each.mode.value,
                "holder": each.holder,
                "granted": each.granted,
                "token": each.token,
                "age_s": round(time.time() - each.since_s, 1),
            }
            for each in found
        ]

    # ------------------------------------------------------------------ told by the director

    def learned(self, pin: Learned) -> None:
        """A worker of ours learnt it, or has used it again."""
        if self._spec is None:
            return
        self._unsent[pin.pool, pin.value] = pin.server
        self._unsent.move_to_end((pin.pool, pin.value))
        if len(self._unsent) > UNSENT_PINS:
            self._unsent.popitem(last=False)
        self._wake.set()

    def file_changed(self) -> None:
        """Servers that are new to us may be known to the store."""
        for key, (entry, _) in self._there.items():
            self._adopt(key, entry)

    # ------------------------------------------------------------------ the connection

    async def _run(self, spec: StoreSpec) -> None:
        pause_s = PAUSE_S[0]
        while True:
            try:
                await self._serve(spec)
            except* (StorageError, OSError, ValueError) as failures:
                if self._answers:
                    pause_s = PAUSE_S[0]
                self._away(failures.exceptions[0])
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S[1])

    async def _serve(self, spec: StoreSpec) -> None:
        engine = self._make(spec)
        store = Store(engine)
        try:
            await engine.open()
            self._store = store
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_admin(store))
                group.create_task(self._follow_pins(store))
                group.create_task(self._send(store))
                group.create_task(self._beat(store))
        finally:
            self._store = None
            await store.close()
            await engine.close()

    async def _beat(self, store: Store) -> None:
        """Says whether the store answers, also when nothing happens."""
        while True:
            try:
                await store.range(ADMIN, limit=1)
            except StorageError as error:
                self._away(error)
            else:
                self._back()
            await asyncio.sleep(BEAT_S)

    def _away(self, error: BaseException) -> None:
        if self._answers is not False:
            self._note(False)
            self._parts.events.emit("store-away", logging.WARNING, reason=str(error))

    def _back(self) -> None:
        if self._answers is not True:
            self._note(True)
            self._wake.set()
            self._parts.events.emit("store-answers")

    def _note(self, answers: bool) -> None:
        self._answers = answers
        self._since_s = time.time()

    # ------------------------------------------------------------------ to the store

    async def _send(self, store: Store) -> None:
        pause_s = PAUSE_S[0]
        while True:
            self._wake.clear()
            try:
                await self._send_admin(store)
                await self._send_pins(store)
            except StorageError as error:
                self._away(error)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, PAUSE_S[1])
                continue
            pause_s = PAUSE_S[0]
            await self._wake.wait()

    async def _send_admin(self, store: Store) -> None:
        admin = self._parts.running.admin
        for key, entry in admin.unshared():
            edit = Delete(_name(key)) if entry.is_plain else Put(_name(key), _bytes(entry))
            revision = (await store.transact(edits=(edit,))).revision
            try:
                admin.was_shared(key, entry)
            except OSError as error:
                self._not_saved(error)
            there = self._there.get(key)
            if there is not None and there[1] > revision:
                self._adopt(key, there[0])  # another director was later; it was not taken then

    async def _send_pins(self, store: Store) -> None:
        while self._unsent:
            (pool, value), server = next(iter(self._unsent.items()))
            keep_s = self._parts.pins.keep_s(pool)
            if keep_s is not None:
                name = f"{PINS}{pool}/{value.hex()}"
                await store.put(name, server.encode(), keep_s=keep_s or FOREVER_S)
            if self._unsent.get((pool, value)) == server:
                del self._unsent[pool, value]

    # ------------------------------------------------------------------ from the store

    async def _follow_admin(self, store: Store) -> None:
        async with store.watch(ADMIN) as events:
            async for event in events:
                match event:
                    case Reset():
                        self._reset_admin(event.items)
                    case Changed():
                        self._admin_changed(event.key, event.item, event.revision)

    def _reset_admin(self, items: tuple[Item, ...]) -> None:
        """What we hold as shared and the store has not, somebody has taken back meanwhile."""
        self._there = {
            key: (entry, item.revision)
            for item in items
            if (key := _key(item.key)) and (entry := _entry(item))
        }
        for key in self._parts.running.admin.shared():
            if key not in self._there:
                self._adopt(key, AdminEntry())
        for key, (entry, _) in self._there.items():
            self._adopt(key, entry)

    def _admin_changed(self, name: str, item: Item | None, revision: int) -> None:
        key = _key(name)
        entry = _entry(item) if item is not None else AdminEntry()
        if key is not None and entry is not None:
            self._there[key] = (entry, revision)
            self._adopt(key, entry)

    def _adopt(self, key: ServerKey, entry: AdminEntry) -> None:
        running = self._parts.running
        if key not in running.indices.servers:
            return
        try:
            is_news = running.admin.adopt(key, entry)
        except OSError as error:
            self._not_saved(error)
            is_news = True
        if is_news:
            update = running.admin.update(key, running.clock.now())
            self._parts.crew.broadcast(Update(key[0], update))
            self._parts.events.emit(
                "admin-shared",
                pool=key[0],
                server=key[1],
                admin=str(entry.admin),
                weight=entry.weight,
            )

    def _not_saved(self, error: OSError) -> None:
        self._parts.events.emit("admin-state-not-saved", logging.ERROR, reason=str(error))

    async def _follow_pins(self, store: Store) -> None:
        """A pin that goes from the store is forgotten by each table in its own time."""
        async with store.watch(PINS) as events:
            async for event in events:
                items = event.items if isinstance(event, Reset) else (event.item,)
                for item in items:
                    pin = None if item is None else _pin(item)
                    if pin is not None and self._parts.pins.note(pin):
                        self._parts.crew.broadcast(pin)


def _name(key: ServerKey) -> str:
    return f"{ADMIN}{key[0]}/{key[1]}"


def _key(name: str) -> ServerKey | None:
    pool, slash, server = name.removeprefix(ADMIN).partition("/")
    return (pool, server) if slash else None


def _bytes(entry: AdminEntry) -> bytes:
    return json.dumps(entry.as_json()).encode()


def _entry(item: Item) -> AdminEntry | None:
    """None for what another version may have written."""
    try:
        return entry_of(json.loads(item.value))
    except (ValueError, KeyError, TypeError):
        return None


def _pin(item: Item) -> Learned | None:
    pool, slash, value = item.key.removeprefix(PINS).partition("/")
    try:
        return Learned(pool, bytes.fromhex(value), item.value.decode()) if slash else None
    except ValueError:
        return None
