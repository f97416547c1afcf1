"""The normal form of a path, made once: what is routed is what is forwarded (RFC 3986 §6.2.2).

It must not know requests. Everything that two servers could read in two ways is refused.
"""

import re

from l7lb_protocols.http.errors import HttpRefusal

_ESCAPE = re.compile(rb"%(..?)?", re.DOTALL)
_HEX = re.compile(rb"[0-9A-Fa-f]{2}")
_UNRESERVED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
# A dot segment, also with path parameters (`/..;x/`), which Java servers read as `/../`.
_DOT_SEGMENT = re.compile(rb"(?:/|%2F|%5C)\.{1,2}(?:$|/|;|%2F|%5C|%3B)")


def _decoded(match: re.Match[bytes], encoded_slash: bool) -> bytes:
    digits = match[1] or b""
    if not _HEX.fullmatch(digits):
        raise HttpRefusal(400, "invalid percent-encoding in the path", "RFC 3986 §2.1")
    octet = int(digits, 16)
    if octet in _UNRESERVED:
        return bytes((octet,))
    if octet == 0:
        raise HttpRefusal(400, "encoded NUL in the path", "RFC 3986 §7.3")
    if octet in b"/\\" and not encoded_slash:
        raise HttpRefusal(400, "encoded slash or backslash in the path", "RFC 3986 §2.2")
    return b"%%%02X" % octet


def normalise(path: bytes, encoded_slash: bool = False) -> bytes:
    """Decode unreserved characters, write the other escapes in upper case.

    `path` begins with `/` and holds no query. Raises HttpRefusal(400) for invalid escapes, `%00`,
    a backslash, dot segments (plain, escaped, with parameters), and for `%2F` and `%5C` unless
    `encoded_slash`. The result normalises to itself.
    """
    if b"\\" in path:
        raise HttpRefusal(400, "backslash in the path", "RFC 3986 §3.3")
    if b"%" in path:
        path = _ESCAPE.sub(lambda match: _decoded(match, encoded_slash), path)
    if _DOT_SEGMENT.search(path):
        raise HttpRefusal(400, "dot segment in the path", "RFC 3986 §6.2.2.3")
    return path
