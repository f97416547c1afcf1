"""The chunked coding of requests (RFC 9112 §7.1): sizes, line ends, extensions, trailers."""

from __future__ import annotations

from badinput.catalogue.case import Case, H, Meaning

HEAD = b"POST /c HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNK = "RFC 9112 §7.1"
EXTENSION = "RFC 9112 §7.1.1"
TRAILER = "RFC 9112 §7.1.2"
MERGED = "RFC 9110 §6.5.1"
END = b"0\r\n\r\n"


def bad(name: str, clause: str, body: bytes) -> Case:
    return Case("chunk-" + name, clause, HEAD + body, (), (400,), in_body=True)


def cut(name: str, body: bytes) -> Case:
    """Ends before it is whole: nobody may take it for whole."""
    return Case("chunk-" + name, "RFC 9112 §8", HEAD + body, (), (400, 0), in_body=True, ends=True)


def good(name: str, clause: str, body: bytes, meaning: bytes = b"hello") -> Case:
    return Case("chunk-" + name, clause, HEAD + body, (Meaning(b"POST", b"/c", meaning),))


def trailer(name: str, clause: str, line: bytes, field: bytes) -> Case:
    """A trailer field that must not go on; the body is sound."""
    meaning = Meaning(b"POST", b"/c", b"hello", absent=(field,))
    return Case(
        "trailer-" + name, clause, HEAD + b"5\r\nhello\r\n0\r\n" + line + b"\r\n", (meaning,)
    )


def bad_trailer(name: str, line: bytes) -> Case:
    raw = HEAD + b"5\r\nhello\r\n0\r\n" + line + b"\r\n"
    return Case("trailer-" + name, TRAILER, raw, (), (400,), in_body=True)


CASES = (
    # Size: hexadecimal digits in ASCII, nothing else.
    bad("size-minus", CHUNK, b"-5\r\nhello\r\n" + END),
    bad("size-plus", CHUNK, b"+5\r\nhello\r\n" + END),
    bad("size-plus-zero", CHUNK, b"+0\r\n\r\n"),
    bad("size-prefixed", CHUNK, b"0x5\r\nhello\r\n" + END),
    bad("size-underscore", CHUNK, b"0_5\r\nhello\r\n" + END),
    bad("size-space-before", CHUNK, b" 5\r\nhello\r\n" + END),
    bad("size-space-after", CHUNK, b"5 \r\nhello\r\n" + END),
    bad("size-tab-after", CHUNK, b"5\t\r\nhello\r\n" + END),
    bad("size-space-before-extension", EXTENSION, b"5 ;a=b\r\nhello\r\n" + END),
    bad("size-empty", CHUNK, b"\r\nhello\r\n" + END),
    bad("size-only-extension", EXTENSION, b";a=b\r\nhello\r\n" + END),
    bad("size-letter", CHUNK, b"G\r\nhello\r\n" + END),
    bad("size-suffix", CHUNK, b"5h\r\nhello\r\n" + END),
    bad("size-comma", CHUNK, b"5,5\r\nhello\r\n" + END),
    bad("size-quoted", CHUNK, b'"5"\r\nhello\r\n' + END),
    bad("size-arabic-digit", CHUNK, b"\xd9\xa5\r\nhello\r\n" + END),
    bad("size-nul-after", CHUNK, b"5\x00\r\nhello\r\n" + END),
    bad("size-sixteen-digits", CHUNK, b"FFFFFFFFFFFFFFFF\r\nhello\r\n" + END),
    bad("size-wraps-to-five", CHUNK, b"10000000000000005\r\nhello\r\n" + END),
    bad("size-wraps-in-32-bits", CHUNK, b"FFFFFFFFFFFFFFFFFFFFFFFB\r\nhello\r\n" + END),
    bad("size-of-many-zeros", CHUNK, b"0" * 100 + b"5\r\nhello\r\n" + END),
    # Line ends: CRLF, exactly.
    bad("size-line-lf", CHUNK, b"5\nhello\r\n" + END),
    bad("size-line-cr", CHUNK, b"5\rhello\r\n" + END),
    bad("size-line-cr-cr-lf", CHUNK, b"5\r\r\nhello\r\n" + END),
    bad("data-lf", CHUNK, b"5\r\nhello\n" + END),
    bad("data-cr", CHUNK, b"5\r\nhello\r" + END),
    bad("data-without-end", CHUNK, b"5\r\nhello" + END),
    bad("data-longer", CHUNK, b"4\r\nhello\r\n" + END),
    bad("data-shorter", CHUNK, b"6\r\nhello\r\n" + END),
    bad("data-any-two-bytes", CHUNK, b"5\r\nhelloXX" + END),
    bad("last-line-lf", CHUNK, b"5\r\nhello\r\n0\n\r\n"),
    bad("end-lf", CHUNK, b"5\r\nhello\r\n0\r\n\n"),
    bad("end-cr-only", CHUNK, b"5\r\nhello\r\n0\r\n\rX"),
    bad("all-lf", CHUNK, b"5\nhello\n0\n\n"),
    # Extensions: passed over to their CRLF, never forwarded.
    bad("extension-lf", EXTENSION, b"5;a\nhello\r\n" + END),
    bad("extension-lf-hides-a-size", EXTENSION, b"2;\nxx\r\n4c\r\n" + END),
    bad("extension-cr", EXTENSION, b"5;a\rb\r\nhello\r\n" + END),
    bad("extension-nul", EXTENSION, b"5;a=\x00\r\nhello\r\n" + END),
    bad("extension-control", EXTENSION, b"5;a=\x01\r\nhello\r\n" + END),
    bad("extension-64-kib", EXTENSION, b"5;a=" + b"b" * 65536 + b"\r\nhello\r\n" + END),
    bad("extensions-on-every-byte", EXTENSION, (b"1;" + b"x" * 4000 + b"\r\nh\r\n") * 64 + END),
    good("extension", EXTENSION, b"5;a=b\r\nhello\r\n" + END),
    good("extension-quoted", EXTENSION, b'5;a="b;c"\r\nhello\r\n' + END),
    good("extension-with-fake-size", EXTENSION, b'5;a="\t3 0"\r\nhello\r\n' + END),
    good("extension-without-name", EXTENSION, b"5;\r\nhello\r\n" + END),
    good("extension-on-the-last", EXTENSION, b"5\r\nhello\r\n0;a=b\r\n\r\n"),
    # Sound bodies in unusual clothes.
    good("several", CHUNK, b"1\r\nh\r\n4\r\nello\r\n" + END),
    good("empty", CHUNK, END, b""),
    good("capital-digit", CHUNK, b"A\r\n0123456789\r\n" + END, b"0123456789"),
    good("small-digit", CHUNK, b"a\r\n0123456789\r\n" + END, b"0123456789"),
    good("leading-zeros", CHUNK, b"0005\r\nhello\r\n" + END),
    good("last-of-two-zeros", CHUNK, b"5\r\nhello\r\n00\r\n\r\n"),
    good("data-like-framing", CHUNK, b"9\r\n0\r\n\r\nGET \r\n" + END, b"0\r\n\r\nGET "),
    # Bodies that do not end.
    cut("without-last", b"5\r\nhello\r\n"),
    cut("without-final-line", b"5\r\nhello\r\n0\r\n"),
    cut("inside-data", b"5\r\nhel"),
    cut("inside-size", b"5\r\nhello\r\n1"),
    # Trailers.
    trailer("content-length", MERGED, b"Content-Length: 50\r\n", b"content-length: 50"),
    trailer(
        "transfer-encoding", MERGED, b"Transfer-Encoding: gzip\r\n", b"transfer-encoding: gzip"
    ),
    trailer("host", MERGED, b"Host: evil.example\r\n", b"host: evil.example"),
    trailer("authorization", MERGED, b"Authorization: Basic Zm9v\r\n", b"authorization"),
    trailer("content-type", MERGED, b"Content-Type: text/evil\r\n", b"content-type"),
    trailer("cookie", MERGED, b"Cookie: a=b\r\n", b"cookie"),
    trailer(
        "forwarded-for", MERGED, b"X-Forwarded-For: 192.0.2.9\r\n", b"x-forwarded-for: 192.0.2.9"
    ),
    trailer("connection", MERGED, b"Connection: keep-alive\r\n", b"connection: keep-alive"),
    bad_trailer("without-colon", b"nonsense\r\n"),
    bad_trailer("space-before-colon", b"X-A : b\r\n"),
    bad_trailer("empty-name", b": b\r\n"),
    bad_trailer("folded", b"X-A: b\r\n c\r\n"),
    bad_trailer("lf", b"X-A: b\n"),
    bad_trailer("cr", b"X-A: b\rX-B: c\r\n"),
    bad_trailer("nul", b"X-A: \x00\r\n"),
    bad_trailer("without-end", b"X-A: " + b"b" * 65536 + b"\r\n"),
    good("trailer-allowed", TRAILER, b"5\r\nhello\r\n0\r\nX-Checksum: abc\r\n\r\n"),
)
