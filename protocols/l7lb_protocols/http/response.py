"""The response head of HTTP/1.1, read in one pass, and the framing of its body (RFC 9112 §4, §6.3).

Compiled when a compiler is there (response.pxd). What a server breaks is refused with 502.
It must not know connections; the request's method is all that it needs of the request.
"""

from __future__ import annotations

from l7lb_protocols.http import grammar
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.head import HeadScanner
from l7lb_protocols.http.query import set_cookie_value

NO_BODY = 0
LENGTH = 1
CHUNKED = 2
UNTIL_CLOSE = 3

TABLE = grammar.OCTETS
OCTETS = TABLE
VALUE = grammar.VALUE
SET_COOKIE = grammar.SET_COOKIE
UPGRADE = grammar.UPGRADE
CONTENT_LENGTH = grammar.CONTENT_LENGTH
TRANSFER_ENCODING = grammar.TRANSFER_ENCODING
HOP_BY_HOP = grammar.HOP_BY_HOP
CLOSE = grammar.CLOSE
KEEP_ALIVE = grammar.KEEP_ALIVE
NAMED = grammar.NAMED
ASKS_UPGRADE = grammar.ASKS_UPGRADE
VERSION = b"HTTP/1.0 "


class ResponseScanner(HeadScanner):
    """Reads response heads one after the other. All refusals have status 502."""

    def __init__(self, max_head: int = 65536, max_fields: int = 200) -> None:
        super().__init__(max_head, max_fields, 502)
        self._clear(b"")

    def _clear(self, data: bytes) -> None:
        self._begin(data)
        self.status = 0
        self.minor = 1
        self.reason = self.upgrade = b""
        self.framing = NO_BODY
        self.keep_alive = False
        self._as_sent = False
        self._skip = HOP_BY_HOP

    # ------------------------------------------------------------------ scanning

    def scan(self, data: bytes, start: int, method: bytes) -> int:
        """Read the head at `start` of the response to a request with `method`.

        Returns the offset just past it, or 0 if more bytes are needed (the attributes say nothing
        then). Raises HttpRefusal(502). The cost of unfinished heads is as for requests.
        """
        n = len(data)
        stop = self._stop(data, start, n)
        self._clear(data)
        p = data
        self._line_at = start
        i = self._status_line(p, start, stop)
        if i != 0:
            i = self._scan_fields(p, i, stop)
        if i == 0:
            self._unfinished(start, n)
        else:
            self._settle(method)
        return i

    def _status_line(self, p: bytes, start: int, n: int) -> int:
        """Version SP status [SP [reason]] CRLF (RFC 9112 §4). Returns the offset past it or 0."""
        i = start
        while i < n and i < start + 12:
            k = i - start
            lawful = 48 <= p[i] <= 57
            if k < 9:
                lawful = p[i] == VERSION[k] or (k == 7 and p[i] == 49)
            if not lawful:
                raise self._bad_line("not a status line of HTTP/1.0 or HTTP/1.1")
            i += 1
        if i >= n:
            return 0
        self.minor = p[start + 7] - 48
        self.status = (p[start + 9] - 48) * 100 + (p[start + 10] - 48) * 10 + p[start + 11] - 48
        if self.status < 100 or self.status > 599:
            raise self._bad_line("status out of range")
        reason = i
        if p[i] == 32:
            reason = i + 1
            while i < n and OCTETS[p[i]] & VALUE:
                i += 1
        if i + 1 >= n:
            return 0
        if p[i] != 13 or p[i + 1] != 10:
            raise self._bad_line("bad byte in the status line")
        self._as_sent = self.minor == 1 and p[start + 12] == 32
        if i > reason:
            self._take_reason(p, reason, i)
        return i + 2

    def _take_reason(self, p: bytes, start: int, end: int) -> None:
        if end - start == 2 and p[start] == 79 and p[start + 1] == 75:
            self.reason = b"OK"
        else:
            self.reason = p[start:end]

    def _bad_line(self, reason: str) -> HttpRefusal:
        return self._refusal(502, reason, "RFC 9112 §4")

    def _settle(self, method: bytes) -> None:
        """Persistence and framing (RFC 9112 §6.3, §9.3; RFC 9110 §7.8)."""
        options = self._options
        if options & NAMED:
            self._take_out_named()
        if options & CLOSE == 0:
            self.keep_alive = self.minor == 1 or options & KEEP_ALIVE != 0
        if self._seen & UPGRADE and options & ASKS_UPGRADE and self.minor == 1:
            self.upgrade = self._joined(b"upgrade", b", ").lower()
        if self._seen & TRANSFER_ENCODING:
            if self._seen & CONTENT_LENGTH:
                raise self._refusal(502, "Content-Length with Transfer-Encoding", "RFC 9112 §6.1")
            if self.minor == 0:
                raise self._refusal(502, "Transfer-Encoding in HTTP/1.0", "RFC 9112 §6.1")
        if self.status < 200 or self.status == 204 or self._opens_tunnel(method):
            self._take_out_framing()
        elif method == b"HEAD" or self.status == 304:
            self.framing = NO_BODY
        elif self.chunked:
            self.framing = CHUNKED
        elif self.content_length >= 0:
            self.framing = LENGTH
        else:
            self.framing = UNTIL_CLOSE
            self.keep_alive = False

    def _opens_tunnel(self, method: bytes) -> bool:
        return method == b"CONNECT" and self.status < 300

    def _take_out_framing(self) -> None:
        """These have no body and must not claim one (RFC 9110 §8.6, RFC 9112 §6.1).

        A server that claims one all the same may send it: its connection is not used again.
        """
        if self.content_length > 0 or self.chunked:
            self.keep_alive = False
        self._skip |= CONTENT_LENGTH | TRANSFER_ENCODING
        self.content_length = -1
        self.chunked = False

    # ------------------------------------------------------------------ reading

    def cookie(self, name: bytes) -> bytes | None:
        """Value of the last `Set-Cookie: name=…`, the one that a client keeps; None if absent."""
        if not self._seen & SET_COOKIE:
            return None
        found = None
        k = self._find(b"set-cookie", 0)
        while k >= 0:
            value = set_cookie_value(self._value(k), name)
            found = found if value is None else value
            k = self._find(b"set-cookie", k + 1)
        return found

    def fields(self) -> list[tuple[bytes, bytes]]:
        """Fields that would be forwarded, in order, names as sent; no hop-by-hop fields."""
        return self._listed(self._skip)

    def forward(self, added: bytes, drop: int = 0, upgrade: bool = False) -> bytes:
        """The head to send on, as HTTP/1.1: kept fields as they came, then `added` (whole lines).

        `drop`: sum of DROP_… fields to leave out. `upgrade` keeps Upgrade and adds
        `Connection: upgrade`; otherwise the caller adds the Connection field that it wants.
        """
        skip = self._skip | drop
        parts: list[bytes] = []
        if upgrade:
            skip &= ~UPGRADE
        begin = self._line_at
        if not self._as_sent or self._untidy:
            begin = self._first_field()
            parts.append(b"HTTP/1.1 %d %b\r\n" % (self.status, self.reason))
        self._kept(parts, begin, skip)
        parts.append(added)
        if upgrade:
            parts.append(b"Connection: upgrade\r\n")
        parts.append(b"\r\n")
        return b"".join(parts)
