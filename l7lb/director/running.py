"""What the director runs now: the file as compiled, its numbers, and what is known of each server.

Owns that state. Must not know processes, sockets or who asks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping

from l7lb.director.admin_state import AdminState
from l7lb.director.metrics import ServerFigures
from l7lb.errors import ControlError
from l7lb.health.prober import Prober
from l7lb.health.resolve import Resolver
from l7lb.model import ClusterSpec, Health
from l7lb.pool.cells import Layout, create_memory
from l7lb.pool.indices import IndexTable, Indices, ServerKey, TooMany
from l7lb.pool.server import ServerUpdate
from l7lb.pool.shared import SharedCounters
from l7lb.ports import Clock


def worker_count(spec: ClusterSpec) -> int:
    return spec.director.workers or len(os.sched_getaffinity(0))


def room_for(spec: ClusterSpec) -> Layout:
    """Twice what the file needs at start, and a good deal for small ones."""
    servers = sum(len(pool.servers) for pool in spec.pools.values())
    default = Layout()
    return Layout(
        workers=max(default.workers, 2 * worker_count(spec)),
        servers=max(default.servers, 2 * servers),
        services=max(default.services, 2 * len(spec.services)),
    )


class Running:
    """The one place that says what is so. Everything here is cheap and never waits."""

    def __init__(self, spec: ClusterSpec, admin: AdminState, clock: Clock) -> None:
        self.spec = spec
        self.generation = 0
        self.loaded_s = 0.0
        """Wall clock."""
        self.indices = Indices()
        self.layout = room_for(spec)
        self.memory = create_memory(self.layout)
        self.counters = SharedCounters(self.memory, self.layout)
        self.admin = admin
        self.clock = clock
        self.ejected: dict[ServerKey, float] = {}
        self._table = IndexTable(self.layout.servers, self.layout.services)

    def plan(self, spec: ClusterSpec) -> Indices:
        """Numbers for a new file; nothing changes. Raises ControlError (409)."""
        counters = self.counters
        try:
            return self._table.plan(
                spec,
                self.clock.now(),
                lambda index: counters.server_cells(index)[0] != 0,
                lambda index: counters.service_cells(index)[0] != 0,
            )
        except TooMany as error:
            raise ControlError(f"{error}: more room needs a restart", 409) from error

    def take(self, spec: ClusterSpec, indices: Indices) -> None:
        """From now on this file is the running one."""
        new_servers, new_services = self._table.commit(indices, self.clock.now())
        for index in new_servers:
            self.counters.clear_server(index)
        for index in new_services:
            self.counters.clear_service(index)
        self.spec = spec
        self.indices = indices
        self.generation += 1
        self.loaded_s = time.time()
        self.ejected = {key: until for key, until in self.ejected.items() if key in indices.servers}

    def forget_left(self) -> None:
        """Drop what the administrator said of servers that left the file. Raises OSError when
        that cannot be written; it is forgotten here all the same."""
        self.admin.keep_only(self.indices.servers)

    def updates(self, prober: Prober, resolver: Resolver) -> tuple[tuple[str, ServerUpdate], ...]:
        """All that a worker must know of servers beyond the file."""
        found = self.admin.updates(self.clock.now())
        for (pool, name), health in prober.verdicts().items():
            found.append((pool, ServerUpdate(name, health=health)))
        for (pool, name), endpoint in resolver.endpoints().items():
            found.append((pool, ServerUpdate(name, endpoint=endpoint)))
        for (pool, name), until_s in self.ejected.items():
            if until_s > self.clock.now():
                found.append((pool, ServerUpdate(name, ejected_until=until_s)))
        return tuple(found)

    def figures(self, verdicts: Mapping[ServerKey, Health]) -> dict[ServerKey, ServerFigures]:
        """Every server of the running file."""
        now_s = self.clock.now()
        figures: dict[ServerKey, ServerFigures] = {}
        for pool in self.spec.pools.values():
            for spec in pool.servers:
                key = (pool.name, spec.name)
                entry = self.admin.get(key)
                figures[key] = ServerFigures(
                    health=verdicts.get(key, Health.UNKNOWN),
                    admin=entry.admin,
                    weight=spec.weight if entry.weight is None else entry.weight,
                    ejected=self.ejected.get(key, 0.0) > now_s,
                )
        return figures

    def release_slot(self, slot: int) -> None:
        """The worker of this slot has ended, and its sessions with it."""
        servers, services = self._table.numbers()
        self.counters.release_slot(slot, servers, services)
