"""Persistence by a cookie that we insert: opaque, unforgeable, the same on every director.

The token of a server is an HMAC over pool and server name; the table of all tokens is made
beforehand, so that a look-up is the verification and a forged or outdated token simply misses.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable

from l7lb.model import PersistenceSpec
from l7lb_protocols.facts import Facts

DEFAULT_NAME = b"L7LB"
TOKEN_BYTES = 16
"""Of the SHA-256 HMAC: 128 bits are beyond guessing."""


def token(secret: bytes, pool: str, server: str) -> bytes:
    """The value of the cookie: 22 characters of base64url, which name nothing."""
    message = pool.encode() + b"\0" + server.encode()
    signed = hmac.digest(secret, message, "sha256")[:TOKEN_BYTES]
    return urlsafe_b64encode(signed).rstrip(b"=")


class CookiePins:
    """Tokens of one pool."""

    def __init__(self, spec: PersistenceSpec, pool: str, secret: bytes) -> None:
        self._spec = spec
        self._pool = pool
        self._secret = secret
        self._servers: dict[bytes, str] = {}
        self.name = spec.name or DEFAULT_NAME

    def set_servers(self, servers: Iterable[str]) -> None:
        """Make the tokens of these servers; those of all others are void."""
        self._servers = {token(self._secret, self._pool, name): name for name in servers}

    def find(self, facts: Facts) -> str | None:
        """The name of the server that the request's cookie points to."""
        value = facts.cookie(self.name)
        return None if value is None else self._servers.get(value)

    def set_cookie(self, server: str) -> bytes:
        """Value of the Set-Cookie field for `server`, without Secure (RFC 6265 §4.1)."""
        spec = self._spec
        value = token(self._secret, self._pool, server)
        parts = [self.name + b"=" + value, b"Path=" + spec.path.encode()]
        if spec.domain:
            parts.append(b"Domain=" + spec.domain.encode())
        if spec.timeout_s > 0:
            parts.append(b"Max-Age=%d" % spec.timeout_s)
        parts.append(b"HttpOnly")
        if spec.same_site:
            parts.append(b"SameSite=" + spec.same_site.encode())
        return b"; ".join(parts)
