"""All health checks of one node: one watch for each server of each pool.

Runs in one event loop, once per node, never per worker. A server that stands in two pools
has two watches, two checks and two verdicts.
"""

from __future__ import annotations

import asyncio
import logging
import random as random_source
from collections.abc import Callable, Mapping
from dataclasses import replace

from l7lb.health.events import EventHistory, HealthEvent
from l7lb.health.probe import Probe
from l7lb.health.probe_greeting import probe_greeting
from l7lb.health.probe_http import probe_http
from l7lb.health.probe_icmp import probe_icmp
from l7lb.health.probe_tcp import probe_tcp
from l7lb.health.watch import Watch, WatchEnvironment, WatchSpec
from l7lb.model import GREETINGS, CheckKind, CheckSpec, Endpoint, Health, PoolSpec, ServerSpec
from l7lb.pool.server import literal_endpoint
from l7lb.ports import Clock

AT_ONCE = 256
"""Probes under way at the same time."""
PROBES: Mapping[CheckKind, Probe] = {
    CheckKind.TCP: probe_tcp,
    CheckKind.HTTP: probe_http,
    CheckKind.ICMP: probe_icmp,
    **dict.fromkeys(GREETINGS, probe_greeting),
}
UNCHECKED: Mapping[str, object] = {
    "health": Health.UNKNOWN.value,
    "check": CheckKind.NONE.value,
    "detail": "not checked",
}

log = logging.getLogger(__name__)


class Prober:
    """Keeps the watches equal to the pools, and reports every change of a verdict.

    Must be made and used in a running event loop. `on_change` is called in that loop; what it
    raises is logged and stops no probing. `events` holds the newest changes.
    """

    def __init__(
        self,
        on_change: Callable[[HealthEvent], None],
        clock: Clock,
        random: Callable[[], float] = random_source.random,
        probes: Mapping[CheckKind, Probe] = PROBES,
        at_once: int = AT_ONCE,
    ) -> None:
        self.events = EventHistory()
        self._on_change = on_change
        self._clock = clock
        self._pools: Mapping[str, PoolSpec] = {}
        self._watches: dict[tuple[str, str], Watch] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._env = WatchEnvironment(
            clock, random, probes, asyncio.Semaphore(at_once), self._changed
        )

    def reconcile(self, pools: Mapping[str, PoolSpec]) -> None:
        """Start, stop and change only what is not as it should be.

        Same name, address and check: nothing happens. Same name and address, another check: the
        verdict stays until the new check speaks against it. Another address: unknown again.
        A server whose check was taken away becomes unknown, with an event.
        """
        self._pools = dict(pools)
        wanted = {(spec.pool, spec.server): spec for spec in _wanted(pools)}
        for key in [key for key in self._watches if key not in wanted]:
            self._forget(key)
        for key, spec in wanted.items():
            watch = self._watches.get(key)
            if watch is None or watch.spec != spec:
                self._watches[key] = self._start(spec, watch)

    def endpoint(self, pool: str, server: str, endpoint: Endpoint) -> None:
        """The address that a DNS name has now; call after `reconcile`. Others do not matter."""
        watch = self._watches.get((pool, server))
        if watch is not None:
            watch.move(endpoint)

    def verdicts(self) -> dict[tuple[str, str], Health]:
        """By (pool, server), what is checked only: the snapshot for a worker that starts."""
        return {key: watch.health for key, watch in self._watches.items()}

    def view(self) -> dict[str, dict[str, dict[str, object]]]:
        """JSON: pool → server → verdict, since when, last result with its reply and age."""
        return {
            name: {server.name: self._view(name, server.name) for server in pool.servers}
            for name, pool in self._pools.items()
        }

    async def close(self) -> None:
        """Stop all probing and wait until it has stopped."""
        for watch in self._watches.values():
            self._end(watch)
        self._watches.clear()
        await asyncio.gather(*self._stopping, return_exceptions=True)

    def _view(self, pool: str, server: str) -> dict[str, object]:
        watch = self._watches.get((pool, server))
        return watch.view() if watch is not None else dict(UNCHECKED)

    def _start(self, spec: WatchSpec, before: Watch | None) -> Watch:
        if before is not None:
            self._end(before)
            if before.spec.address == spec.address:
                return Watch(spec, self._env, before.endpoint, before)
            self._unknown(before, "the address changed")
        return Watch(spec, self._env, literal_endpoint(spec.address))

    def _forget(self, key: tuple[str, str]) -> None:
        watch = self._watches.pop(key)
        self._end(watch)
        pool = self._pools.get(key[0])
        if pool is not None and any(server.name == key[1] for server in pool.servers):
            self._unknown(watch, "no longer checked")

    def _unknown(self, watch: Watch, detail: str) -> None:
        if watch.health is not Health.UNKNOWN:
            spec, now = watch.spec, self._clock.now()
            self._changed(
                HealthEvent(spec.pool, spec.server, watch.health, Health.UNKNOWN, detail, now)
            )

    def _end(self, watch: Watch) -> None:
        task = watch.stop()
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)

    def _changed(self, event: HealthEvent) -> None:
        self.events.add(event)
        try:
            self._on_change(event)
        except Exception:
            log.exception("health of %s/%s could not be passed on", event.pool, event.server)


def _wanted(pools: Mapping[str, PoolSpec]) -> list[WatchSpec]:
    return [
        WatchSpec(pool.name, server.name, server.address, _check_of(server, pool.check))
        for pool in pools.values()
        if pool.check.kind is not CheckKind.NONE
        for server in pool.servers
    ]


def _check_of(server: ServerSpec, check: CheckSpec) -> CheckSpec:
    """A greeting is read at the server's port of that protocol."""
    port = server.port(check.kind.value) if check.kind.is_greeting else 0
    return replace(check, port=port) if port and check.port is None else check
