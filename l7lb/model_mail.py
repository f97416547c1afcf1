"""Frozen specifications of the mail services: what `login:` and `smtp:` in the rules file say.

As in `model`: seconds end in `_s`, sizes in `_bytes`, and everything compares by value.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from l7lb.model_directory import SecretSpec

MAIL_PROTOCOLS = ("imap", "pop3", "smtp")
"""Services that need accounts, and what directors share about them."""


@dataclass(frozen=True, slots=True)
class ServerLoginSpec:
    """How the director logs in at the servers of a pool; without it, as the client did."""

    master: str
    """Master user, who enters any account's mailbox; the directory has checked the client."""
    secret: SecretSpec
    separator: str = ""
    """Between account and master user, for servers without SASL PLAIN; empty: not used."""


@dataclass(frozen=True, slots=True)
class SmtpLoginSpec:
    """How the director logs in at servers of SMTP and LMTP of a pool; without it, it does not."""

    user: str = ""
    secret: SecretSpec | None = None
    """None: whoever logged in at the director logs in, with the same password."""
    on_behalf: bool = False
    """`user` is a master user, and asks for the client's account."""
    in_clear: bool = False
    """Without TLS, too."""


@dataclass(frozen=True, slots=True)
class PenaltySpec:
    """Wrong secrets of one network are answered later and later; counted over all directors."""

    delays_s: tuple[float, ...] = (0.0, 2.0, 4.0, 8.0, 15.0)
    """After the first, second … failure; the last one stays. Empty: no penalty."""
    window_s: float = 900.0
    """Failures are forgotten after this time."""
    prefix_length: tuple[int, int] = (32, 48)
    """Bits of an IPv4 and an IPv6 address that make one client."""


@dataclass(frozen=True, slots=True)
class LoginOptions:
    """How one IMAP or POP3 service lets clients in; SMTP takes what concerns AUTH."""

    mechanisms: tuple[str, ...] = ("PLAIN", "LOGIN")
    """Allowed SASL mechanisms, the preferred one first."""
    secrets_in_clear: bool = False
    """Take passwords without TLS."""
    default_domain: str = ""
    """Added to an account's name without `@`."""
    trusted: tuple[str, ...] = ()
    """Networks of directors whose ID, XCLIENT and hop count are believed."""
    max_sessions: int = 10
    """Sessions of one account from one address, over all directors; 0: no limit."""
    max_failures: int = 5
    """Wrong secrets on one connection."""
    penalty: PenaltySpec = PenaltySpec()
    spread_s: float = 10.0
    """Clients of a server that died are let go one by one over this time."""
    hold_s: float = 20.0
    """How long a login waits while its account moves to another server."""


class Auth(StrEnum):
    """Whether a client of an SMTP service logs in."""

    OFF = "off"
    OPTIONAL = "optional"
    REQUIRED = "required"
    """Submission (RFC 6409)."""


@dataclass(frozen=True, slots=True)
class GreylistSpec:
    """An unknown (network, sender, recipient) is asked to come again."""

    delay_s: float = 60.0
    remember_s: float = 35 * 86400.0
    prefix_length: tuple[int, int] = (24, 64)


class RateKey(StrEnum):
    SOURCE = "source"
    ACCOUNT = "account"
    SENDER = "sender"
    RECIPIENT = "recipient"


@dataclass(frozen=True, slots=True)
class RateSpec:
    """At most `count` recipients in `window_s` for each value of `key`, over all directors."""

    key: RateKey
    count: int
    window_s: float


@dataclass(frozen=True, slots=True)
class SmtpOptions:
    """How one SMTP service treats messages."""

    host_name: str = ""
    """In greeting, EHLO and Received; empty: the machine's."""
    message_bytes: int = 50 << 20
    """Largest message."""
    max_recipients: int = 1000
    """Of one message."""
    max_hops: int = 50
    """Received fields; more are a loop (RFC 5321 §6.3)."""
    auth: Auth = Auth.OFF
    require_tls: bool = False
    """Nothing but STARTTLS is taken in clear."""
    xclient_from: tuple[str, ...] = ()
    """Networks whose XCLIENT is believed."""
    greylist: GreylistSpec | None = None
    rates: tuple[RateSpec, ...] = ()
    spool: bool = True
    """Take messages to recipients on several servers; without it, those beyond the first server's
    are asked to come again (452)."""
    retry_s: float = 60.0
    """First wait of a spooled message; it doubles up to `retry_max_s`."""
    retry_max_s: float = 3600.0
    give_up_s: float = 5 * 86400.0
    """A spooled recipient is reported as failed after this time (RFC 5321 §4.5.4.1)."""
    accept_unknown: bool = False
    """Recipients that the directory does not know go to the route's pool all the same (a relay
    to the outside, or submission)."""
