"""Cookies and query arguments by name, found when a rule asks. It must not know heads."""

from urllib.parse import unquote_to_bytes

TAB, SPACE, QUOTE, SEMICOLON, EQUALS = 9, 32, 34, 59, 61


def cookie_value(cookies: bytes, name: bytes) -> bytes | None:
    """Value, without quotes, of the first cookie `name` in a Cookie field (RFC 6265 §5.4)."""
    p = cookies
    wanted = name
    size = len(cookies)
    length = len(name)
    for at in range(size - length):
        if p[at + length] == EQUALS and names_pair(p, at, wanted, length):
            return pair_value(p, at + length + 1, size)
    return None


def names_pair(p: bytes, at: int, name: bytes, length: int) -> bool:
    """Whether the name of a pair begins at `at`, and is `name`."""
    for k in range(length):
        if p[at + k] != name[k]:
            return False
    while at > 0 and (p[at - 1] == SPACE or p[at - 1] == TAB):
        at -= 1
    return at == 0 or p[at - 1] == SEMICOLON


def pair_value(p: bytes, start: int, size: int) -> bytes:
    """What stands from `start` up to the next `;`, without blanks and quotes around it."""
    end = start
    while end < size and p[end] != SEMICOLON:
        end += 1
    while start < end and (p[start] == SPACE or p[start] == TAB):
        start += 1
    while start < end and (p[end - 1] == SPACE or p[end - 1] == TAB):
        end -= 1
    if end - start >= 2 and p[start] == QUOTE and p[end - 1] == QUOTE:
        start += 1
        end -= 1
    return p[start:end]


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
