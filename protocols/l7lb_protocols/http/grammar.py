"""Bytes and names of HTTP/1.1 as literal tables (RFC 9110 §5, RFC 9112 §2-§3, RFC 3986 §2-§3).

It must not know how a head is read. All tables are indexed by the byte's value.
"""

import string

_ALPHA = string.ascii_letters.encode()
_DIGIT = string.digits.encode()
_UNRESERVED = _ALPHA + _DIGIT + b"-._~"
_SUB_DELIMS = b"!$&'()*+,;="

TOKEN = 1
"""RFC 9110 §5.6.2: methods and field names."""
VALUE = 2
"""RFC 9110 §5.5: HTAB, SP, VCHAR, obs-text."""
PLAIN = 4
"""In a path, and needs no second look: all but `%` and `.`."""
QUERY = 8
NAME = 16
"""In a host name or IPv4 address: unreserved only; nobody has sub-delims in DNS names."""
HEX = 32
LETTERS = 64
"""Of a token, but not `_`: names that no server confuses with another."""

# Browsers send `[ ] | ^` in paths and ``[ ] { } | ^ ` \`` in queries as they are (WHATWG URL), so
# they pass although RFC 3986 wants them encoded; `" < > #` and `\` in a path are refused.
_MEMBERS: dict[int, bytes] = {
    TOKEN: _ALPHA + _DIGIT + b"!#$%&'*+-.^_`|~",
    VALUE: b"\t" + bytes(range(0x20, 0x7F)) + bytes(range(0x80, 0x100)),
    PLAIN: (_UNRESERVED + _SUB_DELIMS + b":@/[]|^").replace(b".", b""),
    QUERY: _UNRESERVED + _SUB_DELIMS + b":@/?%[]{}|^`\\",
    NAME: _UNRESERVED,
    HEX: _DIGIT + b"abcdefABCDEF",
    LETTERS: _ALPHA + _DIGIT + b"!#$%&'*+-.^`|~",
}

OCTETS = bytes(
    sum(bit for bit, members in _MEMBERS.items() if octet in members) for octet in range(256)
)
"""For each byte the sum of the classes above that it is in."""

LOWER = bytes(range(256)).lower()
HEX_VALUES = bytes(int(chr(c), 16) if c in _MEMBERS[HEX] else 255 for c in range(256))
"""255 for what is no hex digit. Only ASCII digits count."""

# What a field is to us; a bit each, so that a mask says which to leave out.
HOST = 1 << 0
CONTENT_LENGTH = 1 << 1
TRANSFER_ENCODING = 1 << 2
CONNECTION = 1 << 3
UPGRADE = 1 << 4
EXPECT = 1 << 5
COOKIE = 1 << 6
SET_COOKIE = 1 << 7
X_FORWARDED_FOR = 1 << 8
X_FORWARDED_PROTO = 1 << 9
X_FORWARDED_HOST = 1 << 10
FORWARDED = 1 << 11
REQUEST_ID = 1 << 12
CLIENT_NAME = 1 << 13
REMOVED = 1 << 14
"""Hop-by-hop by itself or by Connection, or taken out by a rule: seen by us, never forwarded."""
HIDDEN = 1 << 15
"""A name with `_`: neither seen nor forwarded."""

FRAMING = HOST | CONTENT_LENGTH | TRANSFER_ENCODING | CONNECTION
"""Fields that are read while the head is scanned."""
HOP_BY_HOP = CONNECTION | UPGRADE | REMOVED | HIDDEN
"""Left out of every forwarded head (RFC 9110 §7.6.1)."""

# Options of Connection, a bit each.
CLOSE = 1
KEEP_ALIVE = 2
ASKS_UPGRADE = 4
NAMED = 8
"""It names other fields."""

KINDS: dict[bytes, int] = {
    b"host": HOST,
    b"content-length": CONTENT_LENGTH,
    b"transfer-encoding": TRANSFER_ENCODING,
    b"connection": CONNECTION,
    b"upgrade": UPGRADE,
    b"expect": EXPECT,
    b"cookie": COOKIE,
    b"set-cookie": SET_COOKIE,
    b"x-forwarded-for": X_FORWARDED_FOR,
    b"x-forwarded-proto": X_FORWARDED_PROTO,
    b"x-forwarded-host": X_FORWARDED_HOST,
    b"forwarded": FORWARDED,
    b"x-request-id": REQUEST_ID,
    b"te": REMOVED,
    b"keep-alive": REMOVED,
    b"proxy-connection": REMOVED,
    b"http2-settings": REMOVED,
    b"proxy-authenticate": REMOVED,
    b"proxy-authorization": REMOVED,
    b"proxy-authentication-info": REMOVED,
}

SLOT_MASK = 63


def slot(length: int, first: int, last: int) -> int:
    """Where a name stands in the tables below: a hash without collisions among the known names."""
    return (length + 2 * first + 3 * last) & SLOT_MASK


SLOT_NAMES: list[bytes] = [b""] * (SLOT_MASK + 1)
SLOT_KINDS: list[int] = [0] * (SLOT_MASK + 1)
for _name, _kind in KINDS.items():
    SLOT_NAMES[slot(len(_name), _name[0], _name[-1])] = _name
    SLOT_KINDS[slot(len(_name), _name[0], _name[-1])] = _kind

_LISTS = (
    b"host content-length transfer-encoding content-type content-encoding content-range trailer"
    b" cookie set-cookie authorization expect cache-control date location range vary via forwarded"
    b" x-request-id x-real-ip"
)
_KEPT = frozenset(_LISTS.split())


def may_nominate(name: bytes) -> bool:
    """Whether Connection may take the field `name` (lower case) out (RFC 9110 §7.6.1).

    Fields that others trust, or that frame the message, may not go: a client could hide them.
    """
    return name not in _KEPT and not name.startswith(b"x-forwarded-")


_TRAILERS_REFUSED = frozenset(
    _LISTS.split()
    + b"te connection keep-alive upgrade pragma max-forwards www-authenticate age expires"
    b" retry-after warning http2-settings set-cookie2".split()
)
_TRAILER_PREFIXES = (b"content-", b"if-", b"proxy-", b"x-forwarded-", b"access-control-", b"sec-")


def may_trail(name: bytes) -> bool:
    """Whether a trailer field `name` (lower case) is passed on (RFC 9110 §6.5.1)."""
    return (
        b"_" not in name
        and name not in _TRAILERS_REFUSED
        and not name.startswith(_TRAILER_PREFIXES)
    )
