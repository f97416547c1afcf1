"""Where a request ends: Content-Length and Transfer-Encoding (RFC 9112 §6, RFC 9110 §8.6)."""

from __future__ import annotations

from badinput.catalogue.case import AIOHTTP, NGINX, Case, H, Meaning, refuse

POST = b"POST /f HTTP/1.1\r\n" + H
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + H + b"\r\n"
HELLO = Meaning(b"POST", b"/f", b"hello")
NO_LENGTH = "RFC 9110 §8.6"
BOTH = "RFC 9112 §6.1"
LIST = "RFC 9112 §6.3"
CODING = "RFC 9112 §6.1"


def length(value: bytes, body: bytes = b"hello") -> bytes:
    return POST + b"Content-Length:" + value + b"\r\n\r\n" + body


def coding(value: bytes, body: bytes = CHUNKS) -> bytes:
    return POST + b"Transfer-Encoding:" + value + b"\r\n\r\n" + body


def bad_length(name: str, value: bytes) -> Case:
    return refuse("length-" + name, NO_LENGTH, length(value))


def bad_coding(name: str, value: bytes) -> Case:
    return refuse("coding-" + name, CODING, coding(value), 400, 501)


def good_length(name: str, value: bytes, body: bytes = b"hello") -> Case:
    return Case("length-" + name, NO_LENGTH, length(value, body), (Meaning(b"POST", b"/f", body),))


def both(name: str, first: bytes, second: bytes, body: bytes) -> Case:
    return refuse("both-" + name, BOTH, POST + first + second + b"\r\n" + body)


CL, TE = b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"

CASES = (
    # Both, in either order and in every disguise: never a guess.
    both("length-first", CL, TE, CHUNKS),
    both("coding-first", TE, CL, CHUNKS),
    both("zero-length", b"Content-Length: 0\r\n", TE, CHUNKS),
    both("agreeing", b"Content-Length: 15\r\n", TE, CHUNKS),
    both("smuggles-by-length", b"Content-Length: 6\r\n", TE, b"0\r\n\r\nG"),
    both(
        "smuggles-by-chunks", b"Content-Length: 4\r\n", TE, b"5c\r\nGPOST / HTTP/1.1\r\n0\r\n\r\n"
    ),
    both("whole-request-behind", b"Content-Length: 50\r\n", TE, b"0\r\n\r\n" + SMUGGLED),
    both("coding-in-capitals", CL, b"TRANSFER-ENCODING: CHUNKED\r\n", CHUNKS),
    both("coding-with-tab", CL, b"Transfer-Encoding:\tchunked\r\n", CHUNKS),
    both("coding-with-spaces-after", CL, b"Transfer-Encoding: chunked  \r\n", CHUNKS),
    # One length, once, in ASCII digits.
    refuse("length-twice-same", LIST, POST + CL + CL + b"\r\nhello"),
    refuse("length-twice-different", LIST, POST + CL + b"Content-Length: 0\r\n\r\nhello"),
    refuse("length-twice-behind-others", LIST, POST + CL + b"X: y\r\n" + CL + b"\r\nhello"),
    bad_length("list-same", b" 5, 5"),
    bad_length("list-different", b" 5, 0"),
    bad_length("list-of-three", b" 5,5,5"),
    bad_length("list-with-empty-end", b" 5,"),
    bad_length("list-with-empty-start", b" ,5"),
    bad_length("plus", b" +5"),
    bad_length("minus", b" -5"),
    bad_length("minus-zero", b" -0"),
    bad_length("underscore", b" 1_0"),
    bad_length("hexadecimal", b" 0x5"),
    bad_length("fraction", b" 5.0"),
    bad_length("exponent", b" 5e0"),
    bad_length("two-numbers", b" 5 5"),
    bad_length("inner-tab", b" 1\t0"),
    bad_length("quoted", b' "5"'),
    bad_length("parameter", b" 5;v=1"),
    bad_length("unit", b" 5 bytes"),
    bad_length("words", b" five"),
    bad_length("empty", b""),
    bad_length("only-space", b"  \t "),
    bad_length("arabic-digit", b" \xd9\xa5"),
    bad_length("superscript", b" \xb2"),
    bad_length("full-width-digit", b" \xef\xbc\x95"),
    bad_length("form-feed", b" \x0c5"),
    bad_length("vertical-tab-after", b" 5\x0b"),
    bad_length("nul-after", b" 5\x00"),
    bad_length("two-to-the-63rd", b" 9223372036854775808"),
    bad_length("two-to-the-64th-and-5", b" 18446744073709551621"),
    bad_length("forty-digits", b" " + b"1" * 40),
    refuse("length-space-before-colon", "RFC 9112 §5.1", POST + b"Content-Length : 5\r\n\r\nhello"),
    refuse("length-tab-before-colon", "RFC 9112 §5.1", POST + b"Content-Length\t: 5\r\n\r\nhello"),
    refuse("length-folded", "RFC 9112 §5.2", POST + b"Content-Length:\r\n 5\r\n\r\nhello"),
    refuse("length-tab-in-name", "RFC 9110 §5.1", POST + b"Content\tLength: 5\r\n\r\nhello"),
    good_length("plain", b" 5"),
    good_length("without-space", b"5"),
    good_length("space-around", b" \t 5 \t"),
    good_length("tab-before", b"\t5"),
    good_length("leading-zeros", b" 005"),
    good_length("zeros-are-not-octal", b" 0010", b"0123456789"),
    good_length("zero", b" 0", b""),
    good_length("two-zeros", b" 00", b""),
    Case(
        "length-with-underscore-is-not-seen",
        "RFC 9110 §5.1",
        POST + b"Content_Length: 50\r\n" + CL + b"\r\nhello",
        (Meaning(b"POST", b"/f", b"hello", absent=(b"content_length",)),),
    ),
    # Only `chunked`, once, alone.
    bad_coding("unknown", b" xchunked"),
    bad_coding("identity", b" identity"),
    bad_coding("gzip", b" gzip"),
    bad_coding("gzip-then-chunked", b" gzip, chunked"),
    bad_coding("chunked-then-gzip", b" chunked, gzip"),
    bad_coding("chunked-then-identity", b" chunked, identity"),
    bad_coding("identity-then-chunked", b" identity, chunked"),
    bad_coding("chunked-twice", b" chunked, chunked"),
    bad_coding("parameter", b" chunked;q=1"),
    bad_coding("quoted", b' "chunked"'),
    bad_coding("single-quoted", b" 'chunked'"),
    bad_coding("comma-after", b" chunked,"),
    bad_coding("comma-before", b" , chunked"),
    bad_coding("empty", b""),
    bad_coding("inner-space", b" chunk ed"),
    bad_coding("abbreviated", b" chunke"),
    bad_coding("vertical-tab", b" \x0bchunked"),
    bad_coding("vertical-tab-after", b" chunked\x0b"),
    bad_coding("nul", b" \x00chunked"),
    bad_coding("no-break-space", b" \xa0chunked"),
    bad_coding("kelvin-sign", b" chun\xe2\x84\xaaed"),
    refuse("coding-two-lines", CODING, POST + TE + TE + b"\r\n" + CHUNKS, 400, 501),
    refuse(
        "coding-second-line-identity",
        CODING,
        POST + TE + b"Transfer-Encoding: identity\r\n\r\n" + CHUNKS,
        400,
        501,
    ),
    refuse(
        "coding-second-line-unknown",
        CODING,
        POST + b"Transfer-Encoding: cow\r\n" + TE + b"\r\n" + CHUNKS,
        400,
        501,
    ),
    refuse(
        "coding-in-http-1.0",
        CODING,
        b"POST /f HTTP/1.0\r\n" + H + TE + b"\r\n" + CHUNKS,
    ),
    refuse(
        "coding-and-length-in-http-1.0",
        CODING,
        b"POST /f HTTP/1.0\r\n" + H + TE + CL + b"\r\n" + CHUNKS,
    ),
    refuse(
        "coding-space-before-colon",
        "RFC 9112 §5.1",
        POST + CL + b"Transfer-Encoding : chunked\r\n\r\n" + CHUNKS,
    ),
    refuse(
        "coding-folded", "RFC 9112 §5.2", POST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + CHUNKS
    ),
    refuse(
        "coding-behind-bare-lf",
        "RFC 9112 §2.2",
        POST + CL + b"X: y\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    ),
    refuse(
        "coding-behind-bare-cr",
        "RFC 9112 §2.2",
        POST + CL + b"X: y\rTransfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    ),
    refuse(
        "coding-behind-folded-line",
        "RFC 9112 §5.2",
        POST + CL + b"X: y\r\n Transfer-Encoding: chunked\r\n\r\n" + CHUNKS,
    ),
    refuse("coding-without-colon", "RFC 9112 §5", POST + b"Transfer-Encoding chunked\r\n\r\n"),
    Case("coding-plain", CODING, coding(b" chunked"), (HELLO,)),
    Case("coding-capital", CODING, coding(b" Chunked"), (HELLO,)),
    Case("coding-space-after", CODING, coding(b" chunked \t"), (HELLO,)),
    Case("coding-tab-before", CODING, coding(b"\tchunked"), (HELLO,)),
    Case(
        "coding-with-underscore-is-not-seen",
        CODING,
        POST + b"Transfer_Encoding: chunked\r\n" + CL + b"\r\nhello",
        (Meaning(b"POST", b"/f", b"hello", absent=(b"transfer_encoding",)),),
    ),
    Case(
        "neither-is-an-empty-body",
        LIST,
        POST + b"\r\n" + SMUGGLED,
        (Meaning(b"POST", b"/f"), Meaning(b"GET", b"/smuggled")),
    ),
    Case(
        "get-with-body",
        "RFC 9110 §9.3.1",
        b"GET /f HTTP/1.1\r\n" + H + b"Content-Length: 43\r\n\r\n" + SMUGGLED[:43],
        (Meaning(b"GET", b"/f", SMUGGLED[:43]),),
    ),
    Case(
        "body-that-looks-like-a-request",
        LIST,
        POST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
        (Meaning(b"POST", b"/f", SMUGGLED),),
    ),
    Case(
        "body-cut-short",
        LIST,
        length(b" 10"),
        refused=(400, 0),
        in_body=True,
        ends=True,
    ),
    Case(
        "trace-with-body",
        "RFC 9110 §9.3.8",
        b"TRACE /f HTTP/1.1\r\n" + H + CL + b"\r\nhello",
        (Meaning(b"TRACE", b"/f", b"hello"),),
        declined_by=frozenset({NGINX, AIOHTTP}),
    ),
)
