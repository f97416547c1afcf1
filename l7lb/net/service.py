"""A virtual service as one worker runs it: the compiled rules, ready to be asked.

Built whole from a specification and swapped whole on reload; sessions that are open keep going and
ask the new one at their next request. No sockets here.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import partial
from hashlib import blake2b

from l7lb.model import RouteSpec, ServiceSpec, Timeouts
from l7lb.model_failures import RetrySpec
from l7lb.model_http import HeaderEdits
from l7lb.net.access_log import AccessLog
from l7lb.net.plug import HTTP, Plug
from l7lb.pool.pool import Pool
from l7lb.routing import edits
from l7lb.routing.captures import captures
from l7lb.routing.table import RoutingTable
from l7lb.routing.templates import expand, expand_path
from l7lb_protocols.facts import Facts
from l7lb_protocols.http.answer import HttpSettings
from l7lb_protocols.http.forwarded import ForwardPolicy, RequestIds
from l7lb_protocols.http.scanner import RequestScanner, ResponseScanner
from l7lb_protocols.wire import (
    PHASE_BETWEEN,
    PHASE_BODY,
    PHASE_CONNECT,
    PHASE_FIRST_BYTE,
    PHASE_HEAD,
    PHASE_KEEP_ALIVE,
    PHASE_NONE,
    PHASE_QUEUE,
    PHASE_SEND,
    PHASE_TLS,
    PHASE_TUNNEL,
    Decision,
    Fields,
)

FOREVER_S = 10.0 * 365 * 86400
NO_ROUTE = Decision()
NO_ROUTE.reply = (404, [], b"")
BAD_HOST: tuple[int, Fields, bytes] = (400, [], b"")
"""What the client sent makes a host that is none."""
AUTHORITY = re.compile(rb"(?:(?!\.)[A-Za-z0-9_.-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
"""Name or address with perhaps a port (RFC 3986 §3.2.2)."""


def phase_limits(timeouts: Timeouts, queue_s: float) -> tuple[float, ...]:
    """Seconds by phase number of `l7lb_protocols.wire`."""
    limits = {
        PHASE_NONE: FOREVER_S,
        PHASE_HEAD: timeouts.head_s,
        PHASE_BODY: timeouts.body_idle_s,
        PHASE_CONNECT: timeouts.connect_s,
        PHASE_FIRST_BYTE: timeouts.first_byte_s,
        PHASE_BETWEEN: timeouts.between_bytes_s,
        PHASE_KEEP_ALIVE: timeouts.keep_alive_s,
        PHASE_TUNNEL: timeouts.tunnel_idle_s,
        PHASE_SEND: timeouts.send_idle_s,
        PHASE_QUEUE: queue_s,
        PHASE_TLS: timeouts.tls_handshake_s,
    }
    return tuple(limits[phase] for phase in range(len(limits)))


class RoutePlan:
    """One route with its pools at hand and its answer made beforehand where it can be."""

    def __init__(self, route: RouteSpec, service: ServiceSpec, pools: Mapping[str, Pool]) -> None:
        self.route = route
        self.pools = [(pools[name], share) for name, share in route.pools]
        self.shares = sum(share for _, share in self.pools)
        self.pool = self.pools[0][0] if len(self.pools) == 1 else None
        self.mirror = pools[route.mirror] if route.mirror else None
        timeouts = route.timeouts or service.timeouts
        queue_s = max((pool.spec.queue_timeout_s for pool, _ in self.pools), default=FOREVER_S)
        self.limits = phase_limits(timeouts, queue_s)
        self.server_idle_s = timeouts.server_idle_s
        self.retry: RetrySpec | None = route.retry
        self.edit_request = _edit(route.request_headers)
        self.edit_response = _edit(route.response_headers)
        self.fixed: Decision | None = None
        rewrites = route.rewrite_path is not None or route.rewrite_host is not None
        if route.redirect is None and route.mirror is None and not rewrites:
            self.fixed = self._plain()

    def decide(self, facts: Facts, random: Callable[[], float]) -> Decision:
        if self.fixed is not None:
            return self.fixed
        route = self.route
        decision = self._plain()
        found = captures(route, facts)
        if route.redirect is not None:
            location = expand(route.redirect.to, found, facts)
            decision.reply = (route.redirect.status, [(b"Location", location)], b"")
        if route.rewrite_path is not None:
            decision.path = expand_path(route.rewrite_path, found, facts)
        if route.rewrite_host is not None:
            decision.host = expand(route.rewrite_host, found, facts)
            if not is_authority(decision.host):
                decision.reply = BAD_HOST
        decision.mirror = self.mirror is not None and random() < route.mirror_share
        return decision

    def choose(self, random: Callable[[], float]) -> Pool:
        """By share when there are several."""
        if self.pool is not None:
            return self.pool
        point = random() * self.shares
        for pool, share in self.pools:
            point -= share
            if point < 0:
                return pool
        return self.pools[-1][0]

    def choose_for(self, account: bytes) -> Pool:
        """By share, and always the same for one account."""
        return self.choose(partial(fraction, account))

    def _plain(self) -> Decision:
        route = self.route
        decision = Decision()
        decision.edit_request = self.edit_request
        decision.edit_response = self.edit_response
        decision.allow_connect = route.allow_connect
        if route.reply is not None:
            decision.reply = (route.reply.status, list(route.reply.headers), route.reply.body)
        return decision


def fraction(key: bytes) -> float:
    """Evenly from [0, 1), and always the same for one key."""
    return int.from_bytes(blake2b(key, digest_size=7).digest(), "big") / (1 << 56)


def is_authority(text: bytes) -> bool:
    """Whether it may stand in a Host field."""
    return AUTHORITY.fullmatch(text) is not None and b".." not in text


def _edit(wanted: HeaderEdits) -> Callable[[Fields], Fields] | None:
    return partial(edits.apply, edits=wanted) if wanted else None


class Latest:
    """Holds the service of one name that a reload has put in place last. All of that name share
    it, so a connection finds the newest without keeping those between alive."""

    def __init__(self, service: Service) -> None:
        self.service = service

    def become(self, service: Service) -> None:
        """From now on this one."""
        service.latest = self
        self.service = service


class Service:
    """`number` is the service's place in the shared counters."""

    def __init__(
        self,
        spec: ServiceSpec,
        number: int,
        pools: Mapping[str, Pool],
        log: AccessLog | None,
        request_ids: RequestIds,
        plug: Plug = HTTP,
    ) -> None:
        self.spec = spec
        self.plug = plug
        self.port = plug.port
        self.name = spec.name
        self.number = number
        self.log = log
        self.table = RoutingTable(spec.routes)
        self.plans = [RoutePlan(route, spec, pools) for route in spec.routes]
        """In the order of the file, as `table.find` counts them."""
        self.latest = Latest(self)
        self.limits = phase_limits(spec.timeouts, FOREVER_S)
        self.settings = http_settings(spec, request_ids)


def http_settings(spec: ServiceSpec, request_ids: RequestIds) -> HttpSettings:
    options = spec.http
    limits = options.limits
    requests = RequestScanner(
        limits.head_bytes,
        limits.fields,
        options.encoded_slash,
        options.underscores,
        options.client_name_header.lower(),
    )
    policy = ForwardPolicy(
        fields=options.forwarded,
        trusted=tuple(ipaddress.ip_network(text) for text in options.trusted_proxies),
        client_name=options.client_name_header,
        request_ids=request_ids,
    )
    return HttpSettings(
        requests, ResponseScanner(), policy, limits.body_bytes, limits.pipeline_bytes
    )
