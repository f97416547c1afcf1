"""Pools: from the schema to `PoolSpec`, with the checks that need more than one key."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from l7lb.config import compile_mail, credentials
from l7lb.config.addresses import UNIX, no_port, portless
from l7lb.config.schema_keys import LEARNED_TIMEOUT_S, Key, Persistence, Scheduler, SourceKey
from l7lb.config.schema_pool import Check, Outlier, Pool, Retry, Server, ServerTlsSection
from l7lb.config.scope import Scope
from l7lb.config.validate import Valid
from l7lb.model import (
    Address,
    CheckKind,
    CheckSpec,
    KeyKind,
    KeySpec,
    PersistenceKind,
    PersistenceSpec,
    PoolSpec,
    SchedulerKind,
    SchedulerSpec,
    ServerSpec,
    ServerTls,
)
from l7lb.model_failures import OutlierSpec, RetrySpec

HASHING = frozenset(
    {
        SchedulerKind.SH,
        SchedulerKind.DH,
        SchedulerKind.MH,
        SchedulerKind.RENDEZVOUS,
        SchedulerKind.HASH,
    }
)
HTTP_ONLY = ("method", "host", "status", "body", "body_limit")
DEFAULT_CHECK = CheckSpec()
COOKIE_ONLY = ("same_site", "path", "domain")
PERSISTENCE_DETAILS = {
    "timeout": ("cookie", "learned"),
    "limit": ("learned",),
    **dict.fromkeys(COOKIE_ONLY, ("cookie",)),
}


def pool_spec(name: str, valid: Valid[Pool], scope: Scope) -> PoolSpec:
    pool = valid.section
    tls = server_tls(pool.tls, scope.at("tls"))
    servers = _servers(valid, scope)
    is_checked = "check" in pool.model_fields_set
    check = pool.check if is_checked else Check.model_validate({_usual_check(servers): True})
    return PoolSpec(
        name=name,
        servers=servers,
        scheduler=_scheduler(pool.scheduler, scope.at("scheduler")),
        persistence=_persistence(pool.persistence, scope.at("persistence")),
        check=_check(check, servers, Towards(tls, pool.send_proxy), scope.at("check")),
        outlier=_outlier(pool.outlier, scope.at("outlier")),
        retry=retry_spec(pool.retry),
        slow_start_s=pool.slow_start,
        panic_threshold=pool.panic_threshold,
        max_queue=pool.max_queue,
        queue_timeout_s=pool.queue_timeout,
        drain_deadline_s=pool.drain_deadline,
        tls=tls,
        send_proxy=pool.send_proxy,
        resolve_s=pool.resolve_every,
        reuse=pool.reuse,
        max_idle=pool.max_idle,
        login=compile_mail.server_login(pool.login, scope.at("login")),
        takeover_s=pool.takeover,
        smtp_login=compile_mail.smtp_login(
            pool.smtp_login, tls is not None, scope.at("smtp_login")
        ),
    )


# --------------------------------------------------------------------------- servers


def _servers(valid: Valid[Pool], scope: Scope) -> tuple[ServerSpec, ...]:
    if not valid.section.servers and "servers" not in valid.broken:
        scope.at("servers").key_problem("the pool has no servers")
    found: dict[str, Scope] = {}
    specs = []
    for index, server in enumerate(valid.section.servers):
        spot = scope.at("servers", valid.position("servers", index))
        spec = _server(server, spot)
        if spec.name in found:
            first = found[spec.name].place
            spot.problem(
                f"server '{spec.name}' stands here and in line {first.line}",
                "give each its own name" if server.name is None else "one name, one server",
            )
        found.setdefault(spec.name, spot)
        specs.append(spec)
    if specs and not any(spec.weight for spec in specs):
        scope.at("servers").warn("every server has weight 0: the pool takes no new sessions")
    return tuple(specs)


def _server(server: Server, scope: Scope) -> ServerSpec:
    address, written = _server_address(server, scope.at("address"))
    return ServerSpec(
        name=server.name or written,
        address=address,
        weight=server.weight,
        backup=server.backup,
        max_connections=server.max_connections,
        ports=tuple(server.ports.items()),
    )


def _server_address(server: Server, scope: Scope) -> tuple[Address, str]:
    """With its port, and as it was written."""
    address = server.address
    if address.host.startswith(UNIX):
        if server.ports:
            scope.problem("a Unix socket has no ports", "leave ports out")
        return resolved(address, scope), str(address)
    if address.port:
        return address, str(address)
    if not server.ports:
        refusal = no_port(address)
        scope.problem(refusal.message, refusal.hint)
    return replace(address, port=next(iter(server.ports.values()), 0)), portless(address)


def resolved(address: Address, scope: Scope) -> Address:
    """The path of a Unix socket is relative to the file, as all others."""
    if not address.host.startswith(UNIX):
        return address
    return replace(address, host=UNIX + scope.path(address.host.removeprefix(UNIX)))


def server_tls(tls: ServerTlsSection | None, scope: Scope) -> ServerTls | None:
    if tls is None:
        return None
    ca, certificate, key = client_credentials(tls, scope)
    return ServerTls(tls.verify, ca, tls.server_name, certificate, key, tls.starttls)


class ClientTls(Protocol):
    """What all TLS of ours towards others has in common."""

    @property
    def ca(self) -> str | None: ...
    @property
    def certificate(self) -> str | None: ...
    @property
    def key(self) -> str | None: ...


def client_credentials(tls: ClientTls, scope: Scope) -> tuple[str | None, str | None, str | None]:
    """Absolute paths of authorities, certificate and key, all of which can be used."""
    ca = scope.at("ca").path(tls.ca) if tls.ca else None
    certificate = scope.at("certificate").path(tls.certificate) if tls.certificate else None
    key = scope.at("key").path(tls.key) if tls.key else None
    if ca:
        credentials.check_authorities(scope.at("ca"), ca)
    if certificate:
        credentials.check_pair(scope.at("certificate"), certificate, key)
    elif key:
        scope.at("key").key_problem("a key without a certificate", "add certificate")
    return ca, certificate, key


# --------------------------------------------------------------------------- scheduler, persistence


def only_one(section: object, names: tuple[str, ...], scope: Scope, what: str) -> str | None:
    """The one of these keys that is given; anything else is a problem."""
    given = [name for name in names if getattr(section, name) is not None]
    if len(given) == 1:
        return given[0]
    if given:
        scope.at(given[1]).key_problem(f"{what}: both {given[0]} and {given[1]}", "only one")
    else:
        scope.problem(f"{what} is not named", f"one of: {', '.join(names)}")
    return None


def key_spec(key: Key, scope: Scope) -> KeySpec | None:
    kind = only_one(key, tuple(KeyKind), scope, "the key")
    if kind is None:
        return None
    return _key_of(KeyKind(kind), getattr(key, kind), scope.at(kind))


def _key_of(kind: KeyKind, value: object, scope: Scope) -> KeySpec | None:
    match value:
        case SourceKey():
            return KeySpec(kind, prefix_length=(value.ipv4, value.ipv6))
        case bytes():
            return KeySpec(kind, value.lower() if kind is KeyKind.HEADER else value)
        case True:
            return KeySpec(kind)
    groups = getattr(value, "groups", 0)
    if not groups:
        scope.problem("the expression has no group", "the key is group 1: put it in ( )")
        return None
    return KeySpec(kind, pattern=value)  # type: ignore[arg-type]  # only a pattern has groups


def _scheduler(scheduler: Scheduler, scope: Scope) -> SchedulerSpec:
    name = only_one(scheduler, tuple(SchedulerKind), scope, "the scheduler")
    if name is None:
        return SchedulerSpec()
    kind, given = SchedulerKind(name), getattr(scheduler, name)
    has_key = isinstance(given, Key) and (bool(given.model_fields_set) or name == "hash")
    key = key_spec(given, scope.at(name)) if has_key else None
    if scheduler.bound is not None and kind not in HASHING:
        scope.at("bound").key_problem(
            f"'bound' means nothing with {name}", f"it goes with {', '.join(sorted(HASHING))}"
        )
    return SchedulerSpec(kind, key, scheduler.bound)


def _persistence(persistence: Persistence | None, scope: Scope) -> PersistenceSpec | None:
    if persistence is None:
        return None
    kinds = ("cookie", "learned", "source", "account", "header", "query", "capture", "hash")
    kind = only_one(persistence, kinds, scope, "the persistence")
    if kind is None:
        return None
    for detail, takers in PERSISTENCE_DETAILS.items():
        if kind not in takers and getattr(persistence, detail) is not None:
            scope.at(detail).key_problem(
                f"'{detail}' means nothing with {kind}", f"it goes with {', '.join(takers)}"
            )
    if kind == "cookie":
        return _cookie(persistence)
    if kind == "learned":
        return _learned(persistence, scope)
    given = getattr(persistence, kind)
    if kind == "hash":
        key = key_spec(given, scope.at(kind))
    else:
        key = _key_of(KeyKind(kind), given, scope.at(kind))
    return PersistenceSpec(PersistenceKind.HASH, key=key)


def _cookie(persistence: Persistence) -> PersistenceSpec:
    assert persistence.cookie is not None
    spec = PersistenceSpec(PersistenceKind.COOKIE, persistence.cookie)
    return replace(
        spec,
        timeout_s=persistence.timeout or 0.0,
        same_site=persistence.same_site or spec.same_site,
        path=persistence.path or spec.path,
        domain=persistence.domain or spec.domain,
    )


def _learned(persistence: Persistence, scope: Scope) -> PersistenceSpec:
    assert persistence.learned is not None
    spec = PersistenceSpec(PersistenceKind.LEARNED, persistence.learned)
    timeout_s = LEARNED_TIMEOUT_S if persistence.timeout is None else persistence.timeout
    if not timeout_s:
        scope.at("timeout").problem("0 would forget at once", "such as 30m")
    return replace(spec, timeout_s=timeout_s, limit=persistence.limit or spec.limit)


# --------------------------------------------------------------------------- check, outlier, retry


@dataclass(frozen=True, slots=True)
class Towards:
    """How the servers of a pool are spoken to."""

    tls: ServerTls | None
    send_proxy: int


def _usual_check(servers: tuple[ServerSpec, ...]) -> str:
    """Where nothing is said: the first protocol that every server greets in."""
    names = [{name for name, _ in server.ports} for server in servers]
    first = [name for name, _ in servers[0].ports] if servers else []
    return next((name for name in first if all(name in each for each in names)), "tcp")


def _check(
    check: Check, servers: tuple[ServerSpec, ...], towards: Towards, scope: Scope
) -> CheckSpec:
    name = only_one(check, tuple(CheckKind), scope, "the check")
    kind = CheckKind(name) if name else CheckKind.TCP
    _refuse_without_effect(check, kind, scope)
    tls = server_tls(check.tls, scope.at("tls"))
    if tls and tls.starttls:
        scope.at("tls", "starttls").key_problem("'starttls' means nothing in a check")
    if (kind is CheckKind.HTTP or kind.is_greeting) and "tls" not in check.model_fields_set:
        tls = None if towards.tls and towards.tls.starttls else towards.tls
    if kind.is_greeting and check.port is None:
        _refuse_without_port(kind, servers, scope)
    return CheckSpec(
        kind=kind,
        interval_s=check.every,
        fast_interval_s=check.fast_every,
        timeout_s=check.timeout,
        rise=check.rise,
        fall=check.fall,
        jitter=check.jitter,
        port=check.port,
        path=check.http or DEFAULT_CHECK.path,
        method=check.method,
        host=check.host,
        statuses=tuple(check.status),
        body=check.body,
        body_limit_bytes=check.body_limit,
        tls=tls,
        send_proxy=towards.send_proxy if kind.is_greeting else 0,
    )


def _refuse_without_port(kind: CheckKind, servers: tuple[ServerSpec, ...], scope: Scope) -> None:
    lacking = [each.name for each in servers if each.ports and not each.port(kind.value)]
    if lacking:
        message = f"there is no port for {kind} at {', '.join(lacking)}"
        scope.problem(message, "give them one, or the check a port")


def _refuse_without_effect(check: Check, kind: CheckKind, scope: Scope) -> None:
    idle = () if kind is CheckKind.HTTP else HTTP_ONLY
    if kind is not CheckKind.HTTP and not kind.is_greeting:
        idle = (*idle, "tls")
    if kind in {CheckKind.ICMP, CheckKind.NONE}:
        idle = (*idle, "port")
    for key in idle:
        if key in check.model_fields_set:
            scope.at(key).key_problem(f"'{key}' means nothing with {kind}")
    if not check.status:
        scope.at("status").problem("the list is empty", "at least one is needed")


def _outlier(outlier: Outlier, scope: Scope) -> OutlierSpec:
    if outlier.ejection > outlier.max_ejection:
        scope.at("ejection").problem("ejection is longer than max_ejection")
    return OutlierSpec(
        consecutive_errors=outlier.consecutive_errors,
        consecutive_connect_errors=outlier.consecutive_connect_errors,
        latency_factor=outlier.latency_factor,
        ejection_s=outlier.ejection,
        max_ejection_s=outlier.max_ejection,
        max_ejected=outlier.max_ejected,
    )


def retry_spec(retry: Retry) -> RetrySpec:
    return RetrySpec(retry.attempts, retry.budget, retry.minimum)
