"""Heads of responses (RFC 9112 §4-§6): what a server breaks becomes 502, or one plain meaning."""

from __future__ import annotations

from badinput.catalogue.case import BAD_GATEWAY, Answer, ResponseCase

LINE = "RFC 9112 §4"
VERSION = "RFC 9112 §2.3"
ENDS = "RFC 9112 §2.2"
NAME = "RFC 9110 §5.1"
VALUE = "RFC 9110 §5.5"
LENGTH = "RFC 9112 §6.3"
CODING = "RFC 9112 §6.1"
HELLO = b"Content-Length: 5\r\n\r\nhello"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
GREETING = Answer(200, b"hello")


def bad(name: str, clause: str, raw: bytes) -> ResponseCase:
    return ResponseCase(name, clause, raw, BAD_GATEWAY)


def status(name: str, line: bytes) -> ResponseCase:
    """A bad status line before a sound rest."""
    return bad("status-" + name, LINE, line + b"\r\n" + HELLO)


def field(name: str, clause: str, line: bytes) -> ResponseCase:
    """A bad field in a sound head."""
    return bad("answer-field-" + name, clause, b"HTTP/1.1 200 OK\r\n" + line + HELLO)


def length(name: str, value: bytes) -> ResponseCase:
    raw = b"HTTP/1.1 200 OK\r\nContent-Length:" + value + b"\r\n\r\nhello"
    return bad("answer-length-" + name, "RFC 9110 §8.6", raw)


def coding(name: str, value: bytes, version: bytes = b"1.1") -> ResponseCase:
    head = b"HTTP/" + version + b" 200 OK\r\nTransfer-Encoding:" + value + b"\r\n\r\n"
    return bad("answer-coding-" + name, CODING, head + CHUNKS)


def plain(name: str, clause: str, head: bytes, answer: Answer = GREETING) -> ResponseCase:
    return ResponseCase(name, clause, head + HELLO, answer, ends=False)


def hop(name: str, lines: bytes, *absent: bytes) -> ResponseCase:
    answer = Answer(200, b"hello", absent=absent)
    return plain("answer-hop-" + name, "RFC 9110 §7.6.1", b"HTTP/1.1 200 OK\r\n" + lines, answer)


CASES = (
    # Status line.
    bad("answer-empty", "RFC 9112 §8", b""),
    bad("answer-ssh", LINE, b"SSH-2.0-OpenSSH_9.2\r\n"),
    bad("answer-http-0.9", VERSION, b"<html>hello</html>"),
    bad("answer-binary", LINE, bytes(range(128, 256))),
    bad("answer-tls-alert", LINE, b"\x15\x03\x01\x00\x02\x02\x46"),
    bad("answer-cut-in-status-line", "RFC 9112 §8", b"HTTP/1.1 200"),
    bad("answer-cut-in-head", "RFC 9112 §8", b"HTTP/1.1 200 OK\r\nContent-Le"),
    bad("answer-empty-line-before", LINE, b"\r\nHTTP/1.1 200 OK\r\n" + HELLO),
    bad("answer-request", LINE, b"GET / HTTP/1.1\r\nHost: www.example.org\r\n\r\n"),
    status("space-before", b" HTTP/1.1 200 OK"),
    status("http-2", b"HTTP/2.0 200 OK"),
    status("http-2-short", b"HTTP/2 200 OK"),
    status("http-1.2", b"HTTP/1.2 200 OK"),
    status("http-0.9", b"HTTP/0.9 200 OK"),
    status("lower-case", b"http/1.1 200 OK"),
    status("icy", b"ICY 200 OK"),
    status("two-spaces", b"HTTP/1.1  200 OK"),
    status("tab", b"HTTP/1.1\t200 OK"),
    status("no-space", b"HTTP/1.1200 OK"),
    status("two-digits", b"HTTP/1.1 20 OK"),
    status("four-digits", b"HTTP/1.1 2000 OK"),
    status("letter", b"HTTP/1.1 2O0 OK"),
    status("sign", b"HTTP/1.1 +20 OK"),
    status("arabic-digits", b"HTTP/1.1 \xd9\xa2\xd9\xa0\xd9\xa0 OK"),
    status("missing", b"HTTP/1.1 OK"),
    status("000", b"HTTP/1.1 000 Nothing"),
    status("099", b"HTTP/1.1 099 Low"),
    status("600", b"HTTP/1.1 600 High"),
    status("999", b"HTTP/1.1 999 Highest"),
    status("reason-with-nul", b"HTTP/1.1 200 O\x00K"),
    status("reason-with-control", b"HTTP/1.1 200 O\x01K"),
    status("reason-with-cr", b"HTTP/1.1 200 O\rK"),
    bad("status-line-lf", ENDS, b"HTTP/1.1 200 OK\n" + HELLO),
    bad("status-all-lf", ENDS, b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello"),
    plain("status-without-reason", LINE, b"HTTP/1.1 200 \r\n"),
    plain("status-without-space-after", LINE, b"HTTP/1.1 200\r\n"),
    plain("status-reason-in-latin-1", LINE, b"HTTP/1.1 200 \xe9\r\n"),
    plain("status-unknown", "RFC 9110 §15", b"HTTP/1.1 299 Odd\r\n", Answer(299, b"hello")),
    # Fields: what must not be guessed in requests must not be guessed here.
    field("space-before-colon", "RFC 9112 §5.1", b"X-A : b\r\n"),
    field("empty-name", NAME, b": b\r\n"),
    field("without-colon", "RFC 9112 §5", b"nonsense\r\n"),
    field("utf-8-in-name", NAME, b"X-\xc3\xab: b\r\n"),
    field("nul-in-name", NAME, b"X\x00A: b\r\n"),
    field("folded", "RFC 9112 §5.2", b"X-A: b\r\n c\r\n"),
    field("folded-first", ENDS, b" X-A: b\r\n"),
    field("lf", ENDS, b"X-A: b\nX-B: c\r\n"),
    field("cr", ENDS, b"X-A: b\rX-B: c\r\n"),
    field("nul-in-value", VALUE, b"X-A: a\x00b\r\n"),
    field("control-in-value", VALUE, b"X-A: a\x01b\r\n"),
    field("too-long", "RFC 6585 §5", b"X-A: " + b"b" * 100_000 + b"\r\n"),
    field("too-many", "RFC 6585 §5", b"X-A: b\r\n" * 1000),
    # Framing.
    length("plus", b" +5"),
    length("minus", b" -5"),
    length("empty", b""),
    length("words", b" five"),
    length("hexadecimal", b" 0x5"),
    length("underscore", b" 1_0"),
    length("list-same", b" 5, 5"),
    length("list-different", b" 5, 6"),
    length("too-large", b" 18446744073709551621"),
    length("arabic-digit", b" \xd9\xa5"),
    bad(
        "answer-length-twice-different",
        LENGTH,
        b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n" + HELLO,
    ),
    ResponseCase(
        "answer-length-twice-same",
        LENGTH,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n" + HELLO,
        Answer(200, b"hello", present=((b"content-length", b"5"),)),
        ends=False,
    ),
    bad(
        "answer-length-and-coding",
        CODING,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    ),
    bad(
        "answer-coding-and-length",
        CODING,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + CHUNKS,
    ),
    coding("unknown", b" xchunked"),
    coding("identity", b" identity"),
    coding("gzip", b" gzip"),
    coding("gzip-then-chunked", b" gzip, chunked"),
    coding("chunked-then-gzip", b" chunked, gzip"),
    coding("chunked-twice", b" chunked, chunked"),
    coding("quoted", b' "chunked"'),
    coding("vertical-tab", b" \x0bchunked"),
    coding("empty", b""),
    coding("http-1.0", b" chunked", b"1.0"),
    bad(
        "answer-coding-two-lines",
        CODING,
        b"HTTP/1.1 200 OK\r\n" + b"Transfer-Encoding: chunked\r\n" * 2 + b"\r\n" + CHUNKS,
    ),
    # One hop only.
    hop("named", b"Connection: X-Hop\r\nX-Hop: 1\r\n", b"x-hop"),
    hop("keep-alive", b"Keep-Alive: timeout=5\r\nConnection: keep-alive\r\n", b"keep-alive"),
    hop("proxy-connection", b"Proxy-Connection: keep-alive\r\n", b"proxy-connection"),
    hop("upgrade-unasked", b"Upgrade: h2c\r\nConnection: upgrade\r\n", b"upgrade"),
    hop("te", b"TE: trailers\r\n", b"te"),
    plain(
        "answer-hop-length-cannot-be-named",
        "RFC 9110 §7.6.1",
        b"HTTP/1.1 200 OK\r\nConnection: Content-Length\r\n",
        Answer(200, b"hello", present=((b"content-length", b"5"),)),
    ),
    plain(
        "answer-hop-cookie-cannot-be-named",
        "RFC 9110 §7.6.1",
        b"HTTP/1.1 200 OK\r\nConnection: Set-Cookie\r\nSet-Cookie: a=b\r\n",
        Answer(200, b"hello", present=((b"set-cookie", b"a=b"),)),
    ),
)
