"""What all SMTP sessions of a worker share, and what follows from a service's options."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from l7lb.mail.penalty import Penalty
from l7lb.mail.smtp.carriers import Carriers
from l7lb.mail.smtp.guard import Guard
from l7lb.mail.smtp.office import SmtpOffice
from l7lb.mail.smtp.recipients import Finder
from l7lb.mail.spool.spool import Entry
from l7lb.model import ServiceSpec
from l7lb.model_mail import Auth
from l7lb_protocols.smtp.data_reader import DataLimits
from l7lb_protocols.smtp.extensions import Own
from l7lb_protocols.smtp.server_base import ServerSettings


@dataclass(frozen=True, slots=True)
class Desk:
    """`name`: of this host, where a service has none. `kept` is told of what is to be delivered
    later."""

    office: SmtpOffice
    carriers: Carriers
    finder: Finder
    guard: Guard
    penalty: Penalty
    name: str
    kept: Callable[[Entry], None]


def host_name(spec: ServiceSpec, name: str) -> bytes:
    return (spec.smtp.host_name or name).encode("ascii", "replace")


def server_settings(spec: ServiceSpec, name: str, may_start_tls: bool) -> ServerSettings:
    options, login = spec.smtp, spec.login
    mechanisms = login.mechanisms if options.auth is not Auth.OFF else ()
    own = Own(
        max_bytes=options.message_bytes,
        starttls=may_start_tls,
        auth=frozenset(mechanism.encode() for mechanism in mechanisms),
    )
    return ServerSettings(
        host_name(spec, name),
        own=own,
        require_tls=options.require_tls,
        require_auth=options.auth is Auth.REQUIRED,
        plain_auth=login.secrets_in_clear,
        max_recipients=options.max_recipients,
        data=DataLimits(max_bytes=options.message_bytes, max_hops=options.max_hops),
    )


def is_within(source: str, networks: tuple[str, ...]) -> bool:
    """Whether this address is in one of the networks; text that is no address is in none."""
    try:
        address = ip_address(source)
    except ValueError:
        return False
    return any(address in ip_network(text) for text in networks)
