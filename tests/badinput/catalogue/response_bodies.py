"""Bodies of responses, interim responses, and bytes that a server sends too many of."""

from __future__ import annotations

from badinput.catalogue.case import BAD_GATEWAY, Answer, ResponseCase

CHUNK = "RFC 9112 §7.1"
LENGTH = "RFC 9112 §6.3"
SHORT = "RFC 9112 §8"
INTERIM = "RFC 9110 §15.2"
UPGRADE = "RFC 9110 §7.8"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FIVE = OK + b"Content-Length: 5\r\n\r\n"
GREETING = Answer(200, b"hello")
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
LAST = b"0\r\n\r\n"
ASKS = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"


def broken(name: str, clause: str, raw: bytes) -> ResponseCase:
    """The fault comes when the answer may have begun."""
    return ResponseCase("answer-" + name, clause, raw, None)


def chunk(name: str, body: bytes) -> ResponseCase:
    return broken("chunk-" + name, CHUNK, CHUNKED + body)


def good(name: str, clause: str, raw: bytes, answer: Answer = GREETING) -> ResponseCase:
    """The server would go on with its connection afterwards."""
    return ResponseCase("answer-" + name, clause, raw, answer, ends=False)


def ended(name: str, clause: str, raw: bytes, answer: Answer) -> ResponseCase:
    return ResponseCase("answer-" + name, clause, raw, answer)


def head(name: str, raw: bytes, answer: Answer) -> ResponseCase:
    return ResponseCase("answer-head-" + name, "RFC 9110 §9.3.2", raw, answer, b"HEAD", ends=False)


def session(
    name: str, clause: str, raw: bytes, answer: Answer, fields: bytes = b""
) -> ResponseCase:
    """Judged by what came before, not by one head."""
    return ResponseCase("answer-" + name, clause, raw, answer, fields=fields, by_policy=True)


CASES = (
    # Chunks.
    chunk("size-letter", b"G\r\nhello\r\n" + LAST),
    chunk("size-minus", b"-5\r\nhello\r\n" + LAST),
    chunk("size-prefixed", b"0x5\r\nhello\r\n" + LAST),
    chunk("size-space-after", b"5 \r\nhello\r\n" + LAST),
    chunk("size-empty", b"\r\nhello\r\n" + LAST),
    chunk("size-too-large", b"FFFFFFFFFFFFFFFFF\r\nhello\r\n" + LAST),
    chunk("size-line-lf", b"5\nhello\r\n" + LAST),
    chunk("data-longer", b"4\r\nhello\r\n" + LAST),
    chunk("data-lf", b"5\r\nhello\n" + LAST),
    chunk("extension-lf", b"5;a\nb\r\nhello\r\n" + LAST),
    chunk("trailer-without-colon", b"5\r\nhello\r\n0\r\nnonsense\r\n\r\n"),
    chunk("trailer-nul", b"5\r\nhello\r\n0\r\nX-A: \x00\r\n\r\n"),
    broken("chunk-cut", SHORT, CHUNKED + b"5\r\nhel"),
    broken("chunks-without-last", SHORT, CHUNKED + b"5\r\nhello\r\n"),
    broken("chunks-without-final-line", SHORT, CHUNKED + b"5\r\nhello\r\n0\r\n"),
    broken("length-cut", SHORT, OK + b"Content-Length: 50\r\n\r\nhello"),
    broken("length-nothing-came", SHORT, FIVE),
    good("chunks", CHUNK, CHUNKED + b"5\r\nhello\r\n" + LAST),
    good("chunk-extension", "RFC 9112 §7.1.1", CHUNKED + b'5;a="b"\r\nhello\r\n' + LAST),
    good(
        "trailer-set-cookie",
        "RFC 9110 §6.5.1",
        CHUNKED + b"5\r\nhello\r\n0\r\nSet-Cookie: a=b\r\n\r\n",
        Answer(200, b"hello", absent=(b"set-cookie",)),
    ),
    good(
        "trailer-content-length",
        "RFC 9110 §6.5.1",
        CHUNKED + b"5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n",
        Answer(200, b"hello", absent=(b"content-length",)),
    ),
    # Until the server closes.
    ended("until-close", LENGTH, OK + b"\r\nhello", GREETING),
    ended("until-close-empty", LENGTH, OK + b"\r\n", Answer(200)),
    ended("until-close-http-1.0", LENGTH, b"HTTP/1.0 200 OK\r\n\r\nhello", GREETING),
    ended("until-close-looks-like-another", LENGTH, OK + b"\r\n" + POISON, Answer(200, POISON)),
    ended(
        "http-1.0-with-length",
        LENGTH,
        b"HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        GREETING,
    ),
    # More than was announced: never the answer to the next request.
    good("one-byte-too-many", LENGTH, FIVE + b"hello!"),
    good("whole-answer-too-many", LENGTH, FIVE + b"hello" + POISON),
    good("whole-answer-behind-chunks", LENGTH, CHUNKED + b"5\r\nhello\r\n" + LAST + POISON),
    good("zero-length-and-body", LENGTH, OK + b"Content-Length: 0\r\n\r\n" + POISON, Answer(200)),
    good("204-and-another", LENGTH, b"HTTP/1.1 204 No Content\r\n\r\n" + POISON, Answer(204)),
    good(
        "204-with-length",
        "RFC 9110 §8.6",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
        Answer(204, absent=(b"content-length",)),
    ),
    good(
        "204-with-chunks",
        "RFC 9112 §6.1",
        b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n" + LAST,
        Answer(204, absent=(b"transfer-encoding",)),
    ),
    good(
        "304-with-length",
        "RFC 9110 §15.4.5",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
        Answer(304, present=((b"content-length", b"5"),)),
    ),
    good(
        "304-with-body",
        LENGTH,
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\nhello",
        Answer(304),
    ),
    head("with-length", FIVE, Answer(200, present=((b"content-length", b"5"),))),
    head("with-body", FIVE + b"hello", Answer(200)),
    head("with-chunked", CHUNKED, Answer(200)),
    head("with-chunks", CHUNKED + b"5\r\nhello\r\n" + LAST, Answer(200)),
    head("without-length", OK + b"\r\n", Answer(200)),
    # Interim responses.
    good(
        "100-unasked",
        INTERIM,
        b"HTTP/1.1 100 Continue\r\n\r\n" + FIVE + b"hello",
        Answer(200, b"hello", interim=(100,)),
    ),
    good(
        "103",
        "RFC 8297 §2",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + FIVE + b"hello",
        Answer(200, b"hello", interim=(103,)),
    ),
    good(
        "three-interim",
        INTERIM,
        b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3 + FIVE + b"hello",
        Answer(200, b"hello", interim=(103, 103, 103)),
    ),
    good(
        "interim-with-length",
        "RFC 9110 §8.6",
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n" + FIVE + b"hello",
        Answer(200, b"hello", interim=(103,)),
    ),
    good(
        "interim-with-chunked",
        "RFC 9112 §6.1",
        b"HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\n\r\n" + FIVE + b"hello",
        Answer(200, b"hello", interim=(103,)),
    ),
    session("interim-without-end", INTERIM, b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100, BAD_GATEWAY),
    session(
        "interim-then-noise", INTERIM, b"HTTP/1.1 100 Continue\r\n\r\nnoise\r\n\r\n", BAD_GATEWAY
    ),
    session("interim-then-close", SHORT, b"HTTP/1.1 100 Continue\r\n\r\n", BAD_GATEWAY),
    # Nobody asked for another protocol, so nobody gets one.
    session(
        "101-unasked", UPGRADE, b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + POISON, BAD_GATEWAY
    ),
    session(
        "101-unasked-with-fields",
        UPGRADE,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
        + POISON,
        BAD_GATEWAY,
    ),
    session(
        "101-to-another-protocol",
        UPGRADE,
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n" + POISON,
        BAD_GATEWAY,
        ASKS,
    ),
    session(
        "101-without-upgrade-field",
        UPGRADE,
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + POISON,
        BAD_GATEWAY,
        ASKS,
    ),
    session(
        "101-in-http-1.0",
        UPGRADE,
        b"HTTP/1.0 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        BAD_GATEWAY,
        ASKS,
    ),
)
