"""Responses that are read and refused: whole, byte by byte, with trailing bytes; their framing."""

import pytest

from l7lb_protocols.http.scanner import (
    CHUNKED,
    DROP_CONTENT_LENGTH,
    LENGTH,
    NO_BODY,
    UNTIL_CLOSE,
    ResponseScanner,
)
from support.http_rules import response_byte_by_byte, response_verdict

OK = b"HTTP/1.1 200 OK\r\n"


def read(data: bytes, method: bytes = b"GET") -> ResponseScanner:
    """The scanner after `data`, which must be one whole head however it comes."""
    trailing = ResponseScanner()
    assert trailing.scan(data + b"\x00\n\r", 0, method) == len(data)
    shifted = ResponseScanner()
    assert shifted.scan(b"\x00\r\n" + data, 3, method) == len(data) + 3
    scanner = ResponseScanner()
    assert response_byte_by_byte(scanner, data, method) == ("read", len(data))
    for other in (trailing, shifted):
        assert facts(other) == facts(scanner)
    return scanner


def facts(scanner: ResponseScanner) -> tuple[object, ...]:
    return (
        *(scanner.status, scanner.minor, scanner.reason, scanner.framing),
        *(scanner.content_length, scanner.keep_alive, scanner.upgrade),
        *(scanner.fields(), scanner.forward(b"A: b\r\n")),
    )


def refused(data: bytes, method: bytes = b"GET") -> None:
    assert response_verdict(ResponseScanner(), data, 0, method) == ("refused", 502)
    assert response_verdict(ResponseScanner(), data + OK, 0, method) == ("refused", 502)
    assert response_byte_by_byte(ResponseScanner(), data, method) == ("refused", 502)


def head(*lines: bytes, first: bytes = OK) -> bytes:
    return first + b"".join(line + b"\r\n" for line in lines) + b"\r\n"


# --------------------------------------------------------------------------- status line


@pytest.mark.parametrize(
    ("line", "status", "reason", "sent"),
    [
        (b"HTTP/1.1 200 OK", 200, b"OK", b"HTTP/1.1 200 OK"),
        (b"HTTP/1.1 404 Not \xc3\xa9\tFound ", 404, b"Not \xc3\xa9\tFound ", None),
        (b"HTTP/1.1 599 ", 599, b"", b"HTTP/1.1 599 "),
        (b"HTTP/1.1 200", 200, b"", b"HTTP/1.1 200 "),
        (b"HTTP/1.0 200 OK", 200, b"OK", b"HTTP/1.1 200 OK"),
        (b"HTTP/1.0 302", 302, b"", b"HTTP/1.1 302 "),
        (b"HTTP/1.1 299  x", 299, b" x", b"HTTP/1.1 299  x"),
    ],
)
def test_status_line(line, status, reason, sent):
    scanner = read(line + b"\r\nA: b\r\n\r\n")
    assert (scanner.status, scanner.reason, scanner.minor) == (status, reason, line[7] - 48)
    assert scanner.forward(b"C: d\r\n") == (sent or line) + b"\r\nA: b\r\nC: d\r\n\r\n"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" HTTP/1.1 200 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.2 200 OK",
        b"HTTP/2.0 200 OK",
        b"HTTP/0.9 200 OK",
        b"HTTP/2 200",
        b"HTTP/11 200 OK",
        b"HTTP/1.1  200 OK",
        b"HTTP/1.1\t200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 2000 OK",
        b"HTTP/1.1 2xx OK",
        b"HTTP/1.1 +20 OK",
        b"HTTP/1.1 099 OK",
        b"HTTP/1.1 600 OK",
        b"HTTP/1.1 999 OK",
        b"HTTP/1.1 \xb2\xb2\xb2 OK",
        b"HTTP/1.1 200\tOK",
        b"HTTP/1.1 200 O\x00K",
        b"HTTP/1.1 200 O\x7fK",
        b"HTTP/1.1 200 O\rK",
        b"HTTP/1.1 200 O\nK",
        b"ICY 200 OK",
        b"SSH-2.0-OpenSSH",
        b"<html>",
    ],
)
def test_refused_status_line(line):
    refused(line + b"\r\nContent-Length: 0\r\n\r\n")


def test_empty_line_before_the_response_is_refused():
    refused(b"\r\n" + head())


@pytest.mark.parametrize(
    "line",
    [
        b"X Y: z",
        b"X-Y : z",
        b" X-Y: z",
        b": z",
        b"X-Y",
        b"X-Y: a\r\n folded",
        b"X-Y: a\x00",
        b"X-Y: a\rb",
        b"X-Y: a\nZ: b",
        b"Connection: a b",
    ],
)
def test_refused_field(line):
    refused(head(b"Content-Length: 0", line))


# --------------------------------------------------------------------------- framing


@pytest.mark.parametrize(
    ("lines", "framing", "length"),
    [
        ([], UNTIL_CLOSE, -1),
        ([b"Content-Length: 0"], LENGTH, 0),
        ([b"Content-Length: 7"], LENGTH, 7),
        ([b"Content-Length: 7", b"content-length: 7"], LENGTH, 7),
        ([b"Transfer-Encoding: chunked"], CHUNKED, -1),
    ],
)
def test_framing(lines, framing, length):
    scanner = read(head(*lines))
    assert (scanner.framing, scanner.content_length) == (framing, length)
    assert scanner.keep_alive is (framing != UNTIL_CLOSE)
    for method in (b"HEAD", b"GET"):
        first = OK if method == b"HEAD" else b"HTTP/1.1 304 Not Modified\r\n"
        scanner = read(head(*lines, first=first), method)
        assert (scanner.framing, scanner.keep_alive) == (NO_BODY, True)
        assert scanner.forward(b"") == head(*lines[:1], first=first)


def test_repeated_length_goes_on_once():
    scanner = read(head(b"Content-Length: 7", b"A: 1", b"Content-Length: 7"))
    assert scanner.forward(b"") == head(b"Content-Length: 7", b"A: 1")
    assert scanner.forward(b"", DROP_CONTENT_LENGTH) == head(b"A: 1")


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Content-Length: 5", b"Content-Length: 6"],
        [b"Content-Length: 5", b"Content-Length: 05"],
        [b"Content-Length: 5, 5"],
        [b"Content-Length: -1"],
        [b"Content-Length: 1e3"],
        [b"Content-Length: 1000000000000000000"],
        [b"Transfer-Encoding: gzip"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: chunked, chunked"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: \x0bchunked"],
    ],
)
def test_refused_framing(lines):
    for method in (b"GET", b"HEAD", b"CONNECT"):
        refused(head(*lines), method)
    refused(head(*lines, first=b"HTTP/1.1 204 No Content\r\n"))


def test_transfer_encoding_in_http_1_0():
    refused(head(b"Transfer-Encoding: chunked", first=b"HTTP/1.0 200 OK\r\n"))


@pytest.mark.parametrize(
    ("first", "method"),
    [
        (b"HTTP/1.1 100 Continue\r\n", b"GET"),
        (b"HTTP/1.1 103 Early Hints\r\n", b"GET"),
        (b"HTTP/1.1 204 No Content\r\n", b"GET"),
        (b"HTTP/1.1 200 Connected\r\n", b"CONNECT"),
    ],
)
def test_what_has_no_body_claims_none(first, method):
    scanner = read(head(first=first), method)
    assert (scanner.framing, scanner.keep_alive) == (NO_BODY, True)
    for line in (b"Content-Length: 5", b"Transfer-Encoding: chunked"):
        scanner = read(head(line, b"A: b", first=first), method)
        assert (scanner.framing, scanner.keep_alive) == (NO_BODY, False)
        assert scanner.forward(b"") == head(b"A: b", first=first)
        assert scanner.fields() == [(b"A", b"b")]
    assert read(head(b"Content-Length: 0", first=first), method).keep_alive


def test_refused_connect_has_a_body():
    first = b"HTTP/1.1 403 Forbidden\r\n"
    assert read(head(b"Content-Length: 5", first=first), b"CONNECT").framing == LENGTH


# --------------------------------------------------------------------------- connection


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"close", False),
        (b"1.1", b"keep-alive, Close", False),
        (b"1.0", b"", False),
        (b"1.0", b"keep-alive", True),
    ],
)
def test_keep_alive(version, connection, keep_alive):
    first = b"HTTP/" + version + b" 200 OK\r\n"
    scanner = read(head(b"Content-Length: 0", b"Connection: " + connection, first=first))
    assert scanner.keep_alive is keep_alive
    assert b"onnection" not in scanner.forward(b"")


def test_upgrade():
    first = b"HTTP/1.1 101 Switching Protocols\r\n"
    scanner = read(head(b"Upgrade: WebSocket", b"Connection: Upgrade", b"A: b", first=first))
    assert (scanner.upgrade, scanner.framing) == (b"websocket", NO_BODY)
    assert scanner.forward(b"C: d\r\n", upgrade=True) == head(
        b"Upgrade: WebSocket", b"A: b", b"C: d", b"Connection: upgrade", first=first
    )
    assert scanner.forward(b"") == head(b"A: b", first=first)
    assert read(head(b"Upgrade: h2c", first=first)).upgrade == b""


def test_header_and_cookies():
    scanner = read(
        head(b"Set-Cookie: a=1; Path=/", b"X_y: 1", b"set-cookie: b=2", b"Set-Cookie: a=3")
    )
    assert scanner.cookie(b"a") == b"3"
    assert scanner.cookie(b"b") == b"2"
    assert scanner.cookie(b"Path") is None
    assert scanner.header(b"x_y") == b"1"
    assert read(head()).cookie(b"a") is None


def test_remove():
    scanner = read(head(b"Server: x", b"A: b"))
    scanner.remove(b"server")
    assert scanner.forward(b"Server: y\r\n") == head(b"A: b", b"Server: y")
