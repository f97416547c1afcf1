"""What a session has learnt about a request, in the form that rules match on.

One shape serves every protocol, so that one routing table and one `explain` do.
Wire text stays bytes; what a protocol does not know stays empty.
Compiled when a compiler is there (facts.pxd), so that rules read facts without a look-up by name.
"""

from __future__ import annotations


class Facts:
    """Read-only view of one request; valid until the session reads the next one.

    `host` is lower case and without port, `path` is normalised and without query,
    `source` is the client's address as text (after PROXY protocol and trusted X-Forwarded-For).
    """

    def __init__(self) -> None:
        self.host = b""
        self.path = b""
        self.query = b""
        self.method = b""
        self.source = ""
        self.sni = b""
        self.tls_name = b""
        """Verified name of the client's certificate."""
        self.account = b""
        self.recipient = b""
        self.server = b""
        """The server that this account has been given: no other will do."""

    def header(self, name: bytes) -> bytes | None:
        """Value of the header `name` (lower case), repeated lines joined by `, `; None: absent."""
        return None

    def cookie(self, name: bytes) -> bytes | None:
        """Value of the first cookie `name` (case-sensitive, RFC 6265 §5.4), or of the one that an
        answer sets last; None if absent."""
        return None

    def argument(self, name: bytes) -> bytes | None:
        """Percent-decoded value of the first query argument `name`; None if absent."""
        return None

    def attribute(self, name: bytes) -> tuple[bytes, ...]:
        """Values of the account's attribute `name` (lower case) in the directory."""
        return ()

    def detach(self) -> Facts:
        """The same facts, valid for good: for whoever must wait."""
        return self


class PlainFacts(Facts):
    """Facts given by hand: for `explain`, for tests, and for protocols with few facts."""

    def __init__(
        self,
        *,
        host: bytes = b"",
        path: bytes = b"",
        query: bytes = b"",
        method: bytes = b"",
        source: str = "",
        sni: bytes = b"",
        tls_name: bytes = b"",
        account: bytes = b"",
        recipient: bytes = b"",
        server: bytes = b"",
        headers: dict[bytes, bytes] | None = None,
        cookies: dict[bytes, bytes] | None = None,
        arguments: dict[bytes, bytes] | None = None,
        attributes: dict[bytes, tuple[bytes, ...]] | None = None,
    ) -> None:
        super().__init__()
        self.host = host
        self.path = path
        self.query = query
        self.method = method
        self.source = source
        self.sni = sni
        self.tls_name = tls_name
        self.account = account
        self.recipient = recipient
        self.server = server
        self.headers = headers or {}
        self.cookies = cookies or {}
        self.arguments = arguments or {}
        self.attributes = attributes or {}

    def header(self, name: bytes) -> bytes | None:
        return self.headers.get(name)

    def cookie(self, name: bytes) -> bytes | None:
        return self.cookies.get(name)

    def argument(self, name: bytes) -> bytes | None:
        return self.arguments.get(name)

    def attribute(self, name: bytes) -> tuple[bytes, ...]:
        return self.attributes.get(name, ())
