"""Services and the director: from the schema to `ServiceSpec` and `DirectorSpec`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace

from l7lb.config import compile_mail, compile_media, credentials
from l7lb.config.compile_pool import resolved
from l7lb.config.compile_route import Surroundings, match_spec, route_spec
from l7lb.config.schema_cluster import (
    Director,
    Http,
    Listen,
    ListenTlsSection,
    Service,
)
from l7lb.config.schema_route import Route
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
    PersistenceKind,
    PoolSpec,
    RouteSpec,
    ServiceSpec,
    Timeouts,
)
from l7lb.model_http import HttpLimits, HttpOptions
from l7lb.model_mail import MAIL_PROTOCOLS
from l7lb.routing.precedence import find_ties

STANDARD_OUTPUT = "-"
OPTIONS: Mapping[str, tuple[str, ...]] = {
    "http": ("http",),
    "login": MAIL_PROTOCOLS,
    "smtp": ("smtp",),
    "rtsp": ("rtsp",),
}
"""Protocols by the section that is theirs."""
OF_HTTP: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(MAIL_PROTOCOLS, compile_mail.OF_HTTP),
    "rtsp": compile_media.OF_HTTP,
}
"""Keys of a route that mean nothing with a protocol."""


def service_spec(
    name: str, valid: Valid[Service], pools: Collection[str], scope: Scope
) -> ServiceSpec:
    service = valid.section
    for key in ("listen", "routes"):
        if not getattr(service, key) and key not in valid.broken:
            scope.at(key).key_problem(f"the service has no {key}")
    _refuse_options_of_others(service, scope)
    timeouts = _timeouts(service, scope.at("timeouts"))
    around = _surroundings(service, pools, timeouts)
    return ServiceSpec(
        name=name,
        protocol=service.protocol,
        listen=tuple(
            _listen(listen, service.protocol, scope.at("listen", valid.position("listen", index)))
            for index, listen in enumerate(service.listen)
        ),
        routes=_routes(valid, around, scope.at("routes")),
        timeouts=timeouts,
        http=_http(service.http),
        login=compile_mail.login_options(service.login, scope.at("login")),
        smtp=compile_mail.smtp_options(service.smtp, scope.at("smtp")),
        rtsp=compile_media.rtsp_options(service.rtsp, scope.at("rtsp")),
        access_log=_access_log(service, scope.at("access_log")),
        max_connections=service.max_connections,
        max_per_source=service.max_per_source,
    )


def _refuse_options_of_others(service: Service, scope: Scope) -> None:
    for key, protocols in OPTIONS.items():
        if key in service.model_fields_set and service.protocol not in protocols:
            hint = f"it goes with {', '.join(protocols)}"
            scope.at(key).key_problem(f"'{key}' means nothing with {service.protocol}", hint)


# --------------------------------------------------------------------------- routes


def _surroundings(service: Service, pools: Collection[str], timeouts: Timeouts) -> Surroundings:
    protocol = service.protocol
    around = Surroundings(
        pools, timeouts, service.http.encoded_slash, compile_mail.facts(protocol, service.smtp.auth)
    )
    return around if protocol == "http" else replace(around, actions=("pool",))


def _routes(valid: Valid[Service], around: Surroundings, scope: Scope) -> tuple[RouteSpec, ...]:
    protocol = valid.section.protocol
    scopes: dict[int, Scope] = {}
    specs = []
    sound = []
    for index, route in enumerate(valid.section.routes):
        spot = scope.at(valid.position("routes", index))
        before = len(scope.problems)
        if _refuse_http(route, protocol, spot):
            continue
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


def _refuse_http(route: Route, protocol: str, scope: Scope) -> bool:
    """Note what only HTTP knows; False: nothing."""
    given = [key for key in OF_HTTP.get(protocol, ()) if key in route.model_fields_set]
    for key in given:
        scope.at(key).key_problem(f"'{key}' means nothing with {protocol}")
    return bool(given)


def check_pools(service: ServiceSpec, pools: Mapping[str, PoolSpec], scope: Scope) -> None:
    """A pool must be of use to the protocols of the services that use it."""
    if service.protocol == "http":
        _check_http_pools(service, pools, scope)
        return
    seen: set[str] = set()
    for route in service.routes:
        for name in (name for name, _ in route.pools if name not in seen and name in pools):
            seen.add(name)
            for message, hint in _faults(service, pools[name]):
                scope.problems.add(route.place, message, hint)


def _faults(service: ServiceSpec, pool: PoolSpec) -> Iterator[tuple[str, str]]:
    if service.protocol in MAIL_PROTOCOLS:
        return compile_mail.pool_faults(service, pool)
    return (
        (f"pool '{pool.name}' {fault}", hint) for fault, hint in compile_media.pool_faults(pool)
    )


def _check_http_pools(service: ServiceSpec, pools: Mapping[str, PoolSpec], scope: Scope) -> None:
    for route in service.routes:
        for name in [name for name, _ in route.pools] + ([route.mirror] if route.mirror else []):
            for fault in _faults_for_http(pools[name]) if name in pools else ():
                scope.problems.add(route.place, f"pool '{name}' {fault}, which http has not")


def _faults_for_http(pool: PoolSpec) -> Iterator[str]:
    if _hangs_on_account(pool):
        yield "hangs on the account"
    if pool.persistence and pool.persistence.kind is PersistenceKind.PUBLISHED:
        yield "has persistence by publisher"
    if compile_media.is_media(pool):
        yield "has media"
    if pool.login:
        yield "has a login"
    if pool.tls and pool.tls.starttls:
        yield "begins TLS by STARTTLS"


def _hangs_on_account(pool: PoolSpec) -> bool:
    keys = (pool.scheduler.key, pool.persistence.key if pool.persistence else None)
    return any(key is not None and key.kind is KeyKind.ACCOUNT for key in keys)


# --------------------------------------------------------------------------- listeners


def _listen(listen: Listen, protocol: str, scope: Scope) -> ListenSpec:
    if listen.passthrough and protocol != "http":
        scope.at("passthrough").key_problem(f"passthrough means nothing with {protocol}")
    elif listen.tls and listen.passthrough:
        scope.at("passthrough").key_problem("passthrough does not terminate TLS", "leave tls out")
    if listen.starttls and protocol not in MAIL_PROTOCOLS:
        scope.at("starttls").key_problem(f"starttls means nothing with {protocol}", "use tls")
    elif listen.starttls and listen.tls:
        scope.at("starttls").key_problem("with tls, TLS has begun already", "leave one out")
    tls = {
        key: _listen_tls(given, protocol, scope.at(key)) if given else None
        for key, given in (("tls", listen.tls), ("starttls", listen.starttls))
    }
    return ListenSpec(
        address=resolved(listen.address, scope.at("address")),
        tls=tls["tls"],
        starttls=tls["starttls"],
        passthrough=listen.passthrough,
        proxy_from=tuple(listen.proxy_from),
        backlog=listen.backlog,
    )


def _listen_tls(tls: ListenTlsSection, protocol: str, scope: Scope) -> ListenTls:
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
        alpn=_alpn(tls, protocol, scope.at("alpn")),
    )


def _alpn(tls: ListenTlsSection, protocol: str, scope: Scope) -> tuple[str, ...]:
    known = compile_mail.ALPN[protocol]
    if "alpn" not in tls.model_fields_set:
        return known[:1]
    for name in tls.alpn:
        if name not in known:
            hint = f"known: {', '.join(known)}" if known else "leave alpn out"
            scope.problem(f"'{name}' is not for {protocol}", hint)
    return tuple(tls.alpn)


# --------------------------------------------------------------------------- the rest of a service


def _timeouts(service: Service, scope: Scope) -> Timeouts:
    given = service.timeouts
    defaults = compile_mail.TIMEOUTS[service.protocol].items()
    own = {name: value for name, value in defaults if name not in given.model_fields_set}
    if service.protocol == "imap" and given.tunnel_idle < compile_mail.TUNNEL_IDLE_LEAST_S:
        scope.at("tunnel_idle").warn("clients in IDLE are cut off", "RFC 9051 wants at least 30m")
    return Timeouts(**{f"{name}_s": value for name, value in (given.model_dump() | own).items()})


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


def _access_log(service: Service, scope: Scope) -> AccessLog:
    log = service.access_log
    if LogFormat(log.format) is LogFormat.COMBINED and service.protocol != "http":
        scope.at("format").problem(f"combined is no format for {service.protocol}", "json or off")
    path = log.path if log.path == STANDARD_OUTPUT else scope.at("path").path(log.path)
    return AccessLog(LogFormat(log.format), path)


def director_spec(director: Director, scope: Scope) -> DirectorSpec:
    spec = DirectorSpec(
        workers=director.workers,
        drain_deadline_s=director.drain_deadline,
        loop=director.loop,
        media=compile_media.director_media(director.media, scope.at("media")),
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
