"""What an administrator does to a server: drain, disable, enable, weigh.

Owns the rules for it. Each word is on disk before it is answered, and holds over restarts.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Mapping

from l7lb.director.messages import Update
from l7lb.director.parts import Parts
from l7lb.errors import ControlError
from l7lb.model import PoolSpec
from l7lb.pool.indices import ServerKey
from l7lb.pool.server import Admin

WEIGHT_LIMIT = 65535
DEADLINE_LIMIT_S = 366 * 86400.0


class Administration:
    """Each method raises ControlError: 400, 404 with near names, 500 when it cannot be written."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def drain(self, pool: str, server: str, deadline_s: float | None = None) -> dict[str, object]:
        """No new sessions; persistent clients stay until the deadline (the pool's by default)."""
        key = self._find(pool, server)
        if deadline_s is None:
            deadline_s = self._parts.running.spec.pools[pool].drain_deadline_s
        if not 0 <= deadline_s <= DEADLINE_LIMIT_S:
            raise ControlError(f"deadline must be 0 to {DEADLINE_LIMIT_S:.0f} seconds")
        return self._set(key, Admin.DRAIN, time.time() + deadline_s)

    def disable(self, pool: str, server: str) -> dict[str, object]:
        """No sessions at all, from now on."""
        return self._set(self._find(pool, server), Admin.DISABLED)

    def enable(self, pool: str, server: str) -> dict[str, object]:
        """Back in service. A weight that was set stays."""
        return self._set(self._find(pool, server), Admin.READY)

    def weigh(self, pool: str, server: str, weight: int | None) -> dict[str, object]:
        """None: back to the file's."""
        key = self._find(pool, server)
        if weight is not None and not 0 <= weight <= WEIGHT_LIMIT:
            raise ControlError(f"weight must be 0 to {WEIGHT_LIMIT}")
        try:
            self._parts.running.admin.set_weight(key, weight)
        except OSError as error:
            raise _not_written(error) from error
        return self._tell(key, "weight-set")

    def _set(self, key: ServerKey, admin: Admin, drain_until_s: float = 0.0) -> dict[str, object]:
        try:
            self._parts.running.admin.set_admin(key, admin, drain_until_s)
        except OSError as error:
            raise _not_written(error) from error
        return self._tell(key, "admin-set")

    def _tell(self, key: ServerKey, event: str) -> dict[str, object]:
        running = self._parts.running
        pool, server = key
        update = running.admin.update(key, running.clock.now())
        self._parts.crew.broadcast(Update(pool, update))
        entry = running.admin.get(key)
        answer: dict[str, object] = {
            "pool": pool,
            "server": server,
            "admin": str(entry.admin),
            "drain_left_s": max(0.0, round(entry.drain_until_s - time.time(), 1)),
            "weight": entry.weight,
        }
        self._parts.events.emit(event, **answer)
        return answer

    def _find(self, pool: str, server: str) -> ServerKey:
        return find_server(self._parts.running.spec.pools, pool, server)


def find_server(pools: Mapping[str, PoolSpec], pool: str, server: str) -> ServerKey:
    """Raises ControlError: 404 with near names."""
    if pool not in pools:
        raise ControlError(f"no pool {pool!r}" + near(pool, list(pools)), 404)
    names = [each.name for each in pools[pool].servers]
    if server not in names:
        raise ControlError(f"no server {server!r} in pool {pool!r}" + near(server, names), 404)
    return pool, server


def near(name: str, known: list[str]) -> str:
    """Names that may have been meant, for the end of a message."""
    found = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if found:
        return "; did you mean " + " or ".join(found) + "?"
    if not known:
        return "; there are none"
    return "; there are " + ", ".join(known[:8]) + (", …" if len(known) > 8 else "")


def _not_written(error: OSError) -> ControlError:
    return ControlError(f"cannot be written to the state directory: {error}", 500)
