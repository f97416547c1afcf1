"""Frozen specifications: what the rules file says, compiled. No live state lives here.

Seconds are floats and end in `_s`, sizes are bytes and end in `_bytes`.
Every object compares by value, so that `config.diff` can tell what changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from l7lb.model_directory import DirectorySpec
from l7lb.model_failures import OutlierSpec, RetrySpec
from l7lb.model_hot_files import HotFilesSpec
from l7lb.model_http import FixedReply, HeaderEdits, HttpOptions, Redirect
from l7lb.model_mail import (
    MAIL_PROTOCOLS,
    LoginOptions,
    ServerLoginSpec,
    SmtpLoginSpec,
    SmtpOptions,
)
from l7lb.model_media import DirectorMediaSpec, MediaSpec, RtspOptions
from l7lb.model_migration import MailStorageSpec
from l7lb.model_store import StoreSpec

# --------------------------------------------------------------------------- servers and pools


@dataclass(frozen=True, slots=True)
class Address:
    """Where something listens: a literal IP, a DNS name, `*`, or `unix:/path` with port 0."""

    host: str
    port: int

    def __str__(self) -> str:
        if self.host.startswith("unix:"):
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


Endpoint = tuple[int, tuple[str, int] | tuple[str, int, int, int] | str]
"""What a socket can connect to: family and sockaddr; a DNS name has one once it is resolved."""


class Health(StrEnum):
    """The verdict of the probes on a server."""

    UNKNOWN = "unknown"
    """Never probed: not checked, or no answer to the first probe yet."""
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class ServerTls:
    """TLS from the director to a server. Verification is on unless the file says otherwise."""

    verify: bool = True
    ca: str | None = None
    """PEM file; None: the system's."""
    server_name: str | None = None
    """SNI and the name to verify; None: the server's host name."""
    certificate: str | None = None
    key: str | None = None
    starttls: bool = False
    """The protocol starts TLS by its own command (mail only)."""


@dataclass(frozen=True, slots=True)
class ServerSpec:
    name: str
    """Unique in its pool; the address as written when the file gives no name."""
    address: Address
    weight: int = 1
    """0 to 65535; 0 takes no new sessions."""
    backup: bool = False
    max_connections: int = 0
    """Sessions at once over all workers; 0: no limit."""
    ports: tuple[tuple[str, int], ...] = ()
    """Ports by protocol (`imap`, `pop3`, `smtp`, `lmtp`) where they differ from the address's."""
    media_ports: tuple[int, int] | None = None
    """First and last UDP port from which it sends RTP and RTCP; None: not known."""

    def port(self, protocol: str) -> int:
        """Where it speaks this protocol; 0: only at its address."""
        return next((port for name, port in self.ports if name == protocol), 0)


class CheckKind(StrEnum):
    TCP = "tcp"
    HTTP = "http"
    ICMP = "icmp"
    RTSP = "rtsp"
    IMAP = "imap"
    POP3 = "pop3"
    SMTP = "smtp"
    LMTP = "lmtp"
    NONE = "none"

    @property
    def is_greeting(self) -> bool:
        """The server speaks first; the kind is named like the server's port for it."""
        return self in GREETINGS


GREETINGS = frozenset({CheckKind.IMAP, CheckKind.POP3, CheckKind.SMTP, CheckKind.LMTP})


@dataclass(frozen=True, slots=True)
class CheckSpec:
    kind: CheckKind = CheckKind.TCP
    interval_s: float = 2.0
    fast_interval_s: float = 0.5
    """Between probes while the verdict is in doubt."""
    timeout_s: float = 2.0
    rise: int = 2
    fall: int = 3
    jitter: float = 0.1
    """Share of the interval by which each wait is spread."""
    port: int | None = None
    path: str = "/"
    """With rtsp: `*` for OPTIONS, else what is described."""
    method: str = "GET"
    host: str | None = None
    statuses: tuple[tuple[int, int], ...] = ((200, 399),)
    """Inclusive ranges of good status codes."""
    body: re.Pattern[bytes] | None = None
    body_limit_bytes: int = 65536
    tls: ServerTls | None = None
    send_proxy: int = 0
    """PROXY header before a greeting, as in `PoolSpec`."""


class SchedulerKind(StrEnum):
    RR = "rr"
    WRR = "wrr"
    LC = "lc"
    WLC = "wlc"
    SED = "sed"
    NQ = "nq"
    SH = "sh"
    DH = "dh"
    MH = "mh"
    RENDEZVOUS = "rendezvous"
    HASH = "hash"
    P2C = "p2c"


class KeyKind(StrEnum):
    """Where the bytes come from that a hash or a persistence hangs on."""

    SOURCE = "source"
    HOST = "host"
    PATH = "path"
    URI = "uri"
    HEADER = "header"
    QUERY = "query"
    COOKIE = "cookie"
    ACCOUNT = "account"
    CAPTURE = "capture"


@dataclass(frozen=True, slots=True)
class KeySpec:
    kind: KeyKind
    name: bytes = b""
    """Header (lower case), cookie or query name."""
    pattern: re.Pattern[bytes] | None = None
    """For `capture`: searched in the path; group 1 is the key."""
    prefix_length: tuple[int, int] = (32, 128)
    """For `source`: bits of an IPv4 and an IPv6 address that count."""


@dataclass(frozen=True, slots=True)
class SchedulerSpec:
    kind: SchedulerKind = SchedulerKind.WLC
    key: KeySpec | None = None
    bound: float | None = None
    """For hashes: no server above `bound` times the mean load (Mirrokni et al. 2018); None: off."""


class PersistenceKind(StrEnum):
    COOKIE = "cookie"
    """Inserted by us: opaque, signed, names no address."""
    LEARNED = "learned"
    """The application's own cookie, learnt from the response."""
    HASH = "hash"
    """Rendezvous hash of a key; nothing is stored."""
    PUBLISHED = "published"
    """Readers of a path meet its publisher (rtsp); learnt from ANNOUNCE and RECORD."""


LEARNING = frozenset({PersistenceKind.LEARNED, PersistenceKind.PUBLISHED})
"""Kinds with a table that directors share."""


@dataclass(frozen=True, slots=True)
class PersistenceSpec:
    kind: PersistenceKind
    name: bytes = b""
    """Cookie name."""
    key: KeySpec | None = None
    timeout_s: float = 0.0
    """Learned, published: forget after this long unused. Inserted cookie: Max-Age; 0: a session
    cookie."""
    limit: int = 100_000
    """Learned: entries kept; the least recently used goes first."""
    same_site: str = "Lax"
    path: str = "/"
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """One limit for each phase; every one is finite."""

    tls_handshake_s: float = 10.0
    head_s: float = 10.0
    """From the first byte of a request to the end of its head."""
    body_idle_s: float = 30.0
    """Silence inside a request body."""
    connect_s: float = 5.0
    first_byte_s: float = 60.0
    """From the end of the request to the first byte of the final response."""
    between_bytes_s: float = 60.0
    """Silence inside a response body."""
    send_idle_s: float = 30.0
    """A client that takes none of the bytes that wait for it."""
    keep_alive_s: float = 60.0
    """A client connection between two requests."""
    tunnel_idle_s: float = 3600.0
    server_idle_s: float = 30.0
    """A server connection kept open for reuse."""


@dataclass(frozen=True, slots=True)
class PoolSpec:
    name: str
    servers: tuple[ServerSpec, ...]
    scheduler: SchedulerSpec = SchedulerSpec()
    persistence: PersistenceSpec | None = None
    check: CheckSpec = CheckSpec()
    outlier: OutlierSpec = OutlierSpec()
    retry: RetrySpec = RetrySpec()
    slow_start_s: float = 0.0
    panic_threshold: float = 0.2
    """Below this share of usable servers, health is ignored; 0: never."""
    max_queue: int = 1024
    queue_timeout_s: float = 10.0
    drain_deadline_s: float = 3600.0
    """How long persistent clients keep a drained server."""
    tls: ServerTls | None = None
    send_proxy: int = 0
    """PROXY protocol to the servers: 0 none, 1 text, 2 binary."""
    resolve_s: float = 30.0
    """DNS names are asked again this often."""
    reuse: bool = True
    """Keep server connections open and reuse them."""
    max_idle: int = 64
    """Idle server connections kept for each server and worker."""
    login: ServerLoginSpec | None = None
    """IMAP and POP3: who logs in there."""
    smtp_login: SmtpLoginSpec | None = None
    takeover_s: float = 0.0
    """Mail: an account whose server is down waits so long for another one."""
    media: MediaSpec = MediaSpec()


# --------------------------------------------------------------------------- routes


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the rules file something stands."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class PathKind(StrEnum):
    ANY = "any"
    EXACT = "exact"
    PREFIX = "prefix"
    """Matches at a segment boundary; text is without the trailing `/*`."""
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class PathMatch:
    kind: PathKind = PathKind.ANY
    text: bytes = b""
    pattern: re.Pattern[bytes] | None = None
    """Full match; its groups are the captures {1}, {2}, … For a prefix {1} is the rest."""


@dataclass(frozen=True, slots=True)
class ValueMatch:
    """A header, query argument, cookie or attribute: equal to `value`, full match of `pattern`, or
    there."""

    name: bytes
    value: bytes | None = None
    pattern: re.Pattern[bytes] | None = None


@dataclass(frozen=True, slots=True)
class MatchSpec:
    """All that is given must hold. Empty tuples hold always."""

    hosts: tuple[bytes, ...] = ()
    """Lower case; exact, or `*.example.org` (one or more labels)."""
    path: PathMatch = PathMatch()
    methods: tuple[bytes, ...] = ()
    headers: tuple[ValueMatch, ...] = ()
    query: tuple[ValueMatch, ...] = ()
    cookies: tuple[ValueMatch, ...] = ()
    sources: tuple[str, ...] = ()
    """Networks in CIDR form."""
    sni: tuple[bytes, ...] = ()
    tls_names: tuple[bytes, ...] = ()
    """Verified client certificate names, with `*` as in `fnmatch`."""
    accounts: tuple[bytes, ...] = ()
    recipients: tuple[bytes, ...] = ()
    attributes: tuple[ValueMatch, ...] = ()
    """Of the account; names in lower case. One value that fits is enough."""


@dataclass(frozen=True, slots=True)
class RouteSpec:
    """One rule. Exactly one of `pools`, `redirect`, `reply` is given."""

    name: str
    place: Place = field(compare=False)
    match: MatchSpec = MatchSpec()
    pools: tuple[tuple[str, int], ...] = ()
    """Pool names with their share (1 for a single pool)."""
    redirect: Redirect | None = None
    reply: FixedReply | None = None
    rewrite_path: bytes | None = None
    """Template for the path that is forwarded."""
    rewrite_host: bytes | None = None
    request_headers: HeaderEdits = HeaderEdits()
    response_headers: HeaderEdits = HeaderEdits()
    mirror: str | None = None
    """Pool that gets a copy; its answers are thrown away."""
    mirror_share: float = 1.0
    allow_connect: bool = False
    timeouts: Timeouts | None = None
    """None: the service's."""
    retry: RetrySpec | None = None
    """None: the pool's."""


# --------------------------------------------------------------------------- services


@dataclass(frozen=True, slots=True)
class Certificate:
    """One PEM file with chain and key, or two files. Names come from the certificate itself."""

    chain: str
    key: str | None = None


@dataclass(frozen=True, slots=True)
class ListenTls:
    certificates: tuple[Certificate, ...]
    """The first is used when no name matches."""
    client_ca: str | None = None
    """PEM file: ask clients for a certificate of these authorities (mTLS)."""
    client_required: bool = True
    minimum: str = "1.2"
    ciphers: str | None = None
    alpn: tuple[str, ...] = ("http/1.1",)


@dataclass(frozen=True, slots=True)
class ListenSpec:
    address: Address
    tls: ListenTls | None = None
    passthrough: bool = False
    """Route by SNI and relay TLS without terminating it."""
    proxy_from: tuple[str, ...] = ()
    """Networks that must send a PROXY protocol header (v1 or v2); others must not."""
    backlog: int = 4096
    starttls: ListenTls | None = None
    """TLS when the client asks for it in the protocol (mail only); never with `tls`."""


class LogFormat(StrEnum):
    JSON = "json"
    COMBINED = "combined"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class AccessLog:
    format: LogFormat = LogFormat.JSON
    path: str = "-"
    """File, or `-` for standard output."""


@dataclass(frozen=True, slots=True)
class ServiceSpec:
    """A virtual service: where clients come in and the rules for what they ask."""

    name: str
    protocol: str
    listen: tuple[ListenSpec, ...]
    routes: tuple[RouteSpec, ...]
    timeouts: Timeouts = Timeouts()
    http: HttpOptions = HttpOptions()
    login: LoginOptions = LoginOptions()
    smtp: SmtpOptions = SmtpOptions()
    rtsp: RtspOptions = RtspOptions()
    access_log: AccessLog = AccessLog()
    max_connections: int = 0
    """Client connections at once, over all workers; 0: no limit."""
    max_per_source: int = 0
    """Client connections at once from one address, in each worker; 0: no limit."""


@dataclass(frozen=True, slots=True)
class DirectorSpec:
    workers: int = 0
    """0: one for each core."""
    control: str = ""
    """Unix socket of the control API; empty: a default below $XDG_RUNTIME_DIR or /run/l7lb."""
    drain_deadline_s: float = 30.0
    """How long SIGTERM lets sessions end by themselves."""
    loop: str = "auto"
    """`uvloop`, `asyncio`, or `auto`: uvloop where it is installed."""
    metrics: Address | None = None
    cookie_secret: bytes = b""
    """Signs persistence cookies; empty: made at first start and kept in `state`."""
    state: str = ""
    """Directory for what must outlive a restart; empty: below $XDG_STATE_HOME or /var/lib/l7lb."""
    media: DirectorMediaSpec = DirectorMediaSpec()


@dataclass(frozen=True, slots=True)
class ClusterSpec:
    """One rules file, compiled."""

    pools: Mapping[str, PoolSpec]
    services: Mapping[str, ServiceSpec]
    director: DirectorSpec = DirectorSpec()
    directory: DirectorySpec | None = None
    """Where accounts are."""
    store: StoreSpec | None = None
    """What directors share; None: this one is alone."""
    mail_storage: MailStorageSpec | None = None
    """Where Maildirs are."""
    hot_files: HotFilesSpec | None = None
    """Copies on media servers' own disks."""
    files: tuple[str, ...] = ()
    """Every file that was read, the main one first."""

    @property
    def has_mail(self) -> bool:
        """Mail cannot be without a store and accounts."""
        return any(each.protocol in MAIL_PROTOCOLS for each in self.services.values())

    @property
    def has_media(self) -> bool:
        return any(each.protocol == "rtsp" for each in self.services.values())
