"""Mail services: from the schema to their specifications, and what they ask of pools and routes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from l7lb.config import compile_media, credentials
from l7lb.config.schema_mail import Greylist, Login, Rate, ServerLogin, Smtp, SmtpLogin
from l7lb.config.scope import Scope
from l7lb.model import KeyKind, PersistenceKind, PoolSpec, ServerSpec, ServiceSpec
from l7lb.model_directory import DirectorySpec, LdapSpec
from l7lb.model_mail import (
    MAIL_PROTOCOLS,
    Auth,
    GreylistSpec,
    LoginOptions,
    PenaltySpec,
    RateKey,
    RateSpec,
    ServerLoginSpec,
    SmtpLoginSpec,
    SmtpOptions,
)
from l7lb.scheduling.registry import key_of

PORTS: Mapping[str, tuple[str, ...]] = {
    "imap": ("imap",),
    "pop3": ("pop3",),
    "smtp": ("lmtp", "smtp"),
}
"""By protocol of the service: what its servers may speak, as in `ServerSpec.ports`."""
ALPN: Mapping[str, tuple[str, ...]] = {
    "http": ("http/1.1", "http/1.0"),
    "imap": ("imap",),
    "pop3": ("pop3",),
    "smtp": (),
    "rtsp": (),
}
"""RFC 7301 names by protocol; the first is the default."""
TUNNEL_IDLE_S = 35 * 60.0
TUNNEL_IDLE_LEAST_S = 30 * 60.0
"""RFC 9051 §5.4: what a server owes its clients."""
TIMEOUTS: Mapping[str, Mapping[str, float]] = {
    "http": {},
    "imap": {"tunnel_idle": TUNNEL_IDLE_S},
    "pop3": {"tunnel_idle": TUNNEL_IDLE_S},
    "smtp": {"tunnel_idle": TUNNEL_IDLE_S, "keep_alive": 300.0},  # RFC 5321 §4.5.3.2.7
    "rtsp": {"tunnel_idle": 12 * 3600.0},  # a film, watched by RTCP alone
}
"""Defaults that are not those of HTTP."""
KEYS = frozenset({KeyKind.SOURCE, KeyKind.ACCOUNT})
"""What hashes and persistence can hang on."""
OF_HTTP = (
    "host",
    "path",
    "method",
    "header",
    "query",
    "cookie",
    "redirect",
    "reply",
    "rewrite",
    "request_headers",
    "response_headers",
    "mirror",
    "allow_connect",
)
"""Keys of a route."""
WITHOUT_SECRET = frozenset({"EXTERNAL", "SCRAM-SHA-256"})
"""Mechanisms that leave the director without a password to log in with."""


# --------------------------------------------------------------------------- specifications


def server_login(login: ServerLogin | None, scope: Scope) -> ServerLoginSpec | None:
    if login is None:
        return None
    secret = credentials.referred(scope.at("secret"), login.secret)
    return ServerLoginSpec(login.master, secret, login.separator or "")


def smtp_login(login: SmtpLogin | None, has_tls: bool, scope: Scope) -> SmtpLoginSpec | None:
    if login is None:
        return None
    if (login.user is None) is not (login.secret is None):
        lacking = "user" if login.user is None else "secret"
        scope.problem(f"'{lacking}' is missing", "user and secret belong together")
    if login.on_behalf and login.user is None:
        scope.at("on_behalf").key_problem("'on_behalf' means nothing without 'user'")
    if not (has_tls or login.in_clear):
        scope.problem("passwords would go to the servers in clear", "give the pool tls")
    secret = login.secret and credentials.referred(scope.at("secret"), login.secret)
    return SmtpLoginSpec(login.user or "", secret or None, login.on_behalf, login.in_clear)


def login_options(login: Login, scope: Scope) -> LoginOptions:
    if len(set(login.mechanisms)) < len(login.mechanisms):
        scope.at("mechanisms").problem("a mechanism stands here twice")
    penalty = login.penalty
    return LoginOptions(
        mechanisms=tuple(login.mechanisms),
        secrets_in_clear=login.secrets_in_clear,
        default_domain=(login.default_domain or "").lower(),
        trusted=tuple(login.trusted),
        max_sessions=login.max_sessions,
        max_failures=login.max_failures,
        penalty=PenaltySpec(
            tuple(penalty.delays), penalty.window, (penalty.network.ipv4, penalty.network.ipv6)
        ),
        spread_s=login.spread,
        hold_s=login.hold,
    )


def smtp_options(smtp: Smtp, scope: Scope) -> SmtpOptions:
    if smtp.retry_max < smtp.retry:
        scope.at("retry_max").problem("retry_max is shorter than retry")
    return SmtpOptions(
        host_name=smtp.host_name or "",
        message_bytes=smtp.message,
        max_recipients=smtp.max_recipients,
        max_hops=smtp.max_hops,
        auth=Auth(smtp.auth),
        require_tls=smtp.require_tls,
        xclient_from=tuple(smtp.xclient_from),
        greylist=_greylist(smtp.greylist) if smtp.greylist else None,
        rates=_rates(smtp.rates, smtp.auth, scope.at("rates")),
        spool=smtp.spool,
        retry_s=smtp.retry,
        retry_max_s=smtp.retry_max,
        give_up_s=smtp.give_up,
        accept_unknown=smtp.accept_unknown,
    )


def _greylist(greylist: Greylist) -> GreylistSpec:
    network = greylist.network
    return GreylistSpec(greylist.delay, greylist.remember, (network.ipv4, network.ipv6))


def _rates(rates: list[Rate], auth: str, scope: Scope) -> tuple[RateSpec, ...]:
    found: list[RateSpec] = []
    for index, rate in enumerate(rates):
        spot = scope.at(index)
        key = RateKey(rate.key)
        if key is RateKey.ACCOUNT and auth == Auth.OFF:
            spot.problem("nobody logs in: there is no account to count by", "set auth")
        if any((key, rate.per) == (each.key, each.window_s) for each in found):
            spot.problem(f"a rate of this time for each {key} stands here twice")
        found.append(RateSpec(key, rate.count, rate.per))
    return tuple(found)


# --------------------------------------------------------------------------- routes


def facts(protocol: str, auth: str) -> frozenset[str]:
    """Of account, recipient and attribute, what routes can match."""
    match protocol:
        case "imap" | "pop3":
            return frozenset({"account", "attribute"})
        case "smtp":
            known = {"recipient", "attribute"}
            return frozenset(known if auth == Auth.OFF else known | {"account"})
    return frozenset()


# --------------------------------------------------------------------------- pools


def pool_faults(service: ServiceSpec, pool: PoolSpec) -> Iterator[tuple[str, str]]:
    """Why this pool cannot serve this service, and what to do."""
    protocol, title = service.protocol, f"pool '{pool.name}'"
    wanted = PORTS[protocol]
    lacking = [server.name for server in pool.servers if not _speaks(server, wanted)]
    if lacking:
        hint = f"ports: {{{wanted[0]}: PORT}}"
        yield f"{title} has no port for {' or '.join(wanted)} at {', '.join(lacking)}", hint
    if compile_media.is_media(pool):
        yield f"{title} has media, which {protocol} has not", "leave media and media_ports out"
    if pool.persistence and pool.persistence.kind is not PersistenceKind.HASH:
        kind = "publisher" if pool.persistence.kind is PersistenceKind.PUBLISHED else "cookie"
        yield f"{title} has persistence by {kind}, which {protocol} has not", "use account"
    persistence = pool.persistence.key if pool.persistence else None
    for key in (key_of(pool.scheduler), persistence):
        if key is not None and key.kind not in KEYS:
            yield f"{title} hangs on {key.kind}, which {protocol} has not", "use account"
    if protocol == "smtp" and pool.smtp_login is not None:
        yield from _smtp_login_faults(service, pool.smtp_login, title)
    unfit = WITHOUT_SECRET & set(service.login.mechanisms)
    if pool.login is None and unfit and protocol != "smtp":
        message = f"{', '.join(sorted(unfit))} leaves no password to log in with at {title}"
        yield message, "give the pool a login, or leave the mechanism out"


def _smtp_login_faults(
    service: ServiceSpec, login: SmtpLoginSpec, title: str
) -> Iterator[tuple[str, str]]:
    if login.secret is not None:
        return
    if service.smtp.auth is Auth.OFF:
        message = f"nobody logs in here: there is no password to log in with at {title}"
        yield message, "set smtp.auth, or give smtp_login a user"
    elif unfit := WITHOUT_SECRET & set(service.login.mechanisms):
        message = f"{', '.join(sorted(unfit))} leaves no password to log in with at {title}"
        yield message, "give smtp_login a user, or leave the mechanism out"


def _speaks(server: ServerSpec, protocols: tuple[str, ...]) -> bool:
    return any(server.port(each) for each in protocols)


def needs_directory(service: ServiceSpec, pools: Mapping[str, PoolSpec]) -> str:
    """Why a service cannot be without a directory of accounts; empty: it can."""
    if service.protocol not in MAIL_PROTOCOLS:
        return ""
    if any(route.match.attributes for route in service.routes):
        return "routes hang on attributes of accounts"
    if service.protocol == "smtp":
        if service.smtp.auth is not Auth.OFF:
            return "clients log in"
        return "" if service.smtp.accept_unknown else "recipients are looked up"
    used = (pools.get(name) for route in service.routes for name, _ in route.pools)
    entered = next((pool.name for pool in used if pool and pool.login), None)
    return f"pool '{entered}' is entered as master user" if entered else ""


def check_attributes(
    services: Mapping[str, ServiceSpec], directory: DirectorySpec, scope: Scope
) -> None:
    """LDAP is asked for what is named only; a file has everything."""
    if not isinstance(directory, LdapSpec):
        return
    kept = {name.lower().encode() for name in directory.entry.kept}
    for route in (route for service in services.values() for route in service.routes):
        for match in route.match.attributes:
            if match.name not in kept:
                name = match.name.decode()
                message = f"accounts do not carry the attribute {name}"
                scope.problems.add(route.place, message, f"directory: {{ldap: {{kept: {name}}}}}")
