"""The server's own address in what it says, replaced by what the client asked for.

Only where it names the server: request URIs are never rewritten, since Digest signs them, and what
servers make of the client's own URL is right already.
"""

from __future__ import annotations

import re

from l7lb_protocols.rtsp.message import Response

FIELDS = (b"content-base", b"content-location", b"rtp-info", b"location")
SDP = b"application/sdp"


class Naming:
    """For one server, known under these addresses and names."""

    def __init__(self, own: frozenset[str]) -> None:
        hosts = (f"[{host}]" if ":" in host else host for host in own)
        names = b"|".join(re.escape(host.encode()) for host in sorted(hosts))
        self._url = re.compile(
            rb"(?i)rtsp[us]?://(?:" + names + rb")(?::[0-9]{1,5})?(?=[/?;,\"\s]|$)"
        )

    def edits(self, said: Response, prefix: bytes) -> dict[bytes, bytes | None]:
        """Fields that name the server, with `prefix` (`rtsp://HOST:PORT`) in its place."""
        found: dict[bytes, bytes | None] = {}
        for name in FIELDS:
            value = said.get(name)
            if value is None:
                continue
            edited = self._put(value, prefix)
            if edited != value:
                found[name] = edited
        return found

    def body(self, said: Response, prefix: bytes) -> bytes:
        """A description whose control URLs name the server (RFC 2326 §C.1.1)."""
        kind = said.get(b"content-type") or b""
        if not said.body or not kind.lower().startswith(SDP):
            return said.body
        return self._put(said.body, prefix)

    def _put(self, text: bytes, prefix: bytes) -> bytes:
        return self._url.sub(lambda _: prefix, text)
