"""The request head of HTTP/1.1, read in one pass (RFC 9112 §2-§3): target, host, framing.

Compiled when a compiler is there (scanner.pxd). It must not know routes, servers or sockets.
"""

from __future__ import annotations

import ipaddress

from l7lb_protocols.http import grammar
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.fields import HeadScanner
from l7lb_protocols.http.path import normalise
from l7lb_protocols.http.query import argument_value, cookie_value
from l7lb_protocols.http.response import (
    CHUNKED,
    LENGTH,
    NO_BODY,
    UNTIL_CLOSE,
    ResponseScanner,
)

__all__ = [
    "CHUNKED",
    "DROP_CLIENT_NAME",
    "DROP_CONTENT_LENGTH",
    "DROP_EXPECT",
    "DROP_FORWARDED",
    "DROP_REQUEST_ID",
    "DROP_TRANSFER_ENCODING",
    "DROP_XFF",
    "DROP_XFH",
    "DROP_XFP",
    "LENGTH",
    "NO_BODY",
    "UNTIL_CLOSE",
    "RequestScanner",
    "ResponseScanner",
]

DROP_XFF = grammar.X_FORWARDED_FOR
DROP_XFP = grammar.X_FORWARDED_PROTO
DROP_XFH = grammar.X_FORWARDED_HOST
DROP_FORWARDED = grammar.FORWARDED
DROP_REQUEST_ID = grammar.REQUEST_ID
DROP_CLIENT_NAME = grammar.CLIENT_NAME
DROP_EXPECT = grammar.EXPECT
DROP_CONTENT_LENGTH = grammar.CONTENT_LENGTH
DROP_TRANSFER_ENCODING = grammar.TRANSFER_ENCODING

TABLE = grammar.OCTETS
LOWER_TABLE = grammar.LOWER
OCTETS = TABLE
LOWER = LOWER_TABLE
TOKEN = grammar.TOKEN
PLAIN = grammar.PLAIN
QUERY = grammar.QUERY
NAME = grammar.NAME
HOST = grammar.HOST
EXPECT = grammar.EXPECT
COOKIE = grammar.COOKIE
UPGRADE = grammar.UPGRADE
CONTENT_LENGTH = grammar.CONTENT_LENGTH
TRANSFER_ENCODING = grammar.TRANSFER_ENCODING
HOP_BY_HOP = grammar.HOP_BY_HOP
CLOSE = grammar.CLOSE
KEEP_ALIVE = grammar.KEEP_ALIVE
NAMED = grammar.NAMED
ASKS_UPGRADE = grammar.ASKS_UPGRADE

VERSION = b"HTTP/0.0\r\n"
MAX_METHOD = 32
MAX_TARGET = 8192


class RequestScanner(HeadScanner):
    """Reads request heads one after the other; satisfies `facts.Facts`.

    `max_head` bytes and `max_fields` lines at most (431), a target of 8 KiB (414).
    `encoded_slash`: let `%2F` and `%5C` pass in paths. `underscores`: let field names with `_`
    pass; they are dropped otherwise. `client_name` (lower case) is the field that carries the name
    of a verified client: DROP_CLIENT_NAME takes it out of what clients send.
    """

    def __init__(
        self,
        max_head: int = 32768,
        max_fields: int = 100,
        encoded_slash: bool = False,
        underscores: bool = False,
        client_name: bytes = b"x-client-name",
    ) -> None:
        super().__init__(max_head, max_fields, 0)
        self.encoded_slash = encoded_slash
        self._underscores = underscores
        self._client_name = client_name
        self.source = ""
        self.sni = self.tls_name = self.account = self.recipient = b""
        self.host = self.authority = b""
        self._clear(b"")

    def _clear(self, data: bytes) -> None:
        self._begin(data)
        self.method = self.target = self.path = self.query = self.upgrade = b""
        self.minor = 1
        self.keep_alive = self.expect_continue = False
        self._absolute = b""
        self._as_sent = False

    # ------------------------------------------------------------------ scanning

    def scan(self, data: bytes, start: int = 0) -> int:
        """Read the head that begins at `start`; one empty line before it is skipped.

        Returns the offset just past it, or 0 if more bytes are needed (the attributes say nothing
        then). Raises HttpRefusal: 400, 414, 417, 431, 501, 505. Call again with all bytes so far.
        A call costs one pass over a whole head; while the head is not whole, one pass over 1 KiB
        and searches at the speed of memory over `max_head` at most.
        """
        n = len(data)
        end = self._parse(data, start, self._stop(data, start, n))
        if end == 0:
            self._long_target(data, start, n)
            self._unfinished(start, n)
        return end

    def _long_target(self, data: bytes, start: int, n: int) -> None:
        limit = start + MAX_TARGET + 64
        if n > limit and data.find(b"\r\n", start + 2, limit) < 0:
            raise HttpRefusal(414, "request target too long", "RFC 9112 §3")

    def _parse(self, data: bytes, start: int, n: int) -> int:
        self._clear(data)
        p = data
        i = start
        if i < n and p[i] == 13:
            if i + 1 >= n:
                return 0
            if p[i + 1] == 10:
                i += 2
        self._line_at = i
        i = self._request_line(p, i, n)
        if i == 0:
            return 0
        i = self._scan_fields(p, i, n)
        if i != 0:
            self._settle()
        return i

    def _request_line(self, p: bytes, start: int, n: int) -> int:
        """METHOD SP target SP version CRLF (RFC 9112 §3). Returns the offset past it or 0."""
        i = start
        while i < n and OCTETS[p[i]] & TOKEN:
            i += 1
        if i - start > MAX_METHOD:
            raise HttpRefusal(501, "method too long", "RFC 9112 §3")
        if i >= n:
            return 0
        if p[i] != 32 or i == start:
            raise self._bad_line(p[i], "invalid method")
        method_end = i
        target = i + 1
        i = self._scan_target(p, target, n)
        if i == 0:
            return 0
        end = self._scan_version(p, i + 1, n)
        if end == 0:
            return 0
        self._take_method(p, start, method_end)
        self.target = p[target:i]
        self._take_target(p, target, i)
        return end

    def _scan_target(self, p: bytes, start: int, n: int) -> int:
        """Check the bytes of the target. Returns the offset of the SP after it or 0."""
        i = start
        self._odd = False
        self._question = 0
        while True:
            while i < n and OCTETS[p[i]] & PLAIN:
                i += 1
            if i >= n:
                break
            if p[i] == 46:
                self._odd = self._odd or p[i - 1] == 47
            elif p[i] == 37:
                self._odd = True
            else:
                break
            i += 1
        if i < n and p[i] == 63:
            self._question = i
            i += 1
            while i < n and OCTETS[p[i]] & QUERY:
                i += 1
        if i - start > MAX_TARGET:
            raise HttpRefusal(414, "request target too long", "RFC 9112 §3")
        if i >= n:
            return 0
        if p[i] != 32 or i == start:
            raise self._bad_line(p[i], "invalid byte in the target, or no version")
        return i

    def _bad_line(self, octet: int, reason: str) -> HttpRefusal:
        if octet == 10 or octet == 13:
            return HttpRefusal(400, "bare CR or LF, or a request line cut short", "RFC 9112 §2.2")
        if octet == 35:
            return HttpRefusal(400, "fragment in the target", "RFC 9112 §3.2")
        return HttpRefusal(400, reason, "RFC 9112 §3")

    def _scan_version(self, p: bytes, start: int, n: int) -> int:
        """`HTTP/1.0` or `HTTP/1.1` and CRLF, looked at byte by byte, so that errors come early."""
        for k in range(10):
            if start + k >= n:
                return 0
            c = p[start + k]
            lawful = c == VERSION[k]
            if k in (5, 7):
                lawful = 48 <= c <= 57
            if not lawful:
                raise HttpRefusal(400, "invalid version, or space after it", "RFC 9112 §2.3")
        if p[start + 5] != 49 or p[start + 7] > 49:
            raise HttpRefusal(505, "only HTTP/1.0 and HTTP/1.1 are spoken", "RFC 9110 §15.6.6")
        self.minor = p[start + 7] - 48
        return start + 10

    def _take_method(self, p: bytes, start: int, end: int) -> None:
        if end - start == 3 and p[start] == 71 and p[start + 1] == 69 and p[start + 2] == 84:
            self.method = b"GET"
        else:
            self.method = p[start:end]

    # ------------------------------------------------------------------ target and host

    def _take_target(self, p: bytes, start: int, end: int) -> None:
        """The four forms of RFC 9112 §3.2."""
        if p[start] != 47 or self.method == b"CONNECT":
            self._other_form(self.target)
            return
        path_end = self._question or end
        self.path = self.target if path_end == end else p[start:path_end]
        if self._question:
            self.query = p[path_end + 1 : end]
        self._as_sent = self.minor == 1
        if self._odd:
            path = normalise(self.path, self.encoded_slash)
            self._as_sent = self._as_sent and path == self.path
            self.path = path

    def _other_form(self, target: bytes) -> None:
        if self.method == b"CONNECT":
            self._authority(target)
            if target.rfind(b":") <= target.rfind(b"]") or target.endswith(b":"):
                raise HttpRefusal(400, "CONNECT without a port", "RFC 9112 §3.2.3")
            self._absolute = target
        elif target == b"*" and self.method == b"OPTIONS":
            self.path = target
            self._as_sent = self.minor == 1
        else:
            self._absolute_form(target)

    def _absolute_form(self, target: bytes) -> None:
        """`http://host/path`: the authority must be that of Host; sent on in origin form."""
        scheme, _, rest = target.partition(b"://")
        if scheme.lower() not in (b"http", b"https"):
            raise HttpRefusal(400, "target is in no form that fits the method", "RFC 9112 §3.2")
        rest, question, self.query = rest.partition(b"?")
        self._absolute, slash, path = rest.partition(b"/")
        self._authority(self._absolute)
        if not slash and not question and self.method == b"OPTIONS":
            self.path = b"*"
        else:
            self.path = normalise(b"/" + path, self.encoded_slash)

    def _authority(self, value: bytes) -> None:
        """Take `value` as authority and host. A name that came last is not looked at again."""
        if value == self.authority and value:
            return
        host = self._plain_host(value, len(value))
        if not host:
            host = _literal_host(value)
        self.host = host
        self.authority = value

    def _plain_host(self, p: bytes, n: int) -> bytes:
        """Name or IPv4 address with perhaps a port (RFC 3986 §3.2.2), lower case; b"": neither."""
        i = 0
        while i < n and OCTETS[p[i]] & NAME:
            if p[i] == 46 and (i == 0 or p[i - 1] == 46):
                return b""
            i += 1
        end = i
        if i < n:
            if p[i] != 58 or n - i > 6:
                return b""
            port = 0
            for k in range(i + 1, n):
                if p[k] < 48 or p[k] > 57:
                    return b""
                port = port * 10 + (p[k] - 48)
            if port > 65535:
                return b""
        if end > 0 and p[end - 1] == 46:
            end -= 1
        for k in range(end):
            if LOWER[p[k]] != p[k]:
                return p[:end].lower()
        return p[:end]

    def _settle(self) -> None:
        """What only the whole head can say (RFC 9112 §3.2, §6.3, §9.3; RFC 9110 §7.8, §10.1.1)."""
        if self._host_at >= 0:
            self._authority(self._value(self._host_at))
            if self._absolute and self._absolute.lower() != self.authority.lower():
                raise HttpRefusal(400, "Host is not the target's host", "RFC 9112 §3.2.2")
        elif self.minor == 1:
            raise HttpRefusal(400, "no Host field", "RFC 9112 §3.2")
        elif not self._absolute:
            self.host = self.authority = b""
        if self._seen & TRANSFER_ENCODING:
            if self._seen & CONTENT_LENGTH:
                raise HttpRefusal(400, "Content-Length with Transfer-Encoding", "RFC 9112 §6.1")
            if self.minor == 0:
                raise HttpRefusal(400, "Transfer-Encoding in HTTP/1.0", "RFC 9112 §6.1")
        options = self._options
        if options & CLOSE == 0:
            self.keep_alive = self.minor == 1 or options & KEEP_ALIVE != 0
        if options & NAMED:
            self._take_out_named()
        if self._seen & EXPECT:
            if self._joined(b"expect", b",").lower() != b"100-continue":
                raise HttpRefusal(417, "unknown expectation", "RFC 9110 §10.1.1")
            self.expect_continue = self.minor == 1
        if self._seen & UPGRADE and options & ASKS_UPGRADE and self.minor == 1:
            self.upgrade = self._joined(b"upgrade", b", ").lower()
            if b"h2c" in self.upgrade:
                self.upgrade = b""

    # ------------------------------------------------------------------ reading

    def cookie(self, name: bytes) -> bytes | None:
        """Value of the first cookie `name` (case-sensitive, RFC 6265 §5.4); None if absent."""
        if not self._seen & COOKIE:
            return None
        return cookie_value(self._joined(b"cookie", b";"), name)

    def argument(self, name: bytes) -> bytes | None:
        """Percent-decoded value of the first query argument `name`; None if absent."""
        return argument_value(self.query, name) if self.query else None

    def forward(
        self,
        added: bytes,
        drop: int = 0,
        path: bytes = b"",
        host: bytes = b"",
        upgrade: bool = False,
    ) -> bytes:
        """The head to send on, as HTTP/1.1: kept fields as they came, then `added` (whole lines).

        `drop`: sum of DROP_… fields to leave out. `path` and `host` replace the client's; a `path`
        with `?` brings its own query. `upgrade` keeps Upgrade and adds `Connection: upgrade`.
        No other hop-by-hop field passes (RFC 9110 §7.6.1). An HTTP/1.0 request without Host gets
        an empty one, unless `host` is given.
        """
        skip = HOP_BY_HOP | drop
        parts: list[bytes] = []
        if upgrade:
            skip &= ~UPGRADE
        begin = self._line_at
        if path or host or not self._as_sent or self._host_at < 0:
            begin = self._spans[0]
            parts.append(self._new_line(path))
            if host or self._host_at < 0:
                skip |= HOST
                parts.append(b"Host: " + (host or self.authority) + b"\r\n")
        self._kept(parts, begin, skip)
        parts.append(added)
        if upgrade:
            parts.append(b"Connection: upgrade\r\n")
        parts.append(b"\r\n")
        return b"".join(parts)

    def _new_line(self, path: bytes) -> bytes:
        if self.method == b"CONNECT":
            path = self.authority
        elif not path or (self.query and b"?" not in path):
            path = path or self.path
            if self.query:
                path = path + b"?" + self.query
        return self.method + b" " + path + b" HTTP/1.1\r\n"

    def detach(self) -> RequestScanner:
        """A copy that later scans do not touch, for what is decided later."""
        copy = RequestScanner(
            self.max_head,
            self.max_fields,
            self.encoded_slash,
            self._underscores,
            self._client_name,
        )
        end = self._end_of_fields() + 2
        copy.scan(self._data[self._line_at : end])
        copy.source = self.source
        copy.sni = self.sni
        copy.tls_name = self.tls_name
        copy.account = self.account
        copy.recipient = self.recipient
        return copy


def _literal_host(value: bytes) -> bytes:
    """An IPv6 literal with perhaps a port (RFC 3986 §3.2.2). Raises HttpRefusal(400)."""
    literal, bracket, port = value.partition(b"]")
    text = literal[1:].decode("latin-1")
    lawful = value[:1] == b"[" and bracket and "%" not in text
    if port:
        digits = port[1:]
        lawful = lawful and port[:1] == b":" and len(digits) <= 5
        lawful = lawful and (not digits or (digits.isdigit() and int(digits) <= 65535))
    if lawful:
        try:
            ipaddress.IPv6Address(text)
        except ValueError:
            lawful = False
    if not lawful:
        raise HttpRefusal(400, "invalid host", "RFC 9110 §4.2")
    return literal.lower() + b"]"
