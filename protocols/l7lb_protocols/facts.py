"""What a session has learnt about a request, in the form that rules match on.

One shape serves every protocol, so that one routing table and one `explain` do.
Wire text stays bytes; what a protocol does not know stays empty.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class Facts(Protocol):
    """Read-only view of one request; valid until the session reads the next one.

    `host` is lower case and without port, `path` is normalised and without query,
    `source` is the client's address as text (after PROXY protocol and trusted X-Forwarded-For).
    """

    @property
    def host(self) -> bytes: ...
    @property
    def path(self) -> bytes: ...
    @property
    def query(self) -> bytes: ...
    @property
    def method(self) -> bytes: ...
    @property
    def source(self) -> str: ...
    @property
    def sni(self) -> bytes: ...
    @property
    def tls_name(self) -> bytes: ...
    @property
    def account(self) -> bytes: ...
    @property
    def recipient(self) -> bytes: ...

    def header(self, name: bytes) -> bytes | None:
        """Value of the header `name` (lower case), repeated lines joined by `, `; None: absent."""

    def cookie(self, name: bytes) -> bytes | None:
        """Value of the first cookie `name` (case-sensitive, RFC 6265 §5.4); None if absent."""

    def argument(self, name: bytes) -> bytes | None:
        """Percent-decoded value of the first query argument `name`; None if absent."""

    def detach(self) -> Facts:
        """The same facts, valid for good: for whoever must wait."""


@dataclass(slots=True)
class PlainFacts:
    """Facts given by hand: for `explain`, for tests, and for protocols with few facts."""

    host: bytes = b""
    path: bytes = b""
    query: bytes = b""
    method: bytes = b""
    source: str = ""
    sni: bytes = b""
    tls_name: bytes = b""
    account: bytes = b""
    recipient: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    cookies: dict[bytes, bytes] = field(default_factory=dict)
    arguments: dict[bytes, bytes] = field(default_factory=dict)

    def header(self, name: bytes) -> bytes | None:
        return self.headers.get(name)

    def cookie(self, name: bytes) -> bytes | None:
        return self.cookies.get(name)

    def argument(self, name: bytes) -> bytes | None:
        return self.arguments.get(name)

    def detach(self) -> PlainFacts:
        return self
