"""Request URIs of RTSP as facts: host, path, query (RFC 2326 §3.2).

They are never rewritten, since Digest signs them; so what could be read in two ways is refused.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.path import normalise
from l7lb_protocols.rtsp.errors import RtspRefusal

URL = re.compile(
    rb"(?i:rtsp[us]?)://(?:[^/?#@]*@)?"
    rb"(?:(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._~-]{1,255})(:[0-9]{1,5})?"
    rb"|([0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]{0,45}))"
    rb"(/[^?#]*)?(\?[^#]*)?"
)
"""aiortsp writes IPv6 addresses without brackets; then nobody can tell the port, or needs to."""


class Target(NamedTuple):
    host: bytes
    """Lower case, without port; an IPv6 address in brackets; empty for `*`."""
    authority: bytes
    """Host and port as the client wrote them."""
    path: bytes
    """In normal form; `*` when the request is about the server."""
    query: bytes


WHOLE = Target(b"", b"", b"*", b"")


def read(target: bytes) -> Target:
    """Raises RtspRefusal(400)."""
    if target == b"*":
        return WHOLE
    match = URL.fullmatch(target)
    if match is None:
        raise RtspRefusal(400, "the request URI is no RTSP URL", "RFC 2326 §3.2")
    host, port = match[1] or match[3], match[2] or b""
    path, query = match[4] or b"/", match[5] or b""
    try:
        path = normalise(path)
    except HttpRefusal as refusal:
        raise RtspRefusal(400, refusal.reason, refusal.clause) from None
    return Target(host.lower(), host + port, path, query[1:])
