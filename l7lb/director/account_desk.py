"""What an administrator asks and does about accounts: where each is, move it, end its sessions.

Owns the rules for it. All goes through the store, so it reaches every director.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from l7lb.accounts import normal_name
from l7lb.director.administration import find_server
from l7lb.director.parts import Parts
from l7lb.errors import ControlError
from l7lb.mail.assignments import (
    ASSIGNED,
    Assignment,
    Key,
    change,
    decode,
    kicked,
    moved,
    store_key,
)
from l7lb_storage import StorageError, Store

HOLD_S = 5.0
"""How long logins wait for the server before to let go, unless said otherwise."""
HOLD_LIMIT_S = 300.0
PAGE = 500


class AccountDesk:
    """Each method raises ControlError: 400, 404 with near names, 503 while the store is away."""

    def __init__(self, parts: Parts, store: Callable[[], Store]) -> None:
        """`store` raises ControlError."""
        self._parts = parts
        self._store = store

    async def where(self, prefix: str, limit: int) -> list[dict[str, object]]:
        """Accounts that have or lately had sessions, with their servers."""
        found: list[dict[str, object]] = []
        for pool in sorted(self._parts.running.spec.pools):
            try:
                found += await self._in_pool(pool, prefix, limit - len(found))
            except StorageError as error:
                raise _away(error) from error
        return found

    async def _in_pool(self, pool: str, prefix: str, limit: int) -> list[dict[str, object]]:
        store, after = self._store(), ""
        found: list[dict[str, object]] = []
        more = True
        while more and len(found) < limit:
            size = min(PAGE, limit - len(found))
            page = await store.range(store_key(pool, prefix), after=after, limit=size)
            for item in page.items:
                assignment = decode(item.value)
                if assignment is not None:
                    account = item.key.removeprefix(f"{ASSIGNED}{pool}/")
                    found.append(_row((pool, account), assignment))
                after = item.key
            more = page.more
        return found

    async def move(
        self, account: str, pool: str, server: str, hold_s: float = HOLD_S
    ) -> dict[str, object]:
        """Its sessions end, logins wait `hold_s`, then go to the new server."""
        find_server(self._parts.running.spec.pools, pool, server)
        if not 0 <= hold_s <= HOLD_LIMIT_S:
            raise ControlError(f"hold must be 0 to {HOLD_LIMIT_S:.0f} seconds")
        key = (pool, _name(account))
        found = await self._change(key, moved(server, hold_s))
        assert found is not None
        self._parts.events.emit("account-moved", account=key[1], pool=pool, server=server)
        return _row(key, found)

    async def kick(self, account: str) -> list[dict[str, object]]:
        """End all its sessions, on every director."""
        name = _name(account)
        rows = []
        for pool in sorted(self._parts.running.spec.pools):
            found = await self._change((pool, name), kicked)
            if found is not None:
                rows.append(_row((pool, name), found))
                self._parts.events.emit("account-kicked", account=name, pool=pool)
        if not rows:
            raise ControlError(f"{name} has no sessions, nor had lately", 404)
        return rows

    async def _change(
        self, key: Key, edit: Callable[[Assignment | None], Assignment | None]
    ) -> Assignment | None:
        try:
            return await change(self._store(), key, edit)
        except StorageError as error:
            raise _away(error) from error


def _name(account: str) -> str:
    name = normal_name(account)
    if name is None:
        raise ControlError(f"{account!r} is nobody's name")
    return name


def _row(key: Key, found: Assignment) -> dict[str, object]:
    return {
        "account": key[1],
        "pool": key[0],
        "server": found.server,
        "held_s": max(0.0, round(found.hold_until_s - time.time(), 1)),
    }


def _away(error: StorageError) -> ControlError:
    return ControlError(f"the store does not answer: {error}", 503)
