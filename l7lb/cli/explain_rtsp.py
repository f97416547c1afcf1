"""What would become of one RTSP request: listener, rules, servers, and how media may go.

Works on the rules file alone: which way of media works now, only a running director knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address

from l7lb.cli.explain_http import Answer, NotAskable, pool_shares, read_header
from l7lb.model import ClusterSpec, ListenSpec, PoolSpec, RouteSpec, ServiceSpec
from l7lb.routing.explain import explain
from l7lb.routing.table import RoutingTable
from l7lb_protocols.facts import PlainFacts
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.url import Target, read

PORTS = {"rtsp": 554, "rtspu": 554, "rtsps": 322}
METHOD = b"DESCRIBE"


@dataclass(frozen=True, slots=True)
class AskedRtsp:
    url: str
    headers: tuple[str, ...]
    source: str
    sni: str

    @property
    def scheme(self) -> str:
        return self.url.partition(":")[0].lower()

    @property
    def secure(self) -> bool:
        return self.scheme == "rtsps"


def answer_rtsp(cluster: ClusterSpec, asked: AskedRtsp, service_name: str, secret: bytes) -> Answer:
    """What the cluster does with it. Raises NotAskable."""
    if asked.scheme not in PORTS:
        raise NotAskable("the URL starts with neither rtsp:// nor rtsps://")
    refusal = ""
    target = Target(b"", b"", b"/", b"")
    try:
        target = read(asked.url.encode())
    except RtspRefusal as error:
        refusal = str(error)
    service, listen = choose_listener(cluster, asked, target, service_name)
    facts = facts_of(asked, target)
    if refusal:
        return Answer(service, listen, refusal, facts)
    trials = tuple(explain(RoutingTable(service.routes), facts))
    route = next((trial.route for trial in trials if trial.matched), None)
    if route is None:
        return Answer(service, listen, "", facts, trials)
    shares = tuple(pool_shares(cluster, route, facts, secret))
    return Answer(service, listen, "", facts, trials, route, media(cluster, route), shares)


def facts_of(asked: AskedRtsp, target: Target) -> PlainFacts:
    """Raises NotAskable."""
    headers = dict(read_header(text) for text in asked.headers)
    sni = asked.sni or (target.host.decode() if asked.secure and _is_name(target.host) else "")
    return PlainFacts(
        host=target.host,
        path=target.path,
        query=target.query,
        method=METHOD,
        source=asked.source,
        sni=sni.lower().encode(),
        headers={name.lower().encode(): value.encode() for name, value in headers.items()},
    )


def _is_name(host: bytes) -> bool:
    try:
        ip_address(host.decode().strip("[]"))
    except ValueError:
        return True
    return False


def choose_listener(
    cluster: ClusterSpec, asked: AskedRtsp, target: Target, service_name: str
) -> tuple[ServiceSpec, ListenSpec]:
    """By name, else by port and TLS; of several the first in the file."""
    listeners = [
        (service, listen)
        for service in cluster.services.values()
        if service.protocol == "rtsp" and service_name in {"", service.name}
        for listen in service.listen
    ]
    port = target.authority[len(target.host) :].lstrip(b":").decode()
    wanted = int(port) if port else PORTS[asked.scheme]
    fitting = [
        (service, listen)
        for service, listen in listeners
        if listen.address.port == wanted and (listen.tls is not None) == asked.secure
    ]
    if fitting or (service_name and listeners):
        return (fitting or listeners)[0]
    known = ", ".join(f"{service.name} on {listen.address}" for service, listen in listeners)
    raise NotAskable(
        f"nothing listens for {asked.scheme} on port {wanted}; "
        f"listeners are: {known or 'none'}; --service chooses one"
    )


# --------------------------------------------------------------------------- media


def media(cluster: ClusterSpec, route: RouteSpec) -> tuple[str, ...]:
    """How media over UDP may go, a clause for each pool."""
    return tuple(_media(cluster.pools[name]) for name, _ in route.pools)


def _media(pool: PoolSpec) -> str:
    modes = [mode.value for mode in pool.media.modes]
    if not modes:
        return f"media of pool {pool.name} over TCP only: UDP is refused with 461"
    lacking = [server.name for server in pool.servers if server.media_ports is None]
    words = f"media of pool {pool.name} over UDP by the first that works of {', '.join(modes)}"
    if lacking and {"direct", "nat"} & set(modes):
        words += f" (no media_ports, so neither direct nor nat: {', '.join(lacking)})"
    return words
