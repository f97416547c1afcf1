"""A real server as it is now: the live twin of `ServerSpec`, and the updates that change it.

Health, the administrator's word and ejection are separate; which servers may be chosen follows
from them in `membership`, never here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address

from l7lb.model import Address, Endpoint, Health, ServerSpec
from l7lb.pool.outlier import OutlierRecord
from l7lb.pool.slow_start import ramp
from l7lb.scheduling.peak_ewma import PeakEwma

AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10
"""Linux's numbers; this module must not import socket."""


class Admin(StrEnum):
    READY = "ready"
    DRAIN = "drain"
    """No new sessions; persistent clients keep the server until `drain_until`."""
    DISABLED = "disabled"
    """Nothing, at once."""


@dataclass(frozen=True, slots=True)
class ServerUpdate:
    """What has changed about one server; what is None stays as it is.

    Times are on the pool's clock. `weight` is the administrator's; -1 gives the file's back.
    `ejected_until` in the past, such as 0.0, ends an ejection.
    """

    name: str
    health: Health | None = None
    admin: Admin | None = None
    drain_until: float | None = None
    """None with `Admin.DRAIN`: the pool's `drain_deadline_s` from now."""
    weight: int | None = None
    endpoint: Endpoint | None = None
    ejected_until: float | None = None


class Server:
    """Live state of one server of one pool. Compared and hashed by identity."""

    __slots__ = (
        "admin",
        "cookie",
        "drain_until",
        "ejected_until",
        "endpoint",
        "full_weight",
        "health",
        "health_since",
        "idle",
        "index",
        "keeps",
        "latency",
        "max_connections",
        "name",
        "outlier",
        "ramp_since",
        "removed",
        "sessions",
        "spec",
        "taken",
        "weight",
        "weight_override",
    )

    def __init__(self, spec: ServerSpec, index: int, now_s: float) -> None:
        self.name = spec.name
        self.index = index
        """Its number in the counters, unique over all pools."""
        self.endpoint = literal_endpoint(spec.address)
        self.health = Health.UNKNOWN
        self.health_since = now_s
        self.admin = Admin.READY
        self.drain_until = 0.0
        self.ejected_until = 0.0
        self.weight_override = -1
        self.removed = False
        self.ramp_since: float | None = None
        """When slow start began; None: at full weight."""
        self.sessions = 0
        """Open slots of this worker."""
        self.taken = 0
        """Slots ever taken by this worker."""
        self.keeps = True
        """Persistent clients may stay; kept up to date by the pool."""
        self.cookie = b""
        """Set-Cookie value that pins a client here; kept up to date by the pool."""
        self.idle: object | None = None
        """Where whoever opens connections to this server keeps those that may be used again."""
        self.latency = PeakEwma()
        self.outlier = OutlierRecord()
        self.respecify(spec)

    def respecify(self, spec: ServerSpec) -> None:
        """Take a new specification of the same name and address; live state stays."""
        self.spec = spec
        self.max_connections = spec.max_connections
        self.full_weight = float(spec.weight)
        self.weight = self.full_weight

    def weigh(self, slow_start_s: float, now_s: float) -> None:
        """Work `full_weight` and the effective `weight` out."""
        override = self.weight_override
        self.full_weight = float(self.spec.weight if override < 0 else override)
        self.weight = self.full_weight
        if self.ramp_since is None:
            return
        share = ramp(now_s - self.ramp_since, slow_start_s)
        self.weight *= share
        if share >= 1.0:
            self.ramp_since = None

    def update(self, update: ServerUpdate, now_s: float, drain_deadline_s: float) -> None:
        """Change what `update` names. A server that comes back from outside starts slowly.

        Probes that succeed again end an ejection: they were made after what traffic complained of.
        """
        if update.health is not None and update.health is not self.health:
            if self.health is Health.DOWN and update.health is Health.UP:
                self.ramp_since = now_s
                self.ejected_until = 0.0
            self.health = update.health
            self.health_since = now_s
        if update.admin is not None and update.admin is not self.admin:
            if self.admin is Admin.DISABLED and update.admin is Admin.READY:
                self.ramp_since = now_s
            self.admin = update.admin
            self.drain_until = now_s + drain_deadline_s
        if update.drain_until is not None:
            self.drain_until = update.drain_until
        if update.weight is not None:
            self.weight_override = update.weight
        if update.endpoint is not None:
            self.endpoint = update.endpoint
        if update.ejected_until is not None:
            if self.ejected_until <= now_s < update.ejected_until:
                self.outlier.begin_ejection(update.ejected_until)
            self.ejected_until = update.ejected_until

    @property
    def is_enabled(self) -> bool:
        """Neither drained nor disabled."""
        return self.admin is Admin.READY

    def __repr__(self) -> str:
        return f"<Server {self.name} {self.admin} {self.health}>"


def literal_endpoint(address: Address) -> Endpoint | None:
    """The endpoint of a literal address; None for a DNS name, which a resolver must look up."""
    if address.host.startswith("unix:"):
        return AF_UNIX, address.host.removeprefix("unix:")
    if "%" in address.host:
        return None
    try:
        literal = ip_address(address.host)
    except ValueError:
        return None
    if literal.version == 4:
        return AF_INET, (address.host, address.port)
    return AF_INET6, (address.host, address.port, 0, 0)
