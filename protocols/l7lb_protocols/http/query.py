"""Cookies and query arguments by name, found when a rule asks. It must not know heads."""

from urllib.parse import unquote_to_bytes


def cookie_value(cookies: bytes, name: bytes) -> bytes | None:
    """Value, without quotes, of the first cookie `name` in a Cookie field (RFC 6265 §5.4)."""
    key = name + b"="
    at = cookies.find(key)
    while at >= 0:
        if at == 0 or cookies[:at].rstrip(b" \t").endswith(b";"):
            value = cookies[at + len(key) :].partition(b";")[0].strip(b" \t")
            quoted = len(value) >= 2 and value[:1] == value[-1:] == b'"'
            return value[1:-1] if quoted else value
        at = cookies.find(key, at + 1)
    return None


def set_cookie_value(field: bytes, name: bytes) -> bytes | None:
    """Value that a Set-Cookie field gives the cookie `name` (RFC 6265 §5.2); None: another one."""
    return cookie_value(field.partition(b";")[0].lstrip(b" \t"), name)


def argument_value(query: bytes, name: bytes) -> bytes | None:
    """Percent-decoded value of the first argument `name` of a query; b"" if it has no `=`."""
    for pair in query.split(b"&"):
        key, _, value = pair.partition(b"=")
        if key == name or (b"%" in key and unquote_to_bytes(key) == name):
            return unquote_to_bytes(value) if b"%" in value else value
    return None
