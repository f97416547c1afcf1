"""Pools in the words of the rules file, every key given."""

from __future__ import annotations

from l7lb.config.effective_mail import server_login_tree, smtp_login_tree
from l7lb.config.nodes import Plain
from l7lb.config.units import format_duration, format_share, format_size
from l7lb.model import (
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

SEND_PROXY = ("none", "v1", "v2")
WHOLE_ADDRESS = KeySpec(KeyKind.SOURCE).prefix_length


def pool_tree(spec: PoolSpec) -> dict[str, Plain]:
    return {
        "servers": [server_tree(server) for server in spec.servers],
        "scheduler": _scheduler(spec.scheduler),
        "persistence": _persistence(spec.persistence),
        "check": _check(spec.check),
        "outlier": _outlier(spec.outlier),
        "retry": retry_tree(spec.retry),
        "slow_start": format_duration(spec.slow_start_s),
        "panic_threshold": format_share(spec.panic_threshold),
        "max_queue": spec.max_queue,
        "queue_timeout": format_duration(spec.queue_timeout_s),
        "drain_deadline": format_duration(spec.drain_deadline_s),
        "tls": _tls(spec.tls),
        "send_proxy": SEND_PROXY[spec.send_proxy],
        "resolve_every": format_duration(spec.resolve_s),
        "reuse": spec.reuse,
        "max_idle": spec.max_idle,
        **({"takeover": format_duration(spec.takeover_s)} if spec.takeover_s else {}),
        **({"login": server_login_tree(spec.login)} if spec.login else {}),
        **({"smtp_login": smtp_login_tree(spec.smtp_login)} if spec.smtp_login else {}),
    }


def server_tree(spec: ServerSpec) -> dict[str, Plain]:
    return {
        "name": spec.name,
        "address": str(spec.address),
        "weight": spec.weight,
        "backup": spec.backup,
        "max_connections": spec.max_connections,
        **({"ports": dict(spec.ports)} if spec.ports else {}),
    }


def retry_tree(spec: RetrySpec) -> dict[str, Plain]:
    return {
        "attempts": spec.attempts,
        "budget": format_share(spec.budget),
        "minimum": spec.minimum,
    }


def _scheduler(spec: SchedulerSpec) -> Plain:
    if spec.key is None and spec.bound is None:
        return spec.kind.value
    key: Plain = True if spec.key is None else _key(spec.key)
    bound: dict[str, Plain] = {} if spec.bound is None else {"bound": spec.bound}
    return {SchedulerKind(spec.kind).value: key, **bound}


def _key(spec: KeySpec) -> Plain:
    value = _key_value(spec)
    return spec.kind.value if value is True else {spec.kind.value: value}


def _key_value(spec: KeySpec) -> Plain:
    if spec.pattern is not None:
        return spec.pattern.pattern.decode()
    if spec.name:
        return spec.name.decode()
    if spec.prefix_length != WHOLE_ADDRESS:
        return {"ipv4": spec.prefix_length[0], "ipv6": spec.prefix_length[1]}
    return True


def _persistence(spec: PersistenceSpec | None) -> Plain:
    if spec is None:
        return "none"
    match spec.kind:
        case PersistenceKind.COOKIE:
            domain: dict[str, Plain] = {"domain": spec.domain} if spec.domain else {}
            return {
                "cookie": spec.name.decode(),
                "timeout": format_duration(spec.timeout_s),
                "same_site": spec.same_site,
                "path": spec.path,
                **domain,
            }
        case PersistenceKind.LEARNED:
            timeout = format_duration(spec.timeout_s)
            return {"learned": spec.name.decode(), "timeout": timeout, "limit": spec.limit}
        case PersistenceKind.HASH:
            return {"hash": _key(spec.key)} if spec.key else "none"


def _check(spec: CheckSpec) -> dict[str, Plain]:
    kind = spec.kind
    found: dict[str, Plain] = {
        kind.value: spec.path if kind is CheckKind.HTTP else True,
        "every": format_duration(spec.interval_s),
        "fast_every": format_duration(spec.fast_interval_s),
        "timeout": format_duration(spec.timeout_s),
        "rise": spec.rise,
        "fall": spec.fall,
        "jitter": format_share(spec.jitter),
    }
    if spec.port is not None:
        found["port"] = spec.port
    if kind is CheckKind.HTTP:
        return found | _http_check(spec)
    return found | ({"tls": _tls(spec.tls)} if kind.is_greeting else {})


def _http_check(spec: CheckSpec) -> dict[str, Plain]:
    found: dict[str, Plain] = {
        "method": spec.method,
        "status": [low if low == high else f"{low}-{high}" for low, high in spec.statuses],
        "body_limit": format_size(spec.body_limit_bytes),
        "tls": _tls(spec.tls),
    }
    optional = {"host": spec.host, "body": spec.body and spec.body.pattern.decode()}
    return found | {key: value for key, value in optional.items() if value}


def _outlier(spec: OutlierSpec) -> dict[str, Plain]:
    return {
        "consecutive_errors": spec.consecutive_errors,
        "consecutive_connect_errors": spec.consecutive_connect_errors,
        "latency_factor": spec.latency_factor,
        "ejection": format_duration(spec.ejection_s),
        "max_ejection": format_duration(spec.max_ejection_s),
        "max_ejected": format_share(spec.max_ejected),
    }


def _tls(spec: ServerTls | None) -> Plain:
    if spec is None:
        return "none"
    optional = {
        "ca": spec.ca,
        "server_name": spec.server_name,
        "certificate": spec.certificate,
        "key": spec.key,
    }
    given: dict[str, Plain] = {"starttls": True} if spec.starttls else {}
    return given | {"verify": spec.verify, **{key: text for key, text in optional.items() if text}}
