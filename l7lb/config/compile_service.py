"""Services and the director: from the schema to `ServiceSpec` and `DirectorSpec`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from l7lb.config import credentials
from l7lb.config.compile_pool import resolved
from l7lb.config.compile_route import Surroundings, match_spec, route_spec
from l7lb.config.schema_cluster import (
    AccessLogSection,
    Director,
    Http,
    Listen,
    ListenTlsSection,
    Service,
    TimeoutsSection,
)
from l7lb.config.scope import Scope
from l7lb.config.validate import Valid
from l7lb.model import (
    AccessLog,
    Certificate,
    DirectorSpec,
    KeyKind,
    ListenSpec,
    ListenTls,
    LogFormat,
    PoolSpec,
    RouteSpec,
    ServiceSpec,
    Timeouts,
)
from l7lb.model_http import HttpLimits, HttpOptions
from l7lb.routing.precedence import find_ties

FACTS: Mapping[str, frozenset[str]] = {"http": frozenset()}
"""By protocol: those of account and recipient that it knows."""
STANDARD_OUTPUT = "-"


def service_spec(
    name: str, valid: Valid[Service], pools: Collection[str], scope: Scope
) -> ServiceSpec:
    service = valid.section
    for key in ("listen", "routes"):
        if not getattr(service, key) and key not in valid.broken:
            scope.at(key).key_problem(f"the service has no {key}")
    timeouts = _timeouts(service.timeouts)
    around = Surroundings(pools, timeouts, service.http.encoded_slash, FACTS[service.protocol])
    return ServiceSpec(
        name=name,
        protocol=service.protocol,
        listen=tuple(
            _listen(listen, scope.at("listen", valid.position("listen", index)))
            for index, listen in enumerate(service.listen)
        ),
        routes=_routes(valid, around, scope.at("routes")),
        timeouts=timeouts,
        http=_http(service.http),
        access_log=_access_log(service.access_log, scope.at("access_log")),
        max_connections=service.max_connections,
        max_per_source=service.max_per_source,
    )


# --------------------------------------------------------------------------- routes


def _routes(valid: Valid[Service], around: Surroundings, scope: Scope) -> tuple[RouteSpec, ...]:
    scopes: dict[int, Scope] = {}
    specs = []
    sound = []
    for index, route in enumerate(valid.section.routes):
        spot = scope.at(valid.position("routes", index))
        before = len(scope.problems)
        match = match_spec(route, around, spot)
        is_sound = len(scope.problems) == before
        spec = route_spec(route, match, around, spot)
        scopes[id(spec)] = spot
        specs.append(spec)
        if is_sound:
            sound.append(spec)
    tied = set()
    for earlier, later in find_ties(sound):
        tied.add(id(later))
        scopes[id(later)].problem(
            f"this route and the one in {_line(earlier, later)} match exactly the same",
            "the later would never be taken",
        )
    _refuse_double_names([s for s in sound if id(s) not in tied], scopes)
    return tuple(specs)


def _refuse_double_names(specs: list[RouteSpec], scopes: Mapping[int, Scope]) -> None:
    by_name: dict[str, RouteSpec] = {}
    for spec in specs:
        first = by_name.setdefault(spec.name, spec)
        if first is not spec:
            scopes[id(spec)].at("name").problem(
                f"the name '{spec.name}' stands here and in {_line(first, spec)}",
                "one name, one route",
            )


def _line(spec: RouteSpec, beside: RouteSpec) -> str:
    """The line of a route, with the file when that is another."""
    same = spec.place.file == beside.place.file
    return f"line {spec.place.line}" if same else f"{spec.place.file} line {spec.place.line}"


def check_accounts(service: ServiceSpec, pools: Mapping[str, PoolSpec], scope: Scope) -> None:
    """A pool that hangs on the account is of no use to a protocol that knows none."""
    if "account" in FACTS[service.protocol]:
        return
    for route in service.routes:
        for name, _ in route.pools:
            pool = pools.get(name)
            if pool and _hangs_on_account(pool):
                message = f"pool '{name}' hangs on the account, which {service.protocol} has not"
                scope.problems.add(route.place, message)


def _hangs_on_account(pool: PoolSpec) -> bool:
    keys = (pool.scheduler.key, pool.persistence.key if pool.persistence else None)
    return any(key is not None and key.kind is KeyKind.ACCOUNT for key in keys)


# --------------------------------------------------------------------------- listeners


def _listen(listen: Listen, scope: Scope) -> ListenSpec:
    if listen.tls and listen.passthrough:
        scope.at("passthrough").key_problem("passthrough does not terminate TLS", "leave tls out")
    return ListenSpec(
        address=resolved(listen.address, scope.at("address")),
        tls=_listen_tls(listen.tls, scope.at("tls")) if listen.tls else None,
        passthrough=listen.passthrough,
        proxy_from=tuple(listen.proxy_from),
        backlog=listen.backlog,
    )


def _listen_tls(tls: ListenTlsSection, scope: Scope) -> ListenTls:
    certificates = []
    inner = scope.at("certificates")
    for index, given in enumerate(tls.certificates):
        spot = inner.at(index)
        chain = spot.at("chain").path(given.chain)
        key = spot.at("key").path(given.key) if given.key else None
        credentials.check_pair(spot.at("chain"), chain, key)
        certificates.append(Certificate(chain, key))
    client_ca = scope.at("client_ca").path(tls.client_ca) if tls.client_ca else None
    if client_ca:
        credentials.check_authorities(scope.at("client_ca"), client_ca)
    elif "client_required" in tls.model_fields_set:
        scope.at("client_required").key_problem("'client_required' means nothing without client_ca")
    if tls.ciphers is not None:
        credentials.check_ciphers(scope.at("ciphers"), tls.ciphers)
    return ListenTls(
        certificates=tuple(certificates),
        client_ca=client_ca,
        client_required=tls.client_required,
        minimum=tls.minimum,
        ciphers=tls.ciphers,
        alpn=tuple(tls.alpn),
    )


# --------------------------------------------------------------------------- the rest of a service


def _timeouts(given: TimeoutsSection) -> Timeouts:
    return Timeouts(**{f"{name}_s": value for name, value in given.model_dump().items()})


def _http(http: Http) -> HttpOptions:
    limits = http.limits
    return HttpOptions(
        limits=HttpLimits(limits.head, limits.fields, limits.body, limits.pipeline),
        forwarded=frozenset(http.forwarded),
        trusted_proxies=tuple(http.trusted_proxies),
        client_name_header=http.client_name_header.lower(),
        encoded_slash=http.encoded_slash,
        underscores=http.underscores,
    )


def _access_log(log: AccessLogSection, scope: Scope) -> AccessLog:
    path = log.path if log.path == STANDARD_OUTPUT else scope.at("path").path(log.path)
    return AccessLog(LogFormat(log.format), path)


def director_spec(director: Director, scope: Scope) -> DirectorSpec:
    spec = DirectorSpec(
        workers=director.workers,
        drain_deadline_s=director.drain_deadline,
        loop=director.loop,
    )
    if director.metrics:
        spec = replace(spec, metrics=resolved(director.metrics, scope.at("metrics")))
    if director.cookie_secret:
        spot = scope.at("cookie_secret")
        spec = replace(spec, cookie_secret=credentials.secret(spot, director.cookie_secret))
    if director.control:
        spec = replace(spec, control=scope.at("control").path(director.control))
    if director.state:
        spec = replace(spec, state=scope.at("state").path(director.state))
    return spec
