"""Cookies and query arguments by name, found when a rule asks. It must not know heads."""

from urllib.parse import unquote_to_bytes


def cookie_value(cookies: bytes, name: bytes) -> bytes | None:
    """Value, without quotes, of the first cookie `name` in a Cookie field (RFC 6265 §5.4)."""
    for pair in cookies.split(b";"):
        key, equals, value = pair.partition(b"=")
        if equals and key.strip(b" \t") == name:
            return _unquoted(value.strip(b" \t"))
    return None


def set_cookie_value(field: bytes, name: bytes) -> bytes | None:
    """Value that a Set-Cookie field gives the cookie `name` (RFC 6265 §5.2); None: another one."""
    return cookie_value(field.partition(b";")[0], name)


def _unquoted(value: bytes) -> bytes:
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        return value[1:-1]
    return value


def argument_value(query: bytes, name: bytes) -> bytes | None:
    """Percent-decoded value of the first argument `name` of a query; b"" if it has no `=`."""
    for pair in query.split(b"&"):
        key, _, value = pair.partition(b"=")
        if key == name or (b"%" in key and unquote_to_bytes(key) == name):
            return unquote_to_bytes(value) if b"%" in value else value
    return None
