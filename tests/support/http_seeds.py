"""Lawful and nearly lawful messages to start from, for the fuzz targets and for Hypothesis."""

from __future__ import annotations

from pathlib import Path

REQUESTS = (
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /a?b=1 HTTP/1.1\r\nHost: h.example\r\nX-a: b\r\nContent-Length: 5\r\n\r\nhello",
    (
        b"POST /%41/x HTTP/1.1\r\nHost: h.example:80\r\nConnection: close, x-a\r\nX-a: b\r\n"
        b"A_b: c\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;x=y\r\nhello\r\n0\r\nFoo: bar\r\nHost: x\r\n\r\nGET"
    ),
    b"GET http://h.example/a HTTP/1.0\r\nHost: h.example\r\nCookie: a=b; c=d\r\nCookie: e\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
    b"CONNECT h.example:443 HTTP/1.1\r\nHost: h.example:443\r\n\r\n",
    b"\r\nPUT /a%2dB HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nX-Forwarded-For: ::1\r\n\r\n",
)
RESPONSES = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=b; Path=/\r\n\r\nhello",
    b"HTTP/1.1 204\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 200 \r\nConnection: keep-alive\r\n\r\nabc",
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nConnection: close, x-a\r\nX-A: 1\r\n\r\n",
)
CHUNKED = (
    b"5;x=y\r\nhello\r\n00\r\nFoo: bar\r\nHost: x\r\n\r\nGET",
    b"a\r\n0123456789\r\n0\r\n\r\n",
    b'A;s="q;x"\r\n0123456789\r\n1\r\nx\r\n0;last\r\nDigest: d\r\n\r\n',
)
WORDS = (
    b"GET POST OPTIONS CONNECT / /a/b ?x=1&y http://h.example HTTP/1.1 HTTP/1.0 HTTP/2.0 200 204"
    b" 5 0 ; : * %41 %2e %2F %zz %00 h.example:80 [::1] hello \x00 \xff + - _ chunked"
)
LINES = (
    b"Host: h.example/Content-Length: 5/Content-Length: +5/Transfer-Encoding: chunked/A_b: c"
    b"/Connection: close, x-a/X-a: b/Upgrade: x/Expect: 100-continue/Cookie: a=b"
)
FRAGMENTS = (
    *WORDS.split(b" "),
    *(line + b"\r\n" for line in LINES.split(b"/")),
    *(b" ", b"\t", b"\x0b", b"\r", b"\n", b"\r\n", b"\r\n\r\n", b"\r\n ", b", "),
)


def plant(arguments: list[str], seeds: tuple[bytes, ...]) -> None:
    """Write `seeds` into the corpus directory among a fuzzer's command line arguments."""
    for corpus in map(Path, arguments):
        if corpus.is_dir():
            for number, seed in enumerate(seeds):
                (corpus / f"seed-{number}").write_bytes(seed)
