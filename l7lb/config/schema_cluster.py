"""What may stand in a rules file: services, the director, and the whole."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from l7lb.config import addresses, shorthand
from l7lb.config.fields import (
    TEXT,
    Count,
    Duration,
    OneOrMany,
    Parsed,
    Period,
    Section,
    Short,
    Size,
)
from l7lb.config.schema_directory import DirectorySection
from l7lb.config.schema_keys import Token
from l7lb.config.schema_mail import Login, Network, Smtp
from l7lb.config.schema_mail_storage import MailSection
from l7lb.config.schema_media import DirectorMedia, Rtsp
from l7lb.config.schema_media_agent import MediaSection
from l7lb.config.schema_pool import Pool
from l7lb.config.schema_route import Route
from l7lb.config.schema_secret import FileName, Secret
from l7lb.config.schema_store import StoreSection
from l7lb.model import (
    AccessLog,
    Address,
    DirectorSpec,
    ListenSpec,
    ListenTls,
    Timeouts,
)
from l7lb.model_http import HttpLimits, HttpOptions
from l7lb.model_mail import MAIL_PROTOCOLS

_TIMEOUTS = Timeouts()
_LIMITS = HttpLimits()
_HTTP = HttpOptions()
_LISTEN = ListenSpec(Address("*", 80))
_TLS = ListenTls(())
_DIRECTOR = DirectorSpec()
PROTOCOLS = ("http", *MAIL_PROTOCOLS, "rtsp")

ListenAddress = Annotated[Address, Parsed(addresses.listen_address, {**TEXT, "x-unit": "address"})]


class CertificateSection(Section):
    """A certificate. Short form: one PEM file with chain and key."""

    chain: FileName
    """PEM file with the certificate and its chain."""
    key: FileName | None = None
    """PEM file with the private key; without it, the key stands in `chain`."""


class ListenTlsSection(Section):
    """TLS towards clients. Short form: one certificate, or a list of them."""

    certificates: Annotated[
        list[Annotated[CertificateSection, Short(shorthand.keyed("chain", str), (TEXT,))]],
        Short(shorthand.listed, ()),
        Field(min_length=1),
    ]
    """Certificates, chosen by the name that the client asks for; the first when none fits."""
    client_ca: FileName | None = None
    """PEM file: clients are asked for a certificate of these authorities."""
    client_required: bool = _TLS.client_required
    """With `client_ca`: refuse clients without a certificate."""
    minimum: Annotated[
        str, Parsed(shorthand.minimum_tls, {"enum": ["1.2", "1.3", 1.2, 1.3], "x-unit": "word"})
    ] = _TLS.minimum
    """Lowest TLS version."""
    ciphers: str | None = None
    """OpenSSL cipher list for TLS 1.2; without it, OpenSSL's default."""
    alpn: OneOrMany[Literal["http/1.1", "http/1.0", "imap", "pop3"]] = Field(default=["http/1.1"])
    """Application protocols that are offered; with imap and pop3 by default theirs, with smtp
    and rtsp none."""


class Listen(Section):
    """Where clients come in. Short form: the address."""

    address: ListenAddress
    """`*:PORT`, `IP:PORT`, `[IPv6]:PORT` or `unix:PATH`; port 0: any that is free."""
    tls: (
        Annotated[ListenTlsSection, Short(shorthand.certificates, (TEXT, {"type": "array"}))] | None
    ) = None
    """Terminate TLS."""
    starttls: (
        Annotated[ListenTlsSection, Short(shorthand.certificates, (TEXT, {"type": "array"}))] | None
    ) = None
    """Begin TLS when the client asks for it in the protocol (mail only)."""
    passthrough: bool = _LISTEN.passthrough
    """Route TLS by SNI and relay it without terminating it (http only)."""
    proxy_from: OneOrMany[Network] = Field(default=[])
    """Networks that must send a PROXY protocol header (v1 or v2); others must not."""
    backlog: Annotated[int, Field(ge=1, le=1_000_000)] = _LISTEN.backlog
    """Connections that may wait to be accepted."""


class TimeoutsSection(Section):
    """One limit for each phase of a client connection; all are finite."""

    tls_handshake: Period = _TIMEOUTS.tls_handshake_s
    """TLS handshake of a client."""
    head: Period = _TIMEOUTS.head_s
    """From the first byte of a request to the end of its head."""
    body_idle: Period = _TIMEOUTS.body_idle_s
    """Silence inside a request body."""
    connect: Period = _TIMEOUTS.connect_s
    """Making a connection to a server."""
    first_byte: Period = _TIMEOUTS.first_byte_s
    """From the end of the request to the first byte of the final response."""
    between_bytes: Period = _TIMEOUTS.between_bytes_s
    """Silence inside a response body."""
    send_idle: Period = _TIMEOUTS.send_idle_s
    """A client that takes none of the bytes that wait for it."""
    keep_alive: Period = _TIMEOUTS.keep_alive_s
    """A client connection between two requests, or before a login; with smtp by default 5m."""
    tunnel_idle: Period = _TIMEOUTS.tunnel_idle_s
    """Silence in a tunnel (WebSocket, CONNECT), or after a login; with mail by default 35m.
    With rtsp of a client that has a session, by default 12h."""
    server_idle: Period = _TIMEOUTS.server_idle_s
    """A server connection kept open for reuse."""


class Limits(Section):
    """What a request may measure."""

    head: Annotated[int, Parsed(shorthand.head_size, {**TEXT, "x-unit": "size"})] = (
        _LIMITS.head_bytes
    )
    """Head of a request, from 1KiB to 1MiB; 431 above."""
    fields: Annotated[int, Field(ge=1, le=10_000)] = _LIMITS.fields
    """Header fields of a request; 431 above."""
    body: Size = _LIMITS.body_bytes
    """Body of a request, 413 above; 0: no limit."""
    pipeline: Size = _LIMITS.pipeline_bytes
    """Bytes of following requests that are held while one is answered."""


class Http(Section):
    """How an HTTP service treats requests."""

    limits: Limits = Limits()
    """What a request may measure."""
    forwarded: Annotated[
        list[
            Literal[
                "forwarded",
                "via",
                "x-forwarded-for",
                "x-forwarded-host",
                "x-forwarded-proto",
                "x-request-id",
            ]
        ],
        Short(shorthand.listed_or_none, (TEXT,)),
    ] = Field(
        default=[
            "forwarded",
            "via",
            "x-forwarded-for",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-request-id",
        ]
    )
    """Fields that tell servers about the client; `none` for none."""
    trusted_proxies: OneOrMany[Network] = Field(default=[])
    """Networks whose X-Forwarded-For, Forwarded and X-Request-ID are believed and added to."""
    client_name_header: Token = _HTTP.client_name_header
    """Carries the name in the verified client certificate; removed from what clients send."""
    encoded_slash: bool = _HTTP.encoded_slash
    """Let %2F and %5C pass in paths; refused with 400 otherwise."""
    underscores: bool = _HTTP.underscores
    """Let header names with `_` pass; dropped otherwise."""


class AccessLogSection(Section):
    """One line for each request. Short form: the format."""

    format: Literal["json", "combined", "off"] = AccessLog().format.value
    """JSON lines, the combined format of web servers (http only), or none."""
    path: FileName = AccessLog().path
    """File, or `-` for standard output."""


class Service(Section):
    """A virtual service: where clients come in, and the rules for what they ask."""

    protocol: Literal["http", "imap", "pop3", "smtp", "rtsp"]
    """What is spoken."""
    listen: Annotated[
        list[Annotated[Listen, Short(shorthand.keyed("address", str, int), (TEXT,))]],
        Short(shorthand.listed, ()),
    ] = Field(default=[], json_schema_extra={"x-required": True})
    """Addresses where clients come in."""
    routes: Annotated[list[Route], Short(shorthand.listed, ())] = Field(
        default=[], json_schema_extra={"x-required": True}
    )
    """The rules; the most specific that holds is taken."""
    timeouts: TimeoutsSection = TimeoutsSection()
    """Limits in time."""
    http: Http = Http()
    """How requests are treated (http only)."""
    login: Login = Login()
    """How clients log in (imap, pop3, smtp)."""
    smtp: Smtp = Smtp()
    """How messages are treated (smtp only)."""
    rtsp: Rtsp = Rtsp()
    """How clients are treated (rtsp only)."""
    access_log: Annotated[
        AccessLogSection,
        Short(shorthand.access_log, ({"enum": ["json", "combined", "off", False]},)),
    ] = AccessLogSection()
    """Where requests are logged."""
    max_connections: Count = 0
    """Client connections at once, over all workers; 0: no limit."""
    max_per_source: Count = 0
    """Client connections at once from one address, in each worker; 0: no limit."""


class Director(Section):
    """The process itself."""

    workers: Annotated[
        int,
        Parsed(
            shorthand.workers,
            {
                "anyOf": [{"const": "auto"}, {"type": "integer", "minimum": 1, "maximum": 1024}],
                "x-unit": "auto or number",
            },
        ),
    ] = _DIRECTOR.workers
    """Worker processes; `auto`: one for each core."""
    control: FileName | None = None
    """Unix socket of the control API; without it, below $XDG_RUNTIME_DIR or /run/l7lb."""
    drain_deadline: Duration = _DIRECTOR.drain_deadline_s
    """How long a stop lets sessions end by themselves."""
    loop: Literal["auto", "uvloop", "asyncio"] = "auto"
    """Event loop; `auto`: uvloop where it is installed."""
    metrics: ListenAddress | None = None
    """Listener for Prometheus; without it, none."""
    cookie_secret: Annotated[Secret, Short(shorthand.secret, None)] | None = None
    """Signs persistence cookies; at least 16 bytes, the same on every director.
    Without it, made at the first start and kept in `state`."""
    state: FileName | None = None
    """Directory for what outlives a restart; without it, below $XDG_STATE_HOME or /var/lib/l7lb."""
    media: DirectorMedia = DirectorMedia()
    """Its processes for media."""


class Cluster(Section):
    """The whole file."""

    include: OneOrMany[FileName] = Field(default=[])
    """Other files, or globs, whose pools and services are added; relative to this file."""
    pools: dict[str, Pool] = Field(default={})
    """Pools by name."""
    services: dict[str, Service] = Field(default={})
    """Virtual services by name."""
    directory: DirectorySection | None = None
    """Where accounts are; without it, none are known."""
    store: StoreSection | None = None
    """What directors share: drains, weights, learnt cookies, locks, assignments of accounts.
    Without it, each is alone; with a mail service it keeps one of its own."""
    mail: MailSection | None = None
    """Mail, beside its services."""
    media: MediaSection | None = None
    """Media, beside its services."""
    director: Director = Director()
    """The process itself."""
