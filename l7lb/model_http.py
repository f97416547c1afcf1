"""Frozen specifications of HTTP services: what `http:` and the routes in the rules file say."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    head_bytes: int = 32768
    fields: int = 100
    body_bytes: int = 0
    """0: no limit."""
    pipeline_bytes: int = 65536
    """Bytes of following requests that are held while one is answered."""


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """How one HTTP service treats requests."""

    limits: HttpLimits = HttpLimits()
    forwarded: frozenset[str] = frozenset(
        (
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "forwarded",
            "via",
            "x-request-id",
        )
    )
    trusted_proxies: tuple[str, ...] = ()
    """Networks whose X-Forwarded-For, Forwarded and X-Request-ID are believed and added to."""
    client_name_header: bytes = b"x-client-name"
    """Carries the verified name of an mTLS client; always removed from what clients send."""
    encoded_slash: bool = False
    """Let %2F and %5C pass in paths; refused with 400 otherwise."""
    underscores: bool = False
    """Let header names with `_` pass; dropped otherwise."""


@dataclass(frozen=True, slots=True)
class HeaderEdits:
    """Applied in the order remove, set, add."""

    remove: tuple[bytes, ...] = ()
    set: tuple[tuple[bytes, bytes], ...] = ()
    add: tuple[tuple[bytes, bytes], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.remove or self.set or self.add)


@dataclass(frozen=True, slots=True)
class Redirect:
    to: bytes
    """Template: {1} {2} … captures, {host} {path} {query}."""
    status: int = 308


@dataclass(frozen=True, slots=True)
class FixedReply:
    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
