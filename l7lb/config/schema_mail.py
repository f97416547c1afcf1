"""What may stand below `login` and `smtp` of a service, and below `login` of a pool."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from l7lb.config import addresses, shorthand, texts
from l7lb.config.fields import (
    TEXT,
    Count,
    Duration,
    Number,
    OneOrMany,
    Parsed,
    Period,
    Section,
    Short,
)
from l7lb.config.schema_secret import Secret
from l7lb.model_mail import (
    GreylistSpec,
    LoginOptions,
    PenaltySpec,
    SmtpLoginSpec,
    SmtpOptions,
)

_PENALTY = PenaltySpec()
_LOGIN = LoginOptions()
_GREYLIST = GreylistSpec()
_SMTP = SmtpOptions()
_SMTP_LOGIN = SmtpLoginSpec()

Network = Annotated[str, Parsed(addresses.network, {**TEXT, "x-unit": "network"})]
Domain = Annotated[str, Parsed(addresses.host_name, TEXT)]
Mechanism = Literal["PLAIN", "LOGIN", "EXTERNAL", "SCRAM-SHA-256"]
MessageSize = Annotated[int, Parsed(shorthand.message_size, {**TEXT, "x-unit": "size"})]
Ipv4Bits = Annotated[int, Field(ge=1, le=32)]
Ipv6Bits = Annotated[int, Field(ge=1, le=128)]
_OFF = {"enum": ["none", "off", False]}
_RATE = {"type": "object", "x-unit": "`{KEY: COUNT/DURATION}`"}


class ServerLogin(Section):
    """How the director logs in at mail servers; without it, with what the client gave."""

    master: Annotated[str, Parsed(texts.plain_word, TEXT)]
    """Master user, who may enter the mailbox of any account."""
    secret: Annotated[Secret, Short(shorthand.secret, None)]
    """Password of the master user."""
    separator: Annotated[str, Parsed(texts.separator, TEXT)] | None = None
    """What stands between account and master user, for servers without SASL PLAIN, as in `*`;
    without it, such servers are not used."""


class SmtpLogin(Section):
    """How the director logs in at servers of SMTP and LMTP; without it, it does not. Short form:
    `client`, which is this section with nothing in it."""

    user: Annotated[str, Parsed(texts.plain_word, TEXT)] | None = None
    """Who logs in; without it, whoever logged in at the director, with the same password."""
    secret: Annotated[Secret, Short(shorthand.secret, None)] | None = None
    """Password of `user`."""
    on_behalf: bool = _SMTP_LOGIN.on_behalf
    """`user` is a master user, and asks for the account that logged in at the director."""
    in_clear: bool = _SMTP_LOGIN.in_clear
    """Log in without TLS, too."""


class PenaltyNetwork(Section):
    """How many bits of an address make one client."""

    ipv4: Ipv4Bits = _PENALTY.prefix_length[0]
    """Bits of an IPv4 address."""
    ipv6: Ipv6Bits = _PENALTY.prefix_length[1]
    """Bits of an IPv6 address."""


class Penalty(Section):
    """Wrong passwords of one client are answered later and later. Short form: `none`."""

    delays: OneOrMany[Duration] = Field(default=[*_PENALTY.delays_s], max_length=64)
    """After the first, second … failure; the last one stays. By default 0, 2s, 4s, 8s, 15s."""
    window: Period = _PENALTY.window_s
    """Failures are forgotten after this time."""
    network: PenaltyNetwork = PenaltyNetwork()
    """What counts as one client."""


class Login(Section):
    """How clients of a mail service log in; of SMTP, what concerns AUTH."""

    mechanisms: OneOrMany[Mechanism] = Field(default=["PLAIN", "LOGIN"], min_length=1)
    """SASL mechanisms that are offered, the preferred one first."""
    secrets_in_clear: bool = _LOGIN.secrets_in_clear
    """Take passwords without TLS."""
    default_domain: Domain | None = None
    """Added to names without `@`; without it, nothing is."""
    trusted: OneOrMany[Network] = Field(default=[])
    """Networks of other directors: what they say of the client is believed."""
    max_sessions: Count = _LOGIN.max_sessions
    """Sessions of one account from one address, over all directors; 0: no limit."""
    max_failures: Annotated[int, Field(ge=1, le=100)] = _LOGIN.max_failures
    """Wrong passwords on one connection, which then is closed."""
    penalty: Annotated[Penalty, Short(shorthand.penalty, (_OFF,))] = Penalty()
    """Wrong passwords are answered later and later."""
    spread: Duration = _LOGIN.spread_s
    """Clients of a server that died are let go one by one over this time."""
    hold: Period = _LOGIN.hold_s
    """How long a login waits while its account moves to another server."""


class GreylistNetwork(Section):
    """How many bits of an address make one client."""

    ipv4: Ipv4Bits = _GREYLIST.prefix_length[0]
    """Bits of an IPv4 address."""
    ipv6: Ipv6Bits = _GREYLIST.prefix_length[1]
    """Bits of an IPv6 address."""


class Greylist(Section):
    """Unknown combinations of client, sender and recipient are asked to come again (451).

    Short form: `true` for all defaults, `none` for no greylist.
    """

    delay: Period = _GREYLIST.delay_s
    """How long they have to wait."""
    remember: Period = _GREYLIST.remember_s
    """How long one that came again is known."""
    network: GreylistNetwork = GreylistNetwork()
    """What counts as one client."""


class Rate(Section):
    """At most so many recipients for each value of a key. Short form: `{source: 100/1h}`."""

    key: Literal["source", "account", "sender", "recipient"]
    """What is counted by."""
    count: Number
    """Recipients."""
    per: Period
    """In this time."""


class Smtp(Section):
    """How an SMTP service treats messages."""

    host_name: Domain | None = None
    """Name in greeting, EHLO and Received; without it, the machine's."""
    message: MessageSize = _SMTP.message_bytes
    """Largest message, from 64KiB to 4GiB."""
    max_recipients: Number = _SMTP.max_recipients
    """Recipients of one message."""
    max_hops: Annotated[int, Field(ge=1, le=1000)] = _SMTP.max_hops
    """Received fields of a message; more are a loop."""
    auth: Literal["off", "optional", "required"] = _SMTP.auth.value
    """Whether clients log in; `required` is submission (RFC 6409)."""
    require_tls: bool = _SMTP.require_tls
    """Take nothing but STARTTLS in clear."""
    xclient_from: OneOrMany[Network] = Field(default=[])
    """Networks whose XCLIENT is believed."""
    greylist: Annotated[
        Greylist | None, Short(shorthand.switched, ({"enum": [True, False, "none", "off"]},))
    ] = None
    """Ask unknown senders to come again; without it, nobody is."""
    rates: Annotated[
        list[Annotated[Rate, Short(shorthand.rate, (_RATE,))]], Short(shorthand.listed, ())
    ] = Field(default=[])
    """Limits of recipients, counted over all directors."""
    spool: bool = _SMTP.spool
    """Take messages to recipients on several servers; without it, those beyond the first server's
    are asked to come again (452)."""
    retry: Period = _SMTP.retry_s
    """First wait of a spooled message; it doubles each time."""
    retry_max: Period = _SMTP.retry_max_s
    """Longest such wait."""
    give_up: Period = _SMTP.give_up_s
    """A spooled recipient is reported as failed after this time."""
    accept_unknown: bool = _SMTP.accept_unknown
    """Recipients that the directory does not know go to the route's pool all the same."""
