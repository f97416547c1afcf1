"""Cookies and query arguments by name, found when a rule asks. It must not know heads."""

from urllib.parse import unquote_to_bytes

TAB, SPACE, QUOTE, SEMICOLON, EQUALS = 9, 32, 34, 59, 61


def cookie_value(cookies: bytes, name: bytes) -> bytes | None:
    """Value, without quotes, of the first cookie `name` in a Cookie field (RFC 6265 §5.4)."""
    size = len(cookies)
    at = cookies.find(name)
    while at >= 0:
        start = at + len(name)
        if start < size and cookies[start] == EQUALS and starts_pair(cookies, at):
            start += 1
            end = cookies.find(b";", start)
            if end < 0:
                end = size
            while start < end and (cookies[start] == SPACE or cookies[start] == TAB):
                start += 1
            while start < end and (cookies[end - 1] == SPACE or cookies[end - 1] == TAB):
                end -= 1
            if end - start >= 2 and cookies[start] == QUOTE and cookies[end - 1] == QUOTE:
                start += 1
                end -= 1
            return cookies[start:end]
        at = cookies.find(name, at + 1)
    return None


def starts_pair(cookies: bytes, at: int) -> bool:
    """Whether only blanks stand between `at` and the beginning or the last `;`."""
    while at > 0 and (cookies[at - 1] == SPACE or cookies[at - 1] == TAB):
        at -= 1
    return at == 0 or cookies[at - 1] == SEMICOLON


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
