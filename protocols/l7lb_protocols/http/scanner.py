"""The request head of HTTP/1.1, read in one pass: target, host, framing, and what is sent on.

Compiled when a compiler is there (scanner.pxd). It must not know routes, servers or sockets.
"""

from __future__ import annotations

from l7lb_protocols.http import grammar
from l7lb_protocols.http.errors import HttpRefusal
from l7lb_protocols.http.query import argument_value, cookie_value
from l7lb_protocols.http.request_line import RequestLine
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


class RequestScanner(RequestLine):
    """Reads request heads one after the other.

    `max_head` bytes and `max_fields` lines at most (431), a target of 8 KiB (414).
    `encoded_slash`: let `%2F` and `%5C` pass in paths. `underscores`: let field names with `_`
    pass; they are dropped otherwise. `client_name` is the field that carries the name
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
        super().__init__(max_head, max_fields, encoded_slash)
        self._underscores = underscores
        self._client_name = client_name.lower()
        self._clear(b"")

    def _clear(self, data: bytes) -> None:
        self._begin(data)
        self._clear_line()
        self.upgrade = b""
        self.keep_alive = self.expect_continue = False

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
        first = self._find(b"cookie", 0)
        if first < 0:
            return None
        if self._find(b"cookie", first + 1) < 0:
            return cookie_value(self._value(first), name)
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
        if path or host or not self._as_sent or self._untidy or self._host_at < 0:
            begin = self._first_field()
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
