"""The state of the whole director as JSON: the supervisor's own knowledge, the shared counters,
and what each worker says. A worker that does not answer in time is shown as unknown, never as good.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping

import l7lb
from l7lb.director.events import rfc3339
from l7lb.director.messages import StatusReply
from l7lb.director.metrics import ServerFigures, Snapshot, WorkerFigures, render
from l7lb.director.parts import Parts
from l7lb.director.process import WorkerProcess
from l7lb.director.shared_state import SharedState
from l7lb.model import ClusterSpec, Health, PoolSpec, ServerSpec, ServiceSpec
from l7lb.pool import cells
from l7lb.pool.server import Admin

ANSWER_S = 1.0
"""Workers that have not answered by then are unknown."""
CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")

Json = dict[str, object]
Replies = Mapping[int, StatusReply | None]


class StatusDesk:
    """Answers `status`, `health` and `metrics`."""

    def __init__(self, parts: Parts, shared: SharedState) -> None:
        self._parts = parts
        self._shared = shared
        self._started_s = time.time()

    @property
    def spec(self) -> ClusterSpec:
        """The running file."""
        return self._parts.running.spec

    def _store(self) -> Json | None:
        view, embedded = self._shared.view(), self._parts.store.view()
        return view if view is None or embedded is None else view | {"embedded": embedded}

    async def status(self) -> Json:
        """Everything. Takes up to a second when a worker does not answer."""
        replies = await self._parts.crew.ask(ANSWER_S)
        parts = self._parts
        running = parts.running
        probes = parts.prober.view()
        figures = running.figures(parts.prober.verdicts())
        return {
            "version": l7lb.__version__,
            "pid": os.getpid(),
            "time": rfc3339(time.time()),
            "state": "stopping" if parts.crew.stopping else "running",
            "up_s": _age(self._started_s),
            "file": str(parts.path),
            "generation": running.generation,
            "generation_age_s": _age(running.loaded_s),
            "worker_restarts": parts.crew.restarts,
            "store": self._store(),
            "media": parts.media.view(running.spec),
            "workers": [self._worker(slot, replies[slot]) for slot in sorted(replies)],
            "workers_unknown": [slot for slot, reply in replies.items() if reply is None],
            "services": [self._service(each, replies) for each in running.spec.services.values()],
            "pools": [
                _pool(pool, replies)
                | {
                    "servers": [
                        self._server(pool, server, figures[pool.name, server.name], probes)
                        for server in pool.servers
                    ]
                }
                for pool in running.spec.pools.values()
            ],
        }

    def health(self) -> Json:
        """What the probes and the resolver know."""
        return {"probes": self._parts.prober.view(), "names": self._parts.resolver.view()}

    async def metrics(self) -> bytes:
        """The text for Prometheus."""
        replies = await self._parts.crew.ask(ANSWER_S)
        running = self._parts.running
        snapshot = Snapshot(
            indices=running.indices,
            servers=running.figures(self._parts.prober.verdicts()),
            workers=self._worker_figures(replies),
            generation=running.generation,
            loaded_s=running.loaded_s,
        )
        return await asyncio.to_thread(render, running.counters, snapshot)

    def _worker_figures(self, replies: Replies) -> WorkerFigures:
        spec = self._parts.running.spec
        return WorkerFigures(
            started=len(self._parts.crew.workers()),
            answered=sum(reply is not None for reply in replies.values()),
            restarts=self._parts.crew.restarts,
            queued={name: _sum(replies, "pools", name, "queue") for name in spec.pools},
            log_lines_dropped={
                name: _sum(replies, "services", name, "log_lines_dropped") for name in spec.services
            },
        )

    # ------------------------------------------------------------------ rows

    def _worker(self, slot: int, reply: StatusReply | None) -> Json:
        process = next((each for each in self._parts.crew.workers() if each.slot == slot), None)
        row: Json = {"worker": slot, "stage": "missing", "answered": reply is not None}
        if process is not None:
            row |= _process(process)
        if reply is not None:
            row["connections"] = reply.status.get("connections")
            row["idle_server_connections"] = reply.status.get("idle")
            if "mail" in reply.status:
                row["mail"] = reply.status["mail"]
            if "media" in reply.status:
                row["media"] = reply.status["media"]
        return row

    def _service(self, spec: ServiceSpec, replies: Replies) -> Json:
        running, listeners = self._parts.running, self._parts.listeners
        row = running.counters.service_cells(running.indices.services[spec.name])
        known = set(listeners.spots())
        return {
            "name": spec.name,
            "protocol": spec.protocol,
            "listen": [
                {
                    "address": str(listen.address),
                    "bound": listeners.bound(spot) if spot in known else None,
                    "tls": listen.tls is not None,
                }
                for position, listen in enumerate(spec.listen)
                for spot in [(spec.name, position)]
            ],
            "connections": row[cells.ACTIVE],
            "connections_total": row[cells.CONNECTS],
            "refused": row[cells.REFUSED],
            "log_lines_dropped": _sum(replies, "services", spec.name, "log_lines_dropped"),
        } | _traffic(row)

    def _server(
        self,
        pool: PoolSpec,
        spec: ServerSpec,
        figures: ServerFigures,
        probes: Mapping[str, Mapping[str, Json]],
    ) -> Json:
        running = self._parts.running
        key = (pool.name, spec.name)
        entry = running.admin.get(key)
        drain_left_s = max(0.0, round(entry.drain_until_s - time.time(), 1))
        row = running.counters.server_cells(running.indices.servers[key])
        ejected_s = running.ejected.get(key, 0.0) - running.clock.now()
        return {
            "name": spec.name,
            "address": str(spec.address),
            "state": _state(figures, drain_left_s),
            "health": str(figures.health),
            "check": probes.get(pool.name, {}).get(spec.name, {}),
            "admin": str(figures.admin),
            "admin_age_s": _age(entry.since_s) if entry.since_s else None,
            "drain_left_s": drain_left_s,
            "ejected_for_s": max(0.0, round(ejected_s, 1)),
            "backup": spec.backup,
            "weight": figures.weight,
            "weight_in_file": spec.weight,
            "active": row[cells.ACTIVE],
            "connects": row[cells.CONNECTS],
            "connect_failures": row[cells.CONNECT_FAILURES],
            "resets": row[cells.RESETS],
            "timeouts": row[cells.TIMEOUTS],
            "retries": row[cells.RETRIES],
            "first_byte_mean_s": _mean(row, cells.FIRST_BYTE_SUM_US, cells.FIRST_BYTE_TIMES),
        } | _traffic(row)


def _pool(spec: PoolSpec, replies: Replies) -> Json:
    persistence = spec.persistence
    views = _views(replies, "pools", spec.name)
    return {
        "name": spec.name,
        "scheduler": str(spec.scheduler.kind),
        "persistence": None if persistence is None else str(persistence.kind),
        "queue": _sum(replies, "pools", spec.name, "queue"),
        "panic": any(view.get("panic") for view in views),
        "backup_in_use": any(view.get("backup") for view in views),
    }


def _process(process: WorkerProcess) -> Json:
    loop = asyncio.get_running_loop()
    return {
        "stage": str(process.stage),
        "pid": process.pid,
        "generation": process.generation,
        "refusal": process.refusal,
        "up_s": round(loop.time() - process.started_s, 1),
        "heard_age_s": round(loop.time() - process.heard_s, 3),
    }


def _traffic(row: list[int]) -> Json:
    responses = row[cells.RESPONSES : cells.RESPONSES + cells.FAMILIES]
    return {
        "requests": sum(responses),
        "responses": dict(zip(CLASSES, responses, strict=True)),
        "bytes_in": row[cells.BYTES_IN],
        "bytes_out": row[cells.BYTES_OUT],
        "request_mean_s": _mean(row, cells.TOTAL_SUM_US, cells.TOTAL_TIMES),
    }


def _mean(row: list[int], sum_at: int, times_at: int) -> float | None:
    count = sum(row[times_at : times_at + cells.BUCKETS])
    return round(row[sum_at] / count / 1e6, 6) if count else None


def _state(figures: ServerFigures, drain_left_s: float) -> str:
    """One word; the administrator's own leads."""
    if figures.admin is Admin.DISABLED:
        return "disabled"
    if figures.admin is Admin.DRAIN:
        return "draining" if drain_left_s else "drained"
    if figures.ejected and figures.health is not Health.DOWN:
        return "ejected"
    return str(figures.health)


def _views(replies: Replies, kind: str, name: str) -> list[Json]:
    """The part of each answer that is about one service or pool."""
    found = []
    for reply in replies.values():
        part = reply.status.get(kind) if reply is not None else None
        view = part.get(name) if isinstance(part, dict) else None
        if isinstance(view, dict):
            found.append(view)
    return found


def _sum(replies: Replies, kind: str, name: str, figure: str) -> int:
    values = [view.get(figure) for view in _views(replies, kind, name)]
    return sum(value for value in values if isinstance(value, int))


def _age(since_s: float) -> float:
    return round(time.time() - since_s, 1)
