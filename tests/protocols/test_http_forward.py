"""What is sent on: nothing hop-by-hop, what rules change, everything else as it came."""

import pytest

from l7lb_protocols.http.scanner import (
    DROP_CLIENT_NAME,
    DROP_CONTENT_LENGTH,
    DROP_EXPECT,
    DROP_FORWARDED,
    DROP_REQUEST_ID,
    DROP_TRANSFER_ENCODING,
    DROP_XFF,
    DROP_XFH,
    DROP_XFP,
    RequestScanner,
    ResponseScanner,
)
from support.http_rules import HOP_BY_HOP

HOPS = b"".join(name.title() + b": x\r\n" for name in sorted(HOP_BY_HOP - {b"connection"}))


LINE = b"GET /a?b HTTP/1.1"


def scanned(*lines: bytes, line: bytes = LINE, host: bytes = b"h") -> RequestScanner:
    scanner = RequestScanner()
    data = line + b"\r\n" + (b"Host: " + host + b"\r\n" if host else b"")
    assert scanner.scan(data + b"".join(text + b"\r\n" for text in lines) + b"\r\n")
    return scanner


def test_plain_request_goes_on_as_it_came():
    scanner = scanned(b"A: 1", b"B: 2")
    assert scanner.forward(b"") == b"GET /a?b HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\n\r\n"
    assert scanner.forward(b"C: 3\r\n").endswith(b"\r\nB: 2\r\nC: 3\r\n\r\n")


@pytest.mark.parametrize("first", [True, False])
def test_no_hop_by_hop_field_leaks(first):
    hops = HOPS.split(b"\r\n")[:-1]
    lines = [*hops, b"A: 1", *hops, b"B: 2"] if first else [b"A: 1", *hops, b"B: 2", *hops]
    scanner = scanned(*lines, b"Connection: c", b"C: 3", b"connection: D-e,close", b"d-E: 4")
    assert scanner.forward(b"") == b"GET /a?b HTTP/1.1\r\nHost: h\r\nA: 1\r\nB: 2\r\n\r\n"
    assert scanner.fields() == [(b"Host", b"h"), (b"A", b"1"), (b"B", b"2")]
    response = ResponseScanner()
    head = b"HTTP/1.1 200 OK\r\n" + HOPS + b"Connection: X-A\r\nX-A: 1\r\nB: 2\r\n\r\n"
    assert response.scan(head, 0, b"GET")
    assert response.forward(b"") == b"HTTP/1.1 200 OK\r\nB: 2\r\n\r\n"
    assert response.fields() == [(b"B", b"2")]


def test_connection_cannot_hide_what_others_trust():
    lines = [
        b"Content-Length: 5",
        b"Cookie: a=b",
        b"Authorization: x",
        b"X-Forwarded-For: 1.2.3.4",
        b"X-Forwarded-Anything: y",
        b"Forwarded: for=x",
    ]
    names = b", ".join(line.partition(b":")[0] for line in lines)
    scanner = scanned(*lines, b"Connection: Host, close, keep-alive, " + names)
    expected = b"GET /a?b HTTP/1.1\r\nHost: h\r\n" + b"\r\n".join(lines) + b"\r\n\r\n"
    assert scanner.forward(b"") == expected
    scanner = scanned(b"Transfer-Encoding: chunked", b"Connection: transfer-encoding")
    assert b"\r\nTransfer-Encoding: chunked\r\n" in scanner.forward(b"")


@pytest.mark.parametrize(
    ("drop", "name"),
    [
        (DROP_XFF, b"X-Forwarded-For"),
        (DROP_XFP, b"X-Forwarded-Proto"),
        (DROP_XFH, b"X-Forwarded-Host"),
        (DROP_FORWARDED, b"Forwarded"),
        (DROP_REQUEST_ID, b"X-Request-ID"),
        (DROP_CLIENT_NAME, b"X-Client-Name"),
        (DROP_EXPECT, b"Expect"),
    ],
)
def test_drop(drop, name):
    value = b"100-continue"
    line = name.swapcase() + b": " + value
    scanner = scanned(line, b"A: 1", line) if drop != DROP_EXPECT else scanned(line, b"A: 1")
    assert scanner.forward(b"", drop) == b"GET /a?b HTTP/1.1\r\nHost: h\r\nA: 1\r\n\r\n"
    assert line in scanner.forward(b"")
    assert line in scanner.forward(b"", (1 << 14) - 1 - drop - (1 << 0))


def test_drop_of_framing():
    assert b"5" not in scanned(b"Content-Length: 5").forward(b"", DROP_CONTENT_LENGTH)
    response = ResponseScanner()
    response.scan(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0, b"GET")
    assert response.forward(b"", DROP_TRANSFER_ENCODING) == b"HTTP/1.1 200 OK\r\n\r\n"


def test_client_name_is_configurable():
    scanner = RequestScanner(client_name=b"SSL-cn")
    scanner.scan(b"GET / HTTP/1.1\r\nHost: h\r\nSSL-CN: me\r\nX-Client-Name: y\r\n\r\n")
    assert scanner.forward(b"", DROP_CLIENT_NAME) == (
        b"GET / HTTP/1.1\r\nHost: h\r\nX-Client-Name: y\r\n\r\n"
    )


def test_path_and_host_are_replaced():
    scanner = scanned(b"A: 1")
    assert scanner.forward(b"", path=b"/x") == b"GET /x?b HTTP/1.1\r\nHost: h\r\nA: 1\r\n\r\n"
    assert scanner.forward(b"", path=b"/x?y") == b"GET /x?y HTTP/1.1\r\nHost: h\r\nA: 1\r\n\r\n"
    assert scanner.forward(b"", host=b"i:1") == b"GET /a?b HTTP/1.1\r\nHost: i:1\r\nA: 1\r\n\r\n"
    assert scanner.forward(b"") == b"GET /a?b HTTP/1.1\r\nHost: h\r\nA: 1\r\n\r\n"


@pytest.mark.parametrize(
    ("line", "host", "sent"),
    [
        (b"GET /%41 HTTP/1.1", b"h", b"GET /A HTTP/1.1\r\nHost: h\r\n\r\n"),
        (b"GET /%c3?%41 HTTP/1.1", b"h", b"GET /%C3?%41 HTTP/1.1\r\nHost: h\r\n\r\n"),
        (b"GET http://H/a?b HTTP/1.1", b"h", b"GET /a?b HTTP/1.1\r\nHost: h\r\n\r\n"),
        (b"GET http://h?b HTTP/1.1", b"h", b"GET /?b HTTP/1.1\r\nHost: h\r\n\r\n"),
        (b"OPTIONS http://h HTTP/1.1", b"h", b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"),
        (b"GET / HTTP/1.0", b"h", b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        (b"GET / HTTP/1.0", b"", b"GET / HTTP/1.1\r\nHost: \r\n\r\n"),
        (b"GET http://h:1/ HTTP/1.0", b"", b"GET / HTTP/1.1\r\nHost: h:1\r\n\r\n"),
    ],
)
def test_request_line_is_rewritten(line, host, sent):
    assert scanned(line=line, host=host).forward(b"") == sent


@pytest.mark.parametrize(
    ("line", "tidy"),
    [
        (b"Content-Length:\t5", b"Content-Length: 5"),
        (b"CONTENT-length: 0005 ", b"CONTENT-length: 5"),
        (b"Transfer-Encoding: Chunked", b"Transfer-Encoding: chunked"),
        (b"transfer-encoding:  chunked\t", b"transfer-encoding: chunked"),
        (b"X:y ", b"X: y"),
    ],
)
def test_rare_spellings_are_rewritten(line, tidy):
    scanner = scanned(b"A:  1", line, b"Connection: close", b"B: 2", b"X-Forwarded-For: 1")
    expected = b"GET /a?b HTTP/1.1\r\nHost: h\r\nA: 1\r\n" + tidy + b"\r\nB: 2\r\nC: 3\r\n\r\n"
    assert scanner.forward(b"C: 3\r\n", DROP_XFF) == expected


def test_upgrade():
    scanner = scanned(b"Connection: keep-alive, Upgrade", b"Upgrade: WebSocket", b"A: 1")
    assert scanner.forward(b"B: 2\r\n", upgrade=True) == (
        b"GET /a?b HTTP/1.1\r\nHost: h\r\nUpgrade: WebSocket\r\nA: 1\r\nB: 2\r\n"
        b"Connection: upgrade\r\n\r\n"
    )
    assert b"pgrade" not in scanner.forward(b"")


def test_remove():
    scanner = scanned(b"A: 1", b"B: 2", b"a: 3")
    scanner.remove(b"a")
    scanner.remove(b"absent")
    assert scanner.forward(b"A: 4\r\n") == b"GET /a?b HTTP/1.1\r\nHost: h\r\nB: 2\r\nA: 4\r\n\r\n"
    assert scanner.fields() == [(b"Host", b"h"), (b"B", b"2")]
    assert scanner.header(b"a") == b"1, 3"


def test_detached_copy_stays():
    scanner = RequestScanner(underscores=True, encoded_slash=True)
    data = b"\r\nGET /%2f?x=1 HTTP/1.1\r\nHost: h\r\nA_b: 1\r\nCookie: c=d\r\n\r\n"
    scanner.scan(b"junk" + data + b"junk", 4)
    scanner.source = "192.0.2.1"
    scanner.sni = scanner.tls_name = scanner.account = scanner.recipient = b"z"
    copy = scanner.detach()
    scanner.scan(b"POST /other HTTP/1.0\r\n\r\n")
    assert (copy.method, copy.path, copy.query, copy.host) == (b"GET", b"/%2F", b"x=1", b"h")
    assert (copy.header(b"a_b"), copy.cookie(b"c"), copy.argument(b"x")) == (b"1", b"d", b"1")
    assert (copy.source, copy.sni, copy.tls_name) == ("192.0.2.1", b"z", b"z")
    assert (copy.account, copy.recipient) == (b"z", b"z")
    assert copy.forward(b"") == (
        b"GET /%2F?x=1 HTTP/1.1\r\nHost: h\r\nA_b: 1\r\nCookie: c=d\r\n\r\n"
    )
