"""Requests that are read and refused: whole, byte by byte, and with trailing bytes."""

import pytest

from l7lb_protocols.http.scanner import RequestScanner
from support.http_rules import request_byte_by_byte, request_verdict

LINE = b"GET / HTTP/1.1\r\n"
HOST = b"Host: a\r\n"
END = b"\r\n"


def read(data: bytes, **options: bool) -> RequestScanner:
    """The scanner after `data`, which must be one whole head however it comes."""
    trailing = RequestScanner(**options)
    assert trailing.scan(data + b"GET \x00\r\n") == len(data)
    shifted = RequestScanner(**options)
    assert shifted.scan(b"\x00\r\n" + data, 3) == len(data) + 3
    scanner = RequestScanner(**options)
    assert request_byte_by_byte(scanner, data) == ("read", len(data))
    for other in (trailing, shifted):
        assert facts(other) == facts(scanner)
    return scanner


def facts(scanner: RequestScanner) -> tuple[object, ...]:
    return (
        *(scanner.method, scanner.target, scanner.path, scanner.query),
        *(scanner.host, scanner.authority, scanner.minor, scanner.content_length),
        *(scanner.chunked, scanner.keep_alive, scanner.expect_continue, scanner.upgrade),
        *(scanner.fields(), scanner.forward(b"A: b\r\n")),
    )


def refused(data: bytes) -> int:
    """The status with which `data` is refused however it comes."""
    verdict = request_verdict(RequestScanner(), data)
    assert verdict[0] == "refused"
    assert request_verdict(RequestScanner(), data + b"GET / HTTP/1.1\r\n\r\n") == verdict
    assert request_verdict(RequestScanner(), b"\r\n\r\n" + data, 4) == verdict
    assert request_byte_by_byte(RequestScanner(), data) == verdict
    return verdict[1]


def fields(*lines: bytes) -> bytes:
    return LINE + HOST + b"".join(line + b"\r\n" for line in lines) + END


# --------------------------------------------------------------------------- request line


@pytest.mark.parametrize(
    ("line", "method", "path", "query"),
    [
        (b"GET / HTTP/1.1", b"GET", b"/", b""),
        (b"GET /a/b.c?x=1&y=%zz? HTTP/1.1", b"GET", b"/a/b.c", b"x=1&y=%zz?"),
        (b"get /? HTTP/1.1", b"get", b"/", b""),
        (b"M-SEARCH!#$%&'*+.^_`|~9 /a HTTP/1.1", b"M-SEARCH!#$%&'*+.^_`|~9", b"/a", b""),
        (b"PUT /%61%2f".replace(b"%2f", b"%c3") + b" HTTP/1.1", b"PUT", b"/a%C3", b""),
        (b"GET /.well-known/x HTTP/1.1", b"GET", b"/.well-known/x", b""),
        (b"GET /[a]|b^c?{d}|[e]^`\\ HTTP/1.1", b"GET", b"/[a]|b^c", b"{d}|[e]^`\\"),
        (b"GET //x HTTP/1.1", b"GET", b"//x", b""),
        (b"OPTIONS * HTTP/1.1", b"OPTIONS", b"*", b""),
        (b"OPTIONS http://a HTTP/1.1", b"OPTIONS", b"*", b""),
        (b"OPTIONS http://a?x HTTP/1.1", b"OPTIONS", b"/", b"x"),
        (b"GET http://a HTTP/1.1", b"GET", b"/", b""),
        (b"GET HTTPS://A/%41?x HTTP/1.1", b"GET", b"/A", b"x"),
        (b"A" * 32 + b" / HTTP/1.1", b"A" * 32, b"/", b""),
    ],
)
def test_request_line(line, method, path, query):
    scanner = read(line + b"\r\n" + HOST + END)
    assert (scanner.method, scanner.path, scanner.query) == (method, path, query)
    assert scanner.target == line.split(b" ")[1]
    assert (scanner.host, scanner.minor) == (b"a", 1)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET", 400),
        (b"GET /", 400),
        (b"GET  / HTTP/1.1", 400),
        (b"GET /  HTTP/1.1", 400),
        (b"GET / HTTP/1.1 ", 400),
        (b" GET / HTTP/1.1", 400),
        (b"GET\t/ HTTP/1.1", 400),
        (b"GET / /b HTTP/1.1", 400),
        (b"GET /\tHTTP/1.1", 400),
        (b"GET / http/1.1", 400),
        (b"GET / HTTP/1", 400),
        (b"GET / HTTP/11", 400),
        (b"GET / HTTP/1.", 400),
        (b"GET / HTTP/1.10", 400),
        (b"GET / HTTP/01.1", 400),
        (b"GET / HTTP/1.\xb2", 400),
        (b"GET / HTTP/1,1", 400),
        (b"GET / HTTPS/1.1", 400),
        (b"GET / ICY", 400),
        (b"GET / HTTP/0.9", 505),
        (b"GET / HTTP/1.2", 505),
        (b"GET / HTTP/2.0", 505),
        (b"GET / HTTP/9.9", 505),
        (b"PRI * HTTP/2.0", 505),
        (b"GE(T / HTTP/1.1", 400),
        (b"GE\x00T / HTTP/1.1", 400),
        (b"G\xc3\x89T / HTTP/1.1", 400),
        (b"A" * 33 + b" / HTTP/1.1", 501),
        (b"GET /\x00 HTTP/1.1", 400),
        (b"GET /\x7f HTTP/1.1", 400),
        (b"GET /\xc3\xa9 HTTP/1.1", 400),
        (b"GET /?\xff HTTP/1.1", 400),
        (b"GET /a#b HTTP/1.1", 400),
        (b"GET /?a#b HTTP/1.1", 400),
        (b'GET /" HTTP/1.1', 400),
        (b"GET /<a> HTTP/1.1", 400),
        (b"GET /{a} HTTP/1.1", 400),
        (b"GET /a\\b HTTP/1.1", 400),
        (b"GET /?<a> HTTP/1.1", 400),
        (b"GET /../a HTTP/1.1", 400),
        (b"GET /a/%2e%2E HTTP/1.1", 400),
        (b"GET /%2f HTTP/1.1", 400),
        (b"GET /%00 HTTP/1.1", 400),
        (b"GET /%4 HTTP/1.1", 400),
        (b"GET a HTTP/1.1", 400),
        (b"GET * HTTP/1.1", 400),
        (b"GET ? HTTP/1.1", 400),
        (b"OPTIONS *? HTTP/1.1", 400),
        (b"GET a:80 HTTP/1.1", 400),
        (b"GET ftp://a/ HTTP/1.1", 400),
        (b"GET http:/a HTTP/1.1", 400),
        (b"GET http:///a HTTP/1.1", 400),
        (b"GET http://b/ HTTP/1.1", 400),
        (b"GET http://a:80/ HTTP/1.1", 400),
        (b"GET http://u@a/ HTTP/1.1", 400),
        (b"GET http://a/../b HTTP/1.1", 400),
        (b"GET http://a\\b/ HTTP/1.1", 400),
        (b"CONNECT / HTTP/1.1", 400),
        (b"CONNECT a HTTP/1.1", 400),
        (b"CONNECT a: HTTP/1.1", 400),
        (b"CONNECT http://a/ HTTP/1.1", 400),
        (b"CONNECT b:1 HTTP/1.1", 400),
    ],
)
def test_refused_line(line, status):
    assert refused(line + b"\r\n" + HOST + END) == status


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\r\n", b"\n\r\n", b"\x0b\r\n"])
def test_line_ends_with_crlf_only(end):
    assert refused(b"GET / HTTP/1.1" + end + HOST + END) == 400
    assert refused(LINE + b"Host: a" + end + b"X: y\r\n" + END) == 400
    assert refused(LINE + HOST + b"X:" + end + b"Y: z\r\n" + END) == 400


def test_bare_lf_as_last_line():
    assert refused(LINE + HOST + b"\n") == 400
    assert refused(LINE + HOST + b"\r\r\n") == 400
    assert refused(b"GET / HTTP/1.1\nHost: a\n\n") == 400


def test_one_empty_line_before_the_request():
    scanner = read(b"\r\n" + LINE + HOST + END)
    assert scanner.forward(b"") == LINE + HOST + END
    assert refused(b"\r\n\r\n" + LINE + HOST + END) == 400
    assert refused(b"\n" + LINE + HOST + END) == 400
    assert refused(b"\r" + LINE + HOST + END) == 400


def test_tls_and_other_protocols_are_refused_at_once():
    assert request_verdict(RequestScanner(), b"\x16\x03\x01\x02\x00\x01")[0] == "refused"
    assert request_verdict(RequestScanner(), b"\x00")[0] == "refused"


def test_connect():
    scanner = read(b"CONNECT A:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
    assert (scanner.host, scanner.authority, scanner.path) == (b"a", b"a:443", b"")
    assert scanner.forward(b"") == b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n"
    scanner = read(b"CONNECT [::1]:443 HTTP/1.0\r\n\r\n")
    assert scanner.authority == b"[::1]:443"


# --------------------------------------------------------------------------- host


@pytest.mark.parametrize(
    ("value", "host"),
    [
        (b"example.org", b"example.org"),
        (b"Example.ORG:8080", b"example.org"),
        (b"example.org.", b"example.org"),
        (b"example.org:", b"example.org"),
        (b"10.0.0.1:65535", b"10.0.0.1"),
        (b"[2001:DB8::1]:80", b"[2001:db8::1]"),
        (b"[::ffff:1.2.3.4]", b"[::ffff:1.2.3.4]"),
        (b"a_b-c~d", b"a_b-c~d"),
    ],
)
def test_host(value, host):
    scanner = read(LINE + b"Host: " + value + b"\r\n\r\n")
    assert (scanner.host, scanner.authority) == (host, value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b".",
        b".a",
        b"a..b",
        b":80",
        b"a:65536",
        b"a:8o",
        b"a:+80",
        b"a:080808",
        b"a:80:80",
        b"a b",
        b"a,b",
        b"a, a",
        b"a/b",
        b"a?b",
        b"a#b",
        b"u@a",
        b"a;b",
        b"a%41",
        b"a'b",
        b"\xc3\xa9",
        b"[::1",
        b"[]",
        b"[::1]x",
        b"[::1]:x",
        b"[::1]:99999",
        b"[::1%eth0]",
        b"[v1.a]",
        b"[1.2.3.4]",
        b"::1",
    ],
)
def test_invalid_host(value):
    assert refused(LINE + b"Host: " + value + b"\r\n\r\n") == 400
    if not set(value) & set(b" /?"):
        assert refused(b"GET http://" + value + b"/ HTTP/1.0\r\n\r\n") == 400


def test_host_is_given_once():
    assert refused(LINE + END) == 400
    assert refused(LINE + HOST + HOST + END) == 400
    assert refused(LINE + HOST + b"X: y\r\nhOST: a\r\n" + END) == 400
    assert refused(b"GET http://a/ HTTP/1.1\r\n\r\n") == 400


def test_http_1_0_may_do_without_host():
    scanner = read(b"GET / HTTP/1.0\r\n\r\n")
    assert (scanner.host, scanner.authority, scanner.minor) == (b"", b"", 0)
    scanner = read(b"GET http://A:1/ HTTP/1.0\r\n\r\n")
    assert (scanner.host, scanner.authority) == (b"a", b"A:1")


def test_host_of_an_earlier_request_is_not_kept():
    scanner = RequestScanner()
    scanner.scan(LINE + HOST + END)
    scanner.scan(b"GET / HTTP/1.0\r\n\r\n")
    assert (scanner.host, scanner.authority) == (b"", b"")
    scanner.scan(LINE + b"Host: A\r\n\r\n")
    assert (scanner.host, scanner.authority) == (b"a", b"A")


# --------------------------------------------------------------------------- fields


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"X-Y: z", b"z"),
        (b"x-y:z", b"z"),
        (b"X-y:\t z \t", b"z"),
        (b"x-y:", b""),
        (b"x-y: \t", b""),
        (b"x-y: a\tb  c", b"a\tb  c"),
        (b"x-y: \xc3\xa9\xff", b"\xc3\xa9\xff"),
        (b"x-y: a:b", b"a:b"),
    ],
)
def test_field_value(line, value):
    scanner = read(fields(line))
    assert scanner.header(b"x-y") == value
    assert scanner.header(b"x-z") is None
    assert scanner.fields()[1] == (line.partition(b":")[0], value)


@pytest.mark.parametrize(
    "line",
    [
        b"X Y: z",
        b"X-Y : z",
        b"X-Y\t: z",
        b" X-Y: z",
        b"\tX-Y: z",
        b": z",
        b"X-Y",
        b"X-Y z",
        b"X(Y): z",
        b"X\x00: z",
        b"X\xe9: z",
        b"X-Y: a\x00b",
        b"X-Y: a\x0bb",
        b"X-Y: a\x1fb",
        b"X-Y: a\x7fb",
        b"X-Y: a\rb",
        b"X-Y: a\nb",
        b"X-Y: a\r\n folded",
        b"X-Y: a\r\n\tfolded",
        b"X-Y:\r\n a",
        b"X-Y: a\r\n ",
    ],
)
def test_refused_field(line):
    assert refused(fields(line)) == 400
    assert refused(LINE + line + END + HOST + END) == 400


def test_repeated_fields_are_joined():
    scanner = read(fields(b"A: 1", b"B: 2", b"a: 3", b"Cookie: c=d", b"cookie: e=f"))
    assert scanner.header(b"a") == b"1, 3"
    assert scanner.header(b"cookie") == b"c=d; e=f"
    assert scanner.cookie(b"e") == b"f"
    assert scanner.cookie(b"x") is None
    assert scanner.argument(b"x") is None


def test_arguments():
    scanner = read(b"GET /?q=%41&q=b HTTP/1.1\r\nHost: a\r\n\r\n")
    assert scanner.argument(b"q") == b"A"
    assert scanner.cookie(b"q") is None


def test_underscores():
    data = fields(b"A_B: 1", b"_c: 2", b"Content_Length: 5", b"x: 3")
    scanner = read(data)
    assert scanner.header(b"a_b") is None
    assert scanner.fields() == [(b"Host", b"a"), (b"x", b"3")]
    assert scanner.forward(b"") == LINE + HOST + b"x: 3\r\n\r\n"
    scanner = read(data, underscores=True)
    assert scanner.header(b"a_b") == b"1"
    assert scanner.content_length == -1
    assert scanner.forward(b"") == data


# --------------------------------------------------------------------------- framing


@pytest.mark.parametrize(
    ("lines", "length", "chunked"),
    [
        ([], -1, False),
        ([b"Content-Length: 0"], 0, False),
        ([b"content-length:\t00012 "], 12, False),
        ([b"Content-Length: 999999999999999999"], 999999999999999999, False),
        ([b"Transfer-Encoding: chunked"], -1, True),
        ([b"transfer-encoding: CHUNKED"], -1, True),
    ],
)
def test_framing(lines, length, chunked):
    scanner = read(fields(*lines))
    assert (scanner.content_length, scanner.chunked) == (length, chunked)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        ([b"Content-Length: 5", b"Transfer-Encoding: chunked"], 400),
        ([b"Transfer-Encoding: chunked", b"Content-Length: 5"], 400),
        ([b"Content-Length: 5", b"Content-Length: 5"], 400),
        ([b"Content-Length: 5", b"Content-Length: 6"], 400),
        ([b"Content-Length: 5, 5"], 400),
        ([b"Content-Length: 5,"], 400),
        ([b"Content-Length:"], 400),
        ([b"Content-Length: +5"], 400),
        ([b"Content-Length: -5"], 400),
        ([b"Content-Length: 5 5"], 400),
        ([b"Content-Length: 5_0"], 400),
        ([b"Content-Length: 0x5"], 400),
        ([b"Content-Length: 5.0"], 400),
        ([b"Content-Length: \xb2"], 400),
        ([b"Content-Length: \xd9\xa5"], 400),
        ([b"Content-Length: 1000000000000000000"], 400),
        ([b"Content-Length: 0000000000000000005"], 400),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], 400),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"], 400),
        ([b"Transfer-Encoding: chunked, chunked"], 400),
        ([b"Transfer-Encoding: chunked, identity"], 400),
        ([b"Transfer-Encoding: identity, chunked"], 400),
        ([b"Transfer-Encoding: identity"], 400),
        ([b"Transfer-Encoding: gzip"], 400),
        ([b"Transfer-Encoding: gzip, chunked"], 501),
        ([b"Transfer-Encoding: xchunked"], 400),
        ([b"Transfer-Encoding: chunkedx"], 400),
        ([b"Transfer-Encoding: ,chunked"], 400),
        ([b"Transfer-Encoding: chunked,"], 400),
        ([b"Transfer-Encoding: chunked;q=1"], 400),
        ([b'Transfer-Encoding: "chunked"'], 400),
        ([b"Transfer-Encoding:"], 400),
        ([b"Transfer-Encoding: \x0bchunked"], 400),
        ([b"Transfer-Encoding : chunked"], 400),
        ([b"Transfer-Encoding: x\r\n chunked"], 400),
    ],
)
def test_refused_framing(lines, status):
    assert refused(fields(*lines)) == status


def test_transfer_encoding_in_http_1_0():
    data = b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert refused(data) == 400


# --------------------------------------------------------------------------- connection


@pytest.mark.parametrize(
    ("version", "connection", "keep_alive"),
    [
        (b"1.1", None, True),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"close", False),
        (b"1.1", b"CLOSE", False),
        (b"1.1", b"keep-alive, close", False),
        (b"1.1", b"x,,close ,", False),
        (b"1.1", b"closed", True),
        (b"1.0", None, False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"close, keep-alive", False),
    ],
)
def test_keep_alive(version, connection, keep_alive):
    line = b"" if connection is None else b"Connection: " + connection + b"\r\n"
    assert read(b"GET / HTTP/" + version + b"\r\n" + HOST + line + END).keep_alive is keep_alive


def test_several_connection_fields_count_together():
    assert not read(fields(b"Connection: keep-alive", b"Connection: close")).keep_alive


@pytest.mark.parametrize("value", [b"close x", b"close;", b'"close"', b"a, b c", b"close\xff"])
def test_connection_is_a_list_of_tokens(value):
    assert refused(fields(b"Connection: " + value)) == 400


@pytest.mark.parametrize(
    ("lines", "upgrade"),
    [
        ([b"Connection: Upgrade", b"Upgrade: WebSocket"], b"websocket"),
        ([b"Upgrade: websocket", b"Connection: keep-alive, upgrade"], b"websocket"),
        ([b"Upgrade: a/1", b"Upgrade: b", b"Connection: upgrade"], b"a/1, b"),
        ([b"Upgrade: websocket"], b""),
        ([b"Connection: upgrade"], b""),
        ([b"Connection: upgrade, http2-settings", b"Upgrade: h2c", b"HTTP2-Settings: A"], b""),
    ],
)
def test_upgrade(lines, upgrade):
    assert read(fields(*lines)).upgrade == upgrade


def test_upgrade_means_nothing_in_http_1_0():
    data = b"GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    assert read(data).upgrade == b""


def test_expect():
    assert read(fields(b"Expect: 100-Continue")).expect_continue
    assert not read(fields()).expect_continue
    assert not read(b"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").expect_continue
    assert refused(fields(b"Expect: 200-ok")) == 417
    assert refused(fields(b"Expect:")) == 417
    assert refused(fields(b"Expect: 100-continue", b"Expect: 100-continue")) == 417
