"""What may stand in an item of `routes`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from l7lb.config import addresses, shorthand, texts
from l7lb.config.fields import TEXT, WHOLE, Chosen, OneOrMany, Parsed, Period, Section, Share, Short
from l7lb.config.schema_keys import Regex, Token
from l7lb.config.schema_mail import Network
from l7lb.config.schema_pool import ShortRetry
from l7lb.model import PathMatch, Place, RouteSpec
from l7lb.model_http import FixedReply

_REPLY = FixedReply(200)
_ROUTE = RouteSpec("", Place("", 1, 1))

HostPattern = Annotated[bytes, Parsed(addresses.host_pattern, {**TEXT, "x-unit": "host"})]
FieldValue = Annotated[bytes, Parsed(texts.field_value, TEXT)]
Glob = Annotated[bytes, Parsed(texts.glob_name, TEXT)]
Template = Annotated[bytes, Parsed(texts.template, {**TEXT, "x-unit": "template"})]
Texts = Annotated[bytes, Parsed(texts.wire_text, TEXT)]


class Value(Section):
    """A header, query argument, cookie or attribute; exactly one of these. Short form: the text, or
    `true`."""

    equals: Texts | None = None
    """It is this text."""
    regex: Regex | None = None
    """All of it matches this regular expression."""
    present: Chosen = None
    """It is there, whatever it holds."""


Values = dict[str, Annotated[Value, Short(shorthand.value_match, (TEXT, {"const": True}))]]


class RedirectSection(Section):
    """A redirect. Short form: its target."""

    to: Template
    """Target: a URL or path with `{1}`, `{2}` … for the captures of the path match,
    `{host}`, `{path}`, `{query}`."""
    status: Literal[301, 302, 303, 307, 308] = 308
    """Status code."""


HeaderValues = dict[str, Annotated[list[FieldValue], Short(shorthand.listed, ())]]


class Reply(Section):
    """A fixed response. Short form: its status."""

    status: Annotated[int, Field(ge=200, le=599)]
    """Status code."""
    headers: HeaderValues = Field(default={})
    """Header fields; a list of values gives several lines."""
    body: Texts = _REPLY.body
    """Body, as text."""


class Rewrite(Section):
    """What the server sees instead of what the client asked for. Short form: the path."""

    path: Template | None = None
    """Path that is forwarded; placeholders as in a redirect. The query stays as it is."""
    host: Template | None = None
    """Host that is forwarded; placeholders as in a redirect."""


class Headers(Section):
    """Changes to header fields, made in the order remove, set, add."""

    remove: OneOrMany[Token] = Field(default=[])
    """Fields that go."""
    set: dict[str, FieldValue] = Field(default={})
    """Fields that get this value instead of any they have."""
    add: HeaderValues = Field(default={})
    """Fields that are added; a list of values gives several lines."""


class Mirror(Section):
    """A copy of requests to another pool, whose answers are thrown away. Short form: the pool."""

    pool: str
    """Pool that gets the copy."""
    share: Share = _ROUTE.mirror_share
    """Share of the requests that are copied."""


class RouteTimeouts(Section):
    """Limits for the requests of this route; what is left out is the service's."""

    body_idle: Period | None = None
    """Silence inside a request body."""
    connect: Period | None = None
    """Making a connection to a server."""
    first_byte: Period | None = None
    """From the end of the request to the first byte of the final response."""
    between_bytes: Period | None = None
    """Silence inside a response body."""
    send_idle: Period | None = None
    """A client that takes none of the bytes that wait for it."""
    tunnel_idle: Period | None = None
    """Silence in a tunnel (WebSocket, CONNECT)."""


class Route(Section):
    """Conditions that must all hold, and what then happens: `pool`, `redirect` or `reply`."""

    name: Annotated[str, Parsed(texts.route_name, TEXT)] | None = None
    """Name in explanations and differences; without it, made from the conditions."""
    host: OneOrMany[HostPattern] = Field(default=[])
    """Host asked for: exact, or `*.example.org` for one or more labels. With http only, as `path`
    to `cookie`, and all but `pool`, `timeouts` and `retry` of what then happens."""
    path: Annotated[PathMatch, Parsed(texts.path_match, TEXT)] = PathMatch()
    """`/x` exactly, `/x/*` for x and all below, or `~ EXPRESSION` for a regular expression
    that matches all of the path; captures are `{1}`, `{2}` …, the rest of `/x/*` is `{1}`."""
    method: OneOrMany[Annotated[bytes, Parsed(texts.method, TEXT)]] = Field(default=[])
    """Request method."""
    header: Values = Field(default={})
    """Headers by name: the text they equal, `{regex: …}`, or `true` for present."""
    query: Values = Field(default={})
    """Query arguments by name, in the same forms."""
    cookie: Values = Field(default={})
    """Cookies by name, in the same forms."""
    from_: OneOrMany[Network] = Field(default=[], alias="from")
    """Networks of clients."""
    sni: OneOrMany[HostPattern] = Field(default=[])
    """Server name of the TLS handshake: exact, or `*.example.org`."""
    tls_name: OneOrMany[Glob] = Field(default=[])
    """Name in the verified client certificate; `*` stands for any text."""
    account: OneOrMany[Glob] = Field(default=[])
    """Account that logs in (imap, pop3, smtp with `auth`); `*` stands for any text."""
    recipient: OneOrMany[Glob] = Field(default=[])
    """Recipient (smtp); `*` stands for any text."""
    attribute: Values = Field(default={})
    """Attributes of the account in the directory, by name: the text that one of its values is,
    `{regex: …}`, or `true` for any value. The account is the one that logs in (imap, pop3) or
    gets the message (smtp)."""
    pool: Annotated[
        dict[str, Annotated[int, Field(ge=0, le=1_000_000)]], Short(shorthand.shares, (TEXT,))
    ] = Field(default={})
    """Pool that gets the request, or several with their weights, as in `{a: 90, b: 10}`."""
    redirect: Annotated[RedirectSection, Short(shorthand.keyed("to", str), (TEXT,))] | None = None
    """Answer with a redirect."""
    reply: Annotated[Reply, Short(shorthand.keyed("status", int), (WHOLE,))] | None = None
    """Answer with this."""
    rewrite: Annotated[Rewrite, Short(shorthand.keyed("path", str), (TEXT,))] = Rewrite()
    """Forward another path or host."""
    request_headers: Headers = Headers()
    """Changes to the request's header fields."""
    response_headers: Headers = Headers()
    """Changes to the response's header fields."""
    mirror: Annotated[Mirror, Short(shorthand.keyed("pool", str), (TEXT,))] | None = None
    """Send a copy to another pool."""
    allow_connect: bool = False
    """Let CONNECT through as a tunnel."""
    timeouts: RouteTimeouts | None = None
    """Limits of their own."""
    retry: ShortRetry | None = None
    """Retries of their own instead of the pool's; what is left out has its default."""
