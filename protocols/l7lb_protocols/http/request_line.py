"""The request line of HTTP/1.1 (RFC 9112 §3): method, target in its four forms, version; the host.

Compiled when a compiler is there (request_line.pxd). It must not know fields, routes or servers.
"""

from __future__ import annotations

import ipaddress

from l7lb_protocols.http import grammar
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.head import HeadScanner
from l7lb_protocols.http.path import normalise

TABLE = grammar.OCTETS
LOWER_TABLE = grammar.LOWER
OCTETS = TABLE
LOWER = LOWER_TABLE
TOKEN = grammar.TOKEN
PLAIN = grammar.PLAIN
QUERY = grammar.QUERY
NAME = grammar.NAME

VERSION = b"HTTP/0.0\r\n"
MAX_METHOD = 32
MAX_TARGET = 8192


class RequestLine(HeadScanner):
    """Reads the first line of a request; the last host is remembered, as it often comes again."""

    def __init__(self, max_head: int, max_fields: int, encoded_slash: bool) -> None:
        super().__init__(max_head, max_fields, 0)
        self.encoded_slash = encoded_slash
        self.host = self.authority = b""
        self._clear_line()

    def _clear_line(self) -> None:
        self.method = self.target = self.path = self.query = b""
        self.minor = 1
        self._absolute = b""
        self._as_sent = False

    def _long_target(self, data: bytes, start: int, n: int) -> None:
        limit = start + MAX_TARGET + 64
        if n <= limit or limit >= start + self.max_head:
            return
        if data.find(b"\r\n", start + 2, limit) < 0:
            raise HttpRefusal(414, "request target too long", "RFC 9112 §3")

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
