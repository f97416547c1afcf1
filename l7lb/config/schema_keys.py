"""Keys that hashes hang on, schedulers and persistence, as they stand below a pool."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from l7lb.config import shorthand, texts
from l7lb.config.fields import TEXT, Chosen, Duration, Parsed, Section, Short
from l7lb.model import SchedulerKind

LEARNED_TIMEOUT_S = 1800.0
_TRUE = {"const": True}

Token = Annotated[bytes, Parsed(texts.token, TEXT)]
Regex = Annotated[
    re.Pattern[bytes],
    Parsed(texts.regex, {"type": "string", "format": "regex", "x-unit": "regular expression"}),
]


class SourceKey(Section):
    """How many bits of the client's address count."""

    ipv4: Annotated[int, Field(ge=1, le=32)] = 32
    """Bits of an IPv4 address."""
    ipv6: Annotated[int, Field(ge=1, le=128)] = 128
    """Bits of an IPv6 address."""


Source = Annotated[SourceKey | None, Short(shorthand.switched, (_TRUE,))]


class Key(Section):
    """What a hash hangs on; exactly one of these.

    Short form: `source`, `host`, `path`, `uri`, `account`.
    """

    source: Source = None
    """The client's address: `true`, or how many bits of it count."""
    host: Chosen = None
    """The host that was asked for."""
    path: Chosen = None
    """The path without the query."""
    uri: Chosen = None
    """The path with the query."""
    account: Chosen = None
    """The account; for protocols that know one."""
    header: Token | None = None
    """The value of this header."""
    query: Annotated[bytes, Parsed(texts.argument_name, TEXT)] | None = None
    """The value of this query argument."""
    cookie: Token | None = None
    """The value of this cookie."""
    capture: Regex | None = None
    """Group 1 of this regular expression, searched in the path."""


KEY_WORDS = ("source", "host", "path", "uri", "account")
ShortKey = Annotated[Key | None, Short(shorthand.word("key", KEY_WORDS), ({"enum": [*KEY_WORDS]},))]
OptionalKey = Annotated[
    Key | None,
    Short(shorthand.optional_key(KEY_WORDS), ({"enum": [*KEY_WORDS, True]},)),
]


class Scheduler(Section):
    """Which server gets a new session; exactly one kind. Short form: its name, as in `rr`."""

    rr: Chosen = None
    """Round robin: each in turn, weights ignored."""
    wrr: Chosen = None
    """Weighted round robin, smooth."""
    lc: Chosen = None
    """Least connections: the fewest open sessions, weights ignored."""
    wlc: Chosen = None
    """Weighted least connections: the fewest sessions for its weight. The default."""
    sed: Chosen = None
    """Shortest expected delay: as wlc, counting the session to come."""
    nq: Chosen = None
    """Never queue: an idle server first, else as sed."""
    hash: ShortKey = None
    """Rendezvous hash of this key."""
    sh: OptionalKey = None
    """Source hash, as in LVS; `true` for the client's address, or a key."""
    dh: OptionalKey = None
    """Destination hash, as in LVS; `true` for the host asked for, or a key."""
    mh: OptionalKey = None
    """Maglev hash; `true` for the client's address, or a key."""
    rendezvous: OptionalKey = None
    """Weighted rendezvous hash; `true` for the client's address, or a key."""
    p2c: Chosen = None
    """The better of two at random, by peak-EWMA latency and open sessions."""
    bound: Annotated[float, Field(gt=1.0, le=1000.0)] | None = None
    """For kinds that hash: no server above this many times the mean load. Without it, no bound."""


SCHEDULERS = tuple(kind.value for kind in SchedulerKind)


class Persistence(Section):
    """What keeps a client on its server; exactly one kind.

    Short form: `source`, `account`, `published`, `none`.
    """

    cookie: Token | None = None
    """A cookie of this name that we insert: opaque, signed, names no address."""
    learned: Token | None = None
    """The application's own cookie of this name, learnt from its responses."""
    source: Source = None
    """The client's address: `true`, or how many bits of it count."""
    account: Chosen = None
    """The account; for protocols that know one."""
    header: Token | None = None
    """The value of this header."""
    query: Annotated[bytes, Parsed(texts.argument_name, TEXT)] | None = None
    """The value of this query argument."""
    capture: Regex | None = None
    """Group 1 of this regular expression, searched in the path."""
    hash: ShortKey = None
    """Any key, among them those that have no word of their own here."""
    published: Chosen = None
    """Who reads a path meets who publishes it (rtsp only)."""
    timeout: Duration | None = None
    """With `cookie`: its Max-Age, 0 (the default) until the browser closes.
    With `learned` and `published`: forgotten after this long unused, by default 30m."""
    limit: Annotated[int, Field(ge=1, le=100_000_000)] | None = None
    """With `learned` and `published`: entries kept, by default 100000; the least recently used
    goes first."""
    same_site: Literal["Lax", "Strict", "None"] | None = None
    """With `cookie`: its SameSite attribute, by default Lax."""
    path: Annotated[str, Parsed(texts.cookie_attribute, TEXT)] | None = None
    """With `cookie`: its Path attribute, by default `/`."""
    domain: Annotated[str, Parsed(texts.cookie_attribute, TEXT)] | None = None
    """With `cookie`: its Domain attribute; without it, the host alone."""
