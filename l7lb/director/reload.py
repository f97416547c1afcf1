"""A new rules file in the place of the running one: everything that can fail comes first.

Owns the order of a reload. Until the point of no return nothing of the running set has changed;
after it nothing waits and nothing can be refused.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from l7lb.config.diff import Change, diff
from l7lb.config.load import load, load_cluster
from l7lb.director.exposition import MetricsServer
from l7lb.director.listeners import ListenChange
from l7lb.director.messages import Apply, Unlisten
from l7lb.director.parts import Parts
from l7lb.director.process import WorkerProcess
from l7lb.director.running import worker_count
from l7lb.director.shared_state import SharedState
from l7lb.errors import ConfigError, ControlError
from l7lb.model import ClusterSpec
from l7lb.net.certificates import CertificateStore

CONFIRM_S = 10.0
"""For the workers to say that they have taken the file."""


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload has done."""

    generation: int
    changes: list[Change]
    at_restart: list[str]
    """Changed keys that hold from the next start on."""
    unconfirmed: list[int]
    """Workers that have not said that they took the file."""

    def as_json(self) -> dict[str, object]:
        return {
            "generation": self.generation,
            "changes": [change_json(change) for change in self.changes],
            "at_restart": self.at_restart,
            "workers_unconfirmed": self.unconfirmed,
        }


def change_json(change: Change) -> dict[str, object]:
    return {
        "kind": str(change.kind),
        "what": str(change.what),
        "name": change.name,
        "details": list(change.details),
    }


class Reloader:
    """One reload at a time."""

    def __init__(self, parts: Parts, metrics: MetricsServer, shared: SharedState) -> None:
        self._parts = parts
        self._shared = shared
        self._metrics = metrics
        self._lock = asyncio.Lock()

    async def compare(self, path: str) -> list[Change]:
        """The running file against another. Raises ConfigError, ControlError."""
        new = await asyncio.to_thread(load_cluster, path)
        return diff(self._parts.running.spec, self._parts.store.in_effect(new))

    async def reload(self) -> Reloaded:
        """Read the file again. Raises ConfigError or ControlError with nothing changed."""
        async with self._lock:
            try:
                return await self._reload()
            except ConfigError as error:
                problems = [str(problem) for problem in error.problems]
                self._refused("the file has errors", problems=problems)
                raise
            except ControlError as error:
                self._refused(str(error))
                raise

    def _refused(self, reason: str, **fields: object) -> None:
        self._parts.events.emit("reload-refused", logging.ERROR, reason=reason, **fields)

    async def _reload(self) -> Reloaded:
        parts = self._parts
        running, listeners = parts.running, parts.listeners
        if parts.crew.stopping:
            raise ControlError("the director is stopping", 409)
        loaded = await asyncio.to_thread(load, parts.path)
        spec = parts.store.in_effect(loaded.spec)
        await asyncio.to_thread(check_certificates, spec)
        old = running.spec
        if parts.store.serves(spec) and old.store is None:
            old = replace(old, store=spec.store)  # begins now, and is not of the file
        indices = running.plan(spec)
        plan = await listeners.plan(spec)
        try:
            await self._move_metrics(spec)
        except ControlError:
            listeners.abort(plan)
            raise
        # The point of no return.
        running.take(spec, indices)
        self._adopt(listeners.commit(plan))
        parts.events.warn_of(loaded.warnings)
        unconfirmed = await parts.crew.confirm(running.generation, CONFIRM_S)
        done = Reloaded(
            running.generation,
            diff(old, spec),
            at_restart(old, spec),
            unconfirmed,
        )
        fields = done.as_json()
        fields["changes"] = [f"{each.what} {each.name} {each.kind}" for each in done.changes]
        level = logging.WARNING if unconfirmed else logging.INFO
        parts.events.emit("reloaded", level, **fields)
        return done

    async def _move_metrics(self, spec: ClusterSpec) -> None:
        try:
            await self._metrics.move(spec.director.metrics)
        except OSError as error:
            message = f"cannot listen on {spec.director.metrics} for metrics: {error}"
            raise ControlError(message, 409) from error

    def _adopt(self, change: ListenChange) -> None:
        """Tell everybody; never waits."""
        parts = self._parts
        running, spec = parts.running, parts.running.spec
        self._forget_left()
        parts.pins.reconcile(spec.pools)
        parts.store.reconcile(spec)
        parts.media.reconcile(spec)
        if parts.store.serves(spec) and not self._shared.is_started:
            self._shared.start(spec.store)
        self._shared.file_changed()
        parts.resolver.reconcile(spec.pools)
        parts.prober.reconcile(spec.pools)
        for (pool, server), endpoint in parts.resolver.endpoints().items():
            parts.prober.endpoint(pool, server, endpoint)
        updates = running.updates(parts.prober, parts.resolver)
        apply = Apply(running.generation, spec, running.indices, updates)
        for worker in parts.crew.workers():
            self._tell(worker, apply, change)
        parts.crew.loop = spec.director.loop
        parts.crew.resize(worker_count(spec), spec.director.drain_deadline_s)

    def _forget_left(self) -> None:
        """The administrator's words on servers that left the file."""
        try:
            self._parts.running.forget_left()
        except OSError as error:
            self._parts.events.emit("admin-state-not-saved", logging.ERROR, reason=str(error))

    def _tell(self, worker: WorkerProcess, apply: Apply, change: ListenChange) -> None:
        for spot in change.unlisten:
            worker.send(Unlisten(*spot))
        worker.apply(apply)
        for spot in change.listen:
            worker.listen(*spot, self._parts.listeners.socket(spot).fileno())


def check_certificates(spec: ClusterSpec) -> None:
    """Read every certificate as the workers will. Raises ControlError (422), which names the file.

    Blocks: for a thread.
    """
    for service in spec.services.values():
        for listen in service.listen:
            for tls in filter(None, (listen.tls, listen.starttls)):
                try:
                    CertificateStore(tls)
                except ValueError as error:
                    raise ControlError(f"service {service.name}: {error}", 422) from error


def at_restart(old: ClusterSpec, new: ClusterSpec) -> list[str]:
    """Changed keys that only a restart can make true."""
    keys = ("control", "state", "cookie_secret")
    found = [
        f"director.{key}"
        for key in keys
        if getattr(old.director, key) != getattr(new.director, key)
    ]
    return found + (["store"] if old.store != new.store else [])
