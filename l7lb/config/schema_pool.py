"""What may stand below `pools`, without the words for keys, schedulers and persistence."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from l7lb.config import addresses, shorthand, texts
from l7lb.config.fields import (
    TEXT,
    WHOLE,
    Chosen,
    Count,
    Duration,
    Number,
    Parsed,
    Period,
    Section,
    Share,
    Short,
    Size,
)
from l7lb.config.schema_keys import SCHEDULERS, Persistence, Regex, Scheduler
from l7lb.config.schema_mail import ServerLogin, SmtpLogin
from l7lb.config.schema_secret import FileName
from l7lb.model import Address, CheckSpec, PoolSpec, ServerTls
from l7lb.model_failures import OutlierSpec, RetrySpec

_TLS = ServerTls()
_CHECK = CheckSpec()
_OUTLIER = OutlierSpec()
_RETRY = RetrySpec()
_POOL = PoolSpec("", ())

Weight = Annotated[int, Field(ge=0, le=65535)]
Port = Annotated[int, Field(ge=1, le=65535)]
_TRUE = {"const": True}
_OFF = {"enum": ["none", "off", False]}


class ServerTlsSection(Section):
    """TLS towards servers. Short form: `true` for all defaults, `none` for no TLS."""

    verify: bool = _TLS.verify
    """Verify the server's certificate and name."""
    ca: FileName | None = None
    """PEM file with the authorities to trust; without it the system's."""
    server_name: Annotated[str, Parsed(addresses.host_name, TEXT)] | None = None
    """Name that is sent as SNI and verified; without it the host of the address."""
    certificate: FileName | None = None
    """PEM file with our certificate, when servers ask for one."""
    key: FileName | None = None
    """PEM file with its private key; without it, the key stands in `certificate`."""
    starttls: bool = _TLS.starttls
    """Begin TLS by the protocol's own command (mail only)."""


Tls = Annotated[
    ServerTlsSection | None, Short(shorthand.switched, ({"enum": [True, False, "none", "off"]},))
]


class Server(Section):
    """One real server. Short form: its address, as in `10.0.0.1:80`."""

    address: Annotated[Address, Parsed(addresses.host_address, {**TEXT, "x-unit": "address"})]
    """`IP:PORT`, `[IPv6]:PORT`, `NAME:PORT` (looked up again and again) or `unix:PATH`; with
    `ports` it needs no port, and then the first of them is probed."""
    ports: dict[Literal["imap", "pop3", "lmtp", "smtp"], Port] = Field(default={})
    """Ports by mail protocol, as in `{imap: 143, lmtp: 24}`."""
    name: Annotated[str, Parsed(texts.server_name, TEXT)] | None = None
    """Name in commands, metrics and logs, unique in the pool; without it, the address."""
    weight: Weight = 1
    """Share of new sessions relative to the others; 0 takes none."""
    backup: bool = False
    """Used only when no other server of the pool is usable."""
    max_connections: Count = 0
    """Sessions at once, over all workers; 0: no limit."""


class Check(Section):
    """How health is probed; exactly one kind. Short form: `tcp`, `http`, `icmp`, `imap`, `pop3`,
    `smtp`, `lmtp`, `none`. Without a check: the first of the mail protocols in `ports` that all
    servers have, else `tcp`."""

    tcp: Chosen = None
    """A connection is made."""
    http: (
        Annotated[str, Parsed(texts.request_target, TEXT), Short(shorthand.http_path, (_TRUE,))]
        | None
    ) = None
    """An HTTP request for this path (and query) is answered with a good status; `true`: for `/`."""
    icmp: Chosen = None
    """An echo request is answered."""
    imap: Chosen = None
    """The server greets, at its port for IMAP, and answers LOGOUT."""
    pop3: Chosen = None
    """The server greets, at its port for POP3, and answers QUIT."""
    smtp: Chosen = None
    """The server greets, at its port for SMTP, and answers QUIT."""
    lmtp: Chosen = None
    """The server greets, at its port for LMTP, and answers QUIT."""
    none: Chosen = None
    """No probe: servers count as healthy."""
    every: Period = _CHECK.interval_s
    """Time between probes."""
    fast_every: Period = _CHECK.fast_interval_s
    """Time between probes while the verdict is in doubt."""
    timeout: Period = _CHECK.timeout_s
    """How long an answer may take."""
    rise: Number = _CHECK.rise
    """Good probes in a row that bring a server up."""
    fall: Number = _CHECK.fall
    """Bad probes in a row that take it down."""
    jitter: Share = _CHECK.jitter
    """Share of the interval by which each wait is spread."""
    port: Port | None = None
    """Port to probe; without it, the server's. Not with icmp."""
    method: Annotated[str, Parsed(texts.method_text, TEXT)] = _CHECK.method
    """HTTP method. With http only, as all below but `tls`."""
    host: Annotated[str, Parsed(texts.authority, TEXT)] | None = None
    """Host header; without it, the server's address."""
    status: Annotated[
        list[
            Annotated[tuple[int, int], Parsed(texts.status_range, {"type": ["integer", "string"]})]
        ],
        Short(shorthand.listed, ()),
    ] = Field(default=[*_CHECK.statuses])
    """Good status codes: one, a range such as `200-299`, or a list of these."""
    body: Regex | None = None
    """Regular expression that must be found in the body."""
    body_limit: Size = _CHECK.body_limit_bytes
    """How much of the body is read at most."""
    tls: Tls = None
    """Probe by TLS; when not given, as the pool's `tls` says. With http and the mail protocols,
    which are greeted before STARTTLS."""


class Outlier(Section):
    """Servers that fail real traffic are ejected for a while. Short form: `none`."""

    consecutive_errors: Count = _OUTLIER.consecutive_errors
    """Failures in a row (connect, reset, 502, 503, 504) that eject; 0: off."""
    consecutive_connect_errors: Count = _OUTLIER.consecutive_connect_errors
    """Failed connects in a row that eject; 0: off."""
    latency_factor: Annotated[float, Field(ge=0.0, le=1_000_000.0)] = _OUTLIER.latency_factor
    """Eject above this many times the pool's median time to first byte; 0: off."""
    ejection: Period = _OUTLIER.ejection_s
    """Length of the first ejection; it doubles each time."""
    max_ejection: Period = _OUTLIER.max_ejection_s
    """Longest ejection."""
    max_ejected: Share = _OUTLIER.max_ejected
    """Share of the pool that may be ejected at once."""


class Retry(Section):
    """Tries on another server, when that is safe. Short form: the number of attempts."""

    attempts: Annotated[int, Field(ge=0, le=100)] = _RETRY.attempts
    """Tries after the first; 0: none."""
    budget: Share = _RETRY.budget
    """Retries per request, over the last ten seconds."""
    minimum: Count = _RETRY.minimum
    """Retries in ten seconds that are always allowed."""


ShortRetry = Annotated[Retry, Short(shorthand.keyed("attempts", int), (WHOLE,))]


class Pool(Section):
    """An interchangeable set of real servers."""

    servers: Annotated[
        list[Annotated[Server, Short(shorthand.keyed("address", str), (TEXT,))]],
        Short(shorthand.listed, ()),
    ] = Field(default=[], json_schema_extra={"x-required": True})
    """The real servers."""
    scheduler: Annotated[
        Scheduler, Short(shorthand.word("scheduler", SCHEDULERS), ({"enum": [*SCHEDULERS]},))
    ] = Scheduler(wlc=True)
    """Which server gets a new session."""
    persistence: Annotated[
        Persistence | None,
        Short(shorthand.persistence, ({"enum": ["source", "account", "none", "off", False]},)),
    ] = None
    """What keeps a client on its server; without it, nothing does."""
    check: Annotated[
        Check,
        Short(shorthand.check, ({"enum": [*shorthand.CHECKS, "off", False]},)),
    ] = Check(tcp=True)
    """How health is probed."""
    outlier: Annotated[Outlier, Short(shorthand.outlier, (_OFF,))] = Outlier()
    """When real traffic ejects a server."""
    retry: ShortRetry = Retry()
    """Tries on another server."""
    slow_start: Duration = _POOL.slow_start_s
    """Time in which a server that came up grows to its full share; 0: at once."""
    panic_threshold: Share = _POOL.panic_threshold
    """Below this share of usable servers, health is ignored; 0: never."""
    max_queue: Count = _POOL.max_queue
    """Requests that wait for a server below its `max_connections`; more are refused with 503."""
    queue_timeout: Period = _POOL.queue_timeout_s
    """How long a request waits there."""
    drain_deadline: Duration = _POOL.drain_deadline_s
    """How long clients with persistence keep a server that drains."""
    tls: Tls = None
    """TLS to the servers."""
    login: ServerLogin | None = None
    """How the director logs in at servers of IMAP and POP3; without it, with what the client
    gave."""
    smtp_login: (
        Annotated[SmtpLogin, Short(shorthand.smtp_login, ({"enum": ["client"]},))] | None
    ) = None
    """How the director logs in at servers of SMTP and LMTP; without it, it does not."""
    takeover: Duration = _POOL.takeover_s
    """Mail accounts whose server is down wait so long before another one has them: for servers on
    shared storage that check no fencing tokens, such as Dovecot, and may not be dead, but slow."""
    send_proxy: Annotated[
        int,
        Parsed(
            shorthand.send_proxy, {"enum": ["none", "v1", "v2", False], "x-unit": "PROXY version"}
        ),
    ] = _POOL.send_proxy
    """PROXY protocol header to the servers."""
    resolve_every: Period = _POOL.resolve_s
    """How often DNS names are looked up again."""
    reuse: bool = _POOL.reuse
    """Keep server connections open and use them again."""
    max_idle: Count = _POOL.max_idle
    """Idle server connections that are kept, for each server and worker."""
