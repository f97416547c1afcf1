"""Mail services and logins in the words of the rules file, every key given.

Secrets are named by where they were read; the words load again to equal specifications.
"""

from __future__ import annotations

from l7lb.config.effective_directory import secret_tree
from l7lb.config.nodes import Plain
from l7lb.config.units import format_duration, format_size
from l7lb.model_mail import (
    GreylistSpec,
    LoginOptions,
    PenaltySpec,
    RateSpec,
    ServerLoginSpec,
    SmtpLoginSpec,
    SmtpOptions,
)


def server_login_tree(spec: ServerLoginSpec) -> dict[str, Plain]:
    found: dict[str, Plain] = {"master": spec.master, "secret": secret_tree(spec.secret)}
    return found | ({"separator": spec.separator} if spec.separator else {})


def smtp_login_tree(spec: SmtpLoginSpec) -> dict[str, Plain]:
    who: dict[str, Plain] = {}
    if spec.secret is not None:
        secret = secret_tree(spec.secret)
        who = {"user": spec.user, "secret": secret, "on_behalf": spec.on_behalf}
    return who | {"in_clear": spec.in_clear}


def login_tree(spec: LoginOptions) -> dict[str, Plain]:
    found: dict[str, Plain] = {
        "mechanisms": [*spec.mechanisms],
        "secrets_in_clear": spec.secrets_in_clear,
        "trusted": [*spec.trusted],
        "max_sessions": spec.max_sessions,
        "max_failures": spec.max_failures,
        "penalty": _penalty(spec.penalty),
        "spread": format_duration(spec.spread_s),
        "hold": format_duration(spec.hold_s),
    }
    return found | ({"default_domain": spec.default_domain} if spec.default_domain else {})


def _penalty(spec: PenaltySpec) -> dict[str, Plain]:
    return {
        "delays": [format_duration(delay) for delay in spec.delays_s],
        "window": format_duration(spec.window_s),
        "network": _network(spec.prefix_length),
    }


def _network(bits: tuple[int, int]) -> dict[str, Plain]:
    return {"ipv4": bits[0], "ipv6": bits[1]}


def smtp_tree(spec: SmtpOptions) -> dict[str, Plain]:
    found: dict[str, Plain] = {
        "message": format_size(spec.message_bytes),
        "max_recipients": spec.max_recipients,
        "max_hops": spec.max_hops,
        "auth": spec.auth.value,
        "require_tls": spec.require_tls,
        "xclient_from": [*spec.xclient_from],
        "greylist": _greylist(spec.greylist) if spec.greylist else "none",
        "rates": [_rate(rate) for rate in spec.rates],
        "spool": spec.spool,
        "retry": format_duration(spec.retry_s),
        "retry_max": format_duration(spec.retry_max_s),
        "give_up": format_duration(spec.give_up_s),
        "accept_unknown": spec.accept_unknown,
    }
    return found | ({"host_name": spec.host_name} if spec.host_name else {})


def _greylist(spec: GreylistSpec) -> dict[str, Plain]:
    return {
        "delay": format_duration(spec.delay_s),
        "remember": format_duration(spec.remember_s),
        "network": _network(spec.prefix_length),
    }


def _rate(spec: RateSpec) -> dict[str, Plain]:
    return {"key": spec.key.value, "count": spec.count, "per": format_duration(spec.window_s)}
