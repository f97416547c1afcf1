"""What a pool shows of itself: the view for status and monitor, and explanations for people.

Reads only: nothing here changes a state, nor counts as use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from l7lb.model import Health, PoolSpec
from l7lb.pool.budget import RetryBudget
from l7lb.pool.environment import PoolEnvironment
from l7lb.pool.membership import Selection, keeps_clients, objection
from l7lb.pool.pins import Pins
from l7lb.pool.queue import WaitingLine
from l7lb.pool.server import Admin, Server
from l7lb_protocols.facts import Facts


class Shown(Protocol):
    """A pool, as far as it is shown."""

    spec: PoolSpec
    servers: list[Server]
    selection: Selection
    budget: RetryBudget
    line: WaitingLine
    pins: Pins | None
    env: PoolEnvironment

    def is_full(self, server: Server) -> bool: ...
    def peek(self, key: bytes | None) -> Server | None: ...
    @property
    def takes_key(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Verdict:
    """One server, as far as one request is concerned."""

    server: str
    usable: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a request gets the server that it gets."""

    servers: tuple[Verdict, ...]
    persistence: str
    """What persistence says of this request."""
    scheduler: str
    """What the scheduler says, where persistence does not decide."""
    choice: str = ""
    """The server, when it is certain; else the scheduler's turn decides."""


def view(pool: Shown, now_s: float) -> dict[str, object]:
    """Figures of one pool in one worker; `active` is the sum over all workers."""
    selection, budget = pool.selection, pool.budget
    persistence = pool.spec.persistence
    return {
        "name": pool.spec.name,
        "scheduler": str(pool.spec.scheduler.kind),
        "persistence": None if persistence is None else str(persistence.kind),
        "panic": selection.is_panic,
        "backup": selection.is_backup,
        "usable": len(selection.candidates),
        "queue": pool.line.length,
        "requests_10s": budget.requests,
        "retries_10s": budget.retries,
        "retries_refused": budget.refused,
        "pins": 0 if pool.pins is None else len(pool.pins),
        "servers": [_view_server(pool, server, now_s) for server in pool.servers],
    }


def _view_server(pool: Shown, server: Server, now_s: float) -> dict[str, object]:
    latency_s = server.latency.value(now_s)
    return {
        "name": server.name,
        "address": str(server.spec.address),
        "endpoint": None if server.endpoint is None else _text(server.endpoint[1]),
        "state": state(server, now_s),
        "usable": server in pool.selection.candidates,
        "health": str(server.health),
        "health_age_s": round(now_s - server.health_since, 3),
        "admin": str(server.admin),
        "drain_left_s": _left(server.drain_until, now_s) if server.admin is Admin.DRAIN else 0.0,
        "ejected_for_s": _left(server.ejected_until, now_s),
        "backup": server.spec.backup,
        "weight": server.spec.weight,
        "weight_override": None if server.weight_override < 0 else server.weight_override,
        "effective_weight": round(server.weight, 3),
        "slow_start": server.ramp_since is not None,
        "active": pool.env.counters.active(server.index),
        "active_here": server.sessions,
        "max_connections": server.max_connections,
        "taken_here": server.taken,
        "errors_in_a_row": server.outlier.errors,
        "latency_s": round(latency_s, 6) if latency_s else None,
    }


def _text(address: object) -> str:
    if not isinstance(address, tuple):
        return str(address)
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _left(until_s: float, now_s: float) -> float:
    return round(max(0.0, until_s - now_s), 3)


def state(server: Server, now_s: float) -> str:
    """One word: what an administrator sees first. The administrator's own word leads."""
    if server.admin is Admin.DISABLED:
        return "disabled"
    if server.admin is Admin.DRAIN:
        return "draining" if server.drain_until > now_s else "drained"
    if server.ejected_until > now_s and server.health is not Health.DOWN:
        return "ejected"
    return str(server.health)


def explain(pool: Shown, facts: Facts, key: bytes | None, now_s: float) -> Explanation:
    """Every server with its verdict, what persistence says, and the choice where it is certain."""
    verdicts = tuple(_verdict(pool, server, now_s) for server in pool.servers)
    pinned, said = (None, "no persistence")
    if pool.pins is not None:
        pinned, said = pool.pins.explain(facts)
    if pinned is not None:
        if keeps_clients(pinned, is_panic=pool.selection.is_panic, now_s=now_s):
            full = ", which is full: the request waits" if pool.is_full(pinned) else ""
            return Explanation(verdicts, said + full, "not asked", pinned.name)
        said += f", but that is {objection(pinned, now_s)}"
    return Explanation(verdicts, said, *_scheduled(pool, key))


def _verdict(pool: Shown, server: Server, now_s: float) -> Verdict:
    selection = pool.selection
    against = objection(server, now_s)
    if server in selection.candidates:
        if pool.is_full(server):
            return Verdict(server.name, False, f"full: {server.max_connections} sessions")
        if against:
            return Verdict(server.name, True, f"{against}; used, as too few others are healthy")
        said = "backup in use: no other server is usable" if server.spec.backup else "usable"
        return Verdict(server.name, True, said)
    return Verdict(server.name, False, against or "backup: not needed")


def _scheduled(pool: Shown, key: bytes | None) -> tuple[str, str]:
    """What the scheduler would do, and its choice where asking changes nothing."""
    kind = pool.spec.scheduler.kind
    candidates = pool.selection.candidates
    if not candidates:
        return f"{kind}: no server is usable", ""
    if len(candidates) == 1:
        return f"{kind} has one server to choose from", candidates[0].name
    choice = pool.peek(key)
    if choice is not None:
        return f"{kind}: the key points to {choice.name}", choice.name
    if key is None and pool.takes_key:
        return f"{kind}: the request has no key, the least loaded server gets it", ""
    return f"{kind} chooses among {len(candidates)}", ""
