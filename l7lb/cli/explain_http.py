"""What would become of one HTTP request: listener, rules, action, servers.

Reads the head with the scanner of the data path, so that normalisation and refusals are the real
ones. Works on the rules file alone: no running director is asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address

from l7lb.model import ClusterSpec, ListenSpec, PoolSpec, RouteSpec, ServiceSpec
from l7lb.model_http import HeaderEdits
from l7lb.net.service import http_settings
from l7lb.pool.environment import PoolEnvironment
from l7lb.pool.pool import Pool
from l7lb.pool.report import Explanation
from l7lb.pool.server import AF_INET, ServerUpdate
from l7lb.ports import LocalCounters, SystemClock
from l7lb.routing.captures import captures
from l7lb.routing.explain import Trial, explain
from l7lb.routing.matchers import shown
from l7lb.routing.table import RoutingTable
from l7lb.routing.templates import expand, expand_path
from l7lb_protocols.facts import Facts, PlainFacts
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.forwarded import ClientInfo, Forwarding, RequestIds

PORTS = {"http": 80, "https": 443}


class NotAskable(Exception):
    """The question itself is wrong; the message says how."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The request, as the user gives it."""

    method: str
    scheme: str
    host: str
    port: int
    target: str
    headers: tuple[tuple[str, str], ...]
    source: str
    sni: str

    @property
    def secure(self) -> bool:
        return self.scheme == "https"

    @property
    def authority(self) -> str:
        return self.host if self.port == PORTS[self.scheme] else f"{self.host}:{self.port}"

    def head(self) -> bytes:
        """The request as a client would send it. A Host header given by hand is the only one."""
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        if all(name.lower() != "host" for name, _ in self.headers):
            lines.append(f"Host: {self.authority}")
        lines += (f"{name}: {value}" for name, value in self.headers)
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class PoolShare:
    """A pool that may get the request."""

    pool: str
    percent: float
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything that is known. `route` is None when no rule matches or the head is refused."""

    service: ServiceSpec
    listen: ListenSpec
    refusal: str
    facts: Facts
    trials: tuple[Trial, ...] = ()
    route: RouteSpec | None = None
    actions: tuple[str, ...] = ()
    pools: tuple[PoolShare, ...] = ()
    question: str = ""
    """In words, where it is no HTTP request."""
    notes: tuple[str, ...] = ()
    """What else was learnt, each a line."""


# --------------------------------------------------------------------------- the question


def read_url(url: str) -> tuple[str, str, int, str]:
    """Scheme, host (IPv6 in brackets), port and request target. Raises NotAskable."""
    if not url.isprintable() or " " in url:
        raise NotAskable("the URL has a blank or a control character")
    scheme, found, rest = url.partition("://")
    scheme = scheme.lower()
    if not found or scheme not in PORTS:
        raise NotAskable("the URL starts with neither http:// nor https://")
    rest = rest.partition("#")[0]
    at = min((i for i in (rest.find("/"), rest.find("?")) if i >= 0), default=len(rest))
    authority, target = rest[:at], rest[at:]
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, str(PORTS[scheme])
    if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise NotAskable(f"{authority!r} is not HOST or HOST:PORT")
    return scheme, host, int(port), target if target.startswith("/") else f"/{target}"


def read_header(text: str) -> tuple[str, str]:
    """Name and value of `Name: value`. Raises NotAskable."""
    name, colon, value = text.partition(":")
    if not name or not colon or any(ord(c) < 32 and c != "\t" for c in text):
        raise NotAskable(f"{text!r} is not 'Name: value'")
    return name, value.strip(" \t")


# --------------------------------------------------------------------------- the answer


def answer(cluster: ClusterSpec, asked: Asked, service_name: str, secret: bytes) -> Answer:
    """What the cluster does with the request. Raises NotAskable when nothing listens for it."""
    service, listen = choose_listener(cluster, asked, service_name)
    facts, refusal = learn(service, listen, asked)
    if refusal:
        return Answer(service, listen, refusal, facts)
    trials = tuple(explain(RoutingTable(service.routes), facts))
    route = next((trial.route for trial in trials if trial.matched), None)
    if route is None:
        return Answer(service, listen, "", facts, trials)
    pools = tuple(pool_shares(cluster, route, facts, secret))
    return Answer(service, listen, "", facts, trials, route, tuple(actions(route, facts)), pools)


def choose_listener(
    cluster: ClusterSpec, asked: Asked, service_name: str
) -> tuple[ServiceSpec, ListenSpec]:
    """By scheme, port and address; of several, the first in the file."""
    if service_name and service_name not in cluster.services:
        raise NotAskable(f"there is no service {service_name}")
    listeners = [
        (service, listen)
        for service in cluster.services.values()
        if service.protocol == "http" and service_name in {"", service.name}
        for listen in service.listen
    ]
    fitting = [pair for pair in listeners if _fitness(pair[1], asked) > 0]
    if fitting:
        return max(fitting, key=lambda pair: _fitness(pair[1], asked))
    same = [pair for pair in listeners if _is_secure(pair[1]) == asked.secure] or listeners
    if service_name and same:
        return same[0]
    known = ", ".join(f"{service.name} on {listen.address}" for service, listen in listeners)
    raise NotAskable(
        f"nothing listens for {asked.scheme} on port {asked.port}; "
        f"listeners are: {known or 'none'}; --service chooses one"
    )


def _is_secure(listen: ListenSpec) -> bool:
    return listen.tls is not None or listen.passthrough


def _fitness(listen: ListenSpec, asked: Asked) -> int:
    """2: the very address; 1: every address or another; 0: wrong port or scheme."""
    if listen.address.port != asked.port or _is_secure(listen) != asked.secure:
        return 0
    return 2 if listen.address.host == asked.host.strip("[]") else 1


def learn(service: ServiceSpec, listen: ListenSpec, asked: Asked) -> tuple[Facts, str]:
    """The facts, or why the head would be refused."""
    sni = _sni(asked)
    if listen.passthrough:
        return PlainFacts(host=sni, sni=sni, source=asked.source), ""
    settings = http_settings(service, RequestIds(b"explain"))
    head = settings.requests
    head.source, head.sni = asked.source, sni
    data = asked.head()
    try:
        if head.scan(data) != len(data):
            return head, "the head is not whole"
    except HttpRefusal as refusal:
        return head, str(refusal)
    client = ClientInfo(asked.source, asked.secure, sni)
    head.source = Forwarding(settings.policy, client).source(head)
    return head, ""


def _sni(asked: Asked) -> bytes:
    """What a client would send: the host of the URL, unless that is an address (RFC 6066 §3)."""
    if asked.sni or not asked.secure:
        return asked.sni.lower().encode()
    try:
        ip_address(asked.host.strip("[]"))
    except ValueError:
        return asked.host.lower().encode()
    return b""


# --------------------------------------------------------------------------- the action


def actions(route: RouteSpec, facts: Facts) -> Iterator[str]:
    """What the route does, one clause each."""
    found = captures(route, facts)
    if facts.method == b"CONNECT" and not route.allow_connect:
        yield "refuse CONNECT: the rule does not allow it"
    if route.redirect is not None:
        location = shown(expand(route.redirect.to, found, facts))
        yield f"redirect with {route.redirect.status} to {location}"
    if route.reply is not None:
        yield f"answer {route.reply.status} with {len(route.reply.body)} bytes"
    if route.rewrite_path is not None:
        yield f"send the path as {shown(expand_path(route.rewrite_path, found, facts))}"
    if route.rewrite_host is not None:
        yield f"send the host as {shown(route.rewrite_host)}"
    yield from _edits("request", route.request_headers)
    yield from _edits("response", route.response_headers)
    if route.mirror is not None:
        yield f"copy {route.mirror_share:.0%} of requests to pool {route.mirror}"


def _edits(what: str, edits: HeaderEdits) -> Iterator[str]:
    for name in edits.remove:
        yield f"remove {what} header {shown(name)}"
    for name, value in edits.set:
        yield f"set {what} header {shown(name)}: {shown(value)}"
    for name, value in edits.add:
        yield f"add {what} header {shown(name)}: {shown(value)}"


def pool_shares(
    cluster: ClusterSpec, route: RouteSpec, facts: Facts, secret: bytes
) -> Iterator[PoolShare]:
    """Each pool of the route, as it is when a director starts: all servers believed healthy."""
    total = sum(share for _, share in route.pools)
    for name, share in route.pools:
        pool = fresh_pool(cluster.pools[name], secret)
        yield PoolShare(name, 100.0 * share / total if total else 0.0, pool.explain(facts))


def fresh_pool(spec: PoolSpec, secret: bytes) -> Pool:
    """DNS names are not looked up, but taken for resolved."""
    indices = {server.name: n for n, server in enumerate(spec.servers)}
    env = PoolEnvironment(SystemClock(), LocalCounters(), lambda: 0.0, secret)
    pool = Pool(spec, indices, env)
    for server in pool.servers:
        if server.endpoint is None:
            address = server.spec.address
            pool.apply(ServerUpdate(server.name, endpoint=(AF_INET, (address.host, address.port))))
    return pool
