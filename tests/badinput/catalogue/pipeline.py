"""Several requests on one connection: where one ends, the next begins, and nowhere else."""

from __future__ import annotations

from badinput.catalogue.case import Case, H, Meaning

ORDER = "RFC 9112 §9.3.2"
LENGTH = "RFC 9112 §6.3"
PERSIST = "RFC 9112 §9.3"
ONE = b"GET /one HTTP/1.1\r\n" + H + b"\r\n"
TWO = b"GET /two HTTP/1.1\r\n" + H + b"\r\n"
FIRST, SECOND = Meaning(b"GET", b"/one"), Meaning(b"GET", b"/two")


def post(lines: bytes, body: bytes, method: bytes = b"POST") -> bytes:
    return method + b" /p HTTP/1.1\r\n" + H + lines + b"\r\n" + body


def posted(body: bytes, method: bytes = b"POST") -> Meaning:
    return Meaning(method, b"/p", body)


def body_of(data: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(data)


CHUNKED = b"Transfer-Encoding: chunked\r\n"

CASES = (
    Case("pipeline-two", ORDER, ONE + TWO, (FIRST, SECOND)),
    Case("pipeline-empty-line-between", "RFC 9112 §2.2", ONE + b"\r\n" + TWO, (FIRST, SECOND)),
    Case("pipeline-ten", ORDER, ONE * 10, (FIRST,) * 10),
    Case(
        "pipeline-after-length",
        LENGTH,
        post(body_of(b"hello"), b"hello") + TWO,
        (posted(b"hello"), SECOND),
    ),
    Case(
        "pipeline-after-chunks",
        LENGTH,
        post(CHUNKED, b"5\r\nhello\r\n0\r\n\r\n") + TWO,
        (posted(b"hello"), SECOND),
    ),
    Case(
        "pipeline-after-trailers",
        LENGTH,
        post(CHUNKED, b"5\r\nhello\r\n0\r\nX-A: b\r\n\r\n") + TWO,
        (posted(b"hello"), SECOND),
    ),
    Case(
        "pipeline-after-zero-length",
        LENGTH,
        post(b"Content-Length: 0\r\n", TWO),
        (posted(b""), SECOND),
    ),
    Case(
        "pipeline-request-in-a-body", LENGTH, post(body_of(ONE), ONE) + TWO, (posted(ONE), SECOND)
    ),
    Case(
        "pipeline-request-in-a-chunk",
        LENGTH,
        post(CHUNKED, b"%x\r\n" % len(ONE) + ONE + b"\r\n0\r\n\r\n") + TWO,
        (posted(ONE), SECOND),
    ),
    Case(
        "pipeline-half-a-request-in-a-body",
        LENGTH,
        post(body_of(ONE[:20]), ONE[:20], b"GET") + TWO,
        (posted(ONE[:20], b"GET"), SECOND),
    ),
    Case(
        "pipeline-options-with-body",
        "RFC 9110 §9.3.7",
        post(body_of(ONE), ONE, b"OPTIONS") + TWO,
        (posted(ONE, b"OPTIONS"), SECOND),
    ),
    Case(
        "pipeline-delete-with-body",
        "RFC 9110 §9.3.5",
        post(body_of(ONE), ONE, b"DELETE") + TWO,
        (posted(ONE, b"DELETE"), SECOND),
    ),
    Case(
        "pipeline-expect-with-body-at-once",
        "RFC 9110 §10.1.1",
        post(b"Expect: 100-continue\r\n" + body_of(ONE), ONE) + TWO,
        (posted(ONE), SECOND),
    ),
    Case(
        "pipeline-body-longer-than-length",
        LENGTH,
        post(b"Content-Length: 5\r\n", b"hello" + TWO),
        (posted(b"hello"), SECOND),
    ),
    # The second is bad: the first is served, the second refused.
    Case("pipeline-second-bad", ORDER, ONE + b"GET / HTTP/1.1\r\n\r\n", (FIRST,), (400,)),
    Case("pipeline-noise-behind", ORDER, ONE + b"\x00\x01\x02\r\n\r\n" + TWO, (FIRST,), (400,)),
    Case(
        "pipeline-letter-behind-body",
        LENGTH,
        post(b"Content-Length: 5\r\n", b"hello!" + TWO),
        (posted(b"hello"), Meaning(b"!GET", b"/two")),
        declined_by=frozenset({"nginx", "aiohttp"}),
    ),
    Case(
        "pipeline-both-framings-second",
        "RFC 9112 §6.1",
        ONE + post(CHUNKED + b"Content-Length: 5\r\n", b"0\r\n\r\n" + TWO),
        (FIRST,),
        (400,),
    ),
    Case(
        "pipeline-bad-chunk-second",
        "RFC 9112 §7.1",
        ONE + post(CHUNKED, b"x\r\n" + TWO),
        (FIRST,),
        (400,),
        in_body=True,
    ),
    Case(
        "pipeline-large-head-second",
        "RFC 6585 §5",
        ONE + b"GET / HTTP/1.1\r\nX: " + b"y" * 100_000,
        (FIRST,),
        (431, 400),
    ),
    # The client said that nothing follows, so nothing that follows counts.
    Case(
        "pipeline-after-close",
        PERSIST,
        ONE.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + TWO,
        (FIRST,),
    ),
    Case(
        "pipeline-after-close-in-a-list",
        PERSIST,
        ONE.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive, close\r\n\r\n") + TWO,
        (FIRST,),
    ),
    Case("pipeline-after-http-1.0", PERSIST, ONE.replace(b"1.1", b"1.0") + TWO, (FIRST,)),
    Case(
        "pipeline-after-http-1.0-keep-alive",
        PERSIST,
        ONE.replace(b"1.1\r\n", b"1.0\r\nConnection: keep-alive\r\n") + TWO,
        (FIRST, SECOND),
    ),
)
