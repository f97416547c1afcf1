"""Which servers of a pool may be chosen now, and why not the others.

Pure: states in, a selection out. Health, the administrator's word and ejection come together here
and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from l7lb.model import Health
from l7lb.pool.server import Admin, Server


@dataclass(frozen=True, slots=True)
class Selection:
    """The outcome for one moment."""

    candidates: tuple[Server, ...] = ()
    """Servers that take new sessions."""
    spares: tuple[Server, ...] = ()
    """Healthy backups, for a request that has failed on every candidate."""
    is_panic: bool = False
    """Too few are healthy: health and ejection are ignored."""
    is_backup: bool = False
    """No other server is usable: the candidates are backups."""


def is_ready(server: Server) -> bool:
    """May the server take new sessions, as far as administrator and file are concerned?"""
    return (
        server.admin is Admin.READY
        and not server.removed
        and server.full_weight > 0
        and server.endpoint is not None
    )


def is_healthy(server: Server, now_s: float) -> bool:
    """UNKNOWN counts as healthy: we fail static."""
    return server.health is not Health.DOWN and server.ejected_until <= now_s


def select(servers: Sequence[Server], panic_threshold: float, now_s: float) -> Selection:
    """The servers to choose from.

    Healthy servers that are no backups; if none, healthy backups. Panic, that is everything that
    is ready, when the healthy ones are below the threshold, or when there is nobody else.
    """
    ready = [each for each in servers if is_ready(each)]
    primaries = tuple(each for each in ready if not each.spec.backup)
    backups = tuple(each for each in ready if each.spec.backup)
    healthy = tuple(each for each in primaries if is_healthy(each, now_s))
    spares = tuple(each for each in backups if is_healthy(each, now_s))
    if healthy and len(healthy) >= panic_threshold * len(primaries):
        return Selection(healthy, spares)
    if not healthy and spares:
        return Selection(spares, is_backup=True)
    if panic_threshold > 0 and ready:
        return Selection(primaries or backups, spares, is_panic=True, is_backup=not primaries)
    return Selection()


def keeps_clients(server: Server, *, is_panic: bool, now_s: float) -> bool:
    """May clients whose persistence points to the server stay with it?

    Weight 0 and drain keep them (drain until its deadline); disabled and removed do not.
    """
    if server.removed or server.endpoint is None or server.admin is Admin.DISABLED:
        return False
    if server.admin is Admin.DRAIN and now_s >= server.drain_until:
        return False
    return is_panic or is_healthy(server, now_s)


def objection(server: Server, now_s: float) -> str:
    """Why the server takes no new sessions, in words; empty when nothing is against it."""
    if server.removed:
        return "removed from the file"
    if server.admin is Admin.DISABLED:
        return "disabled by the administrator"
    if server.admin is Admin.DRAIN:
        left_s = server.drain_until - now_s
        return f"draining, {left_s:.0f} s left" if left_s > 0 else "drained"
    if server.full_weight <= 0:
        return "weight 0"
    if server.endpoint is None:
        return f"the name {server.spec.address.host} is not resolved yet"
    if server.health is Health.DOWN:
        return f"down since {now_s - server.health_since:.0f} s"
    if server.ejected_until > now_s:
        return f"ejected after errors, back in {server.ejected_until - now_s:.0f} s"
    return ""
