"""Method, target form and version (RFC 9112 §2-§3)."""

from __future__ import annotations

from badinput.catalogue.case import AIOHTTP, CLOSED, NGINX, Case, H, Meaning, refuse

LINE = "RFC 9112 §3"
ENDS = "RFC 9112 §2.2"
VERSION = "RFC 9112 §2.3"
TARGET = "RFC 9112 §3.2"
ROOT = Meaning(b"GET", b"/")
STRICT_METHODS = frozenset({NGINX, AIOHTTP})


def line(name: str, clause: str, first: bytes, *statuses: int) -> Case:
    return refuse(name, clause, first + b"\r\n" + H + b"\r\n", *statuses)


def version(name: str, text: bytes, *statuses: int) -> Case:
    return line("version-" + name, VERSION, b"GET / " + text, *(statuses or (400, 505)))


def target(name: str, text: bytes, clause: str = TARGET, *statuses: int) -> Case:
    return line("target-" + name, clause, b"GET " + text + b" HTTP/1.1", *statuses)


def fine(name: str, clause: str, first: bytes, meaning: Meaning, declined: frozenset[str]) -> Case:
    return Case(name, clause, first + b"\r\n" + H + b"\r\n", (meaning,), declined_by=declined)


def absolute(name: str, text: bytes, *hosts: bytes) -> Case:
    lines = b"".join(b"Host: " + host + b"\r\n" for host in hosts)
    raw = b"GET " + text + b" HTTP/1.1\r\n" + lines + b"\r\n"
    return refuse("absolute-" + name, "RFC 9112 §3.2.2", raw)


NOBODY: frozenset[str] = frozenset()

CASES = (
    # Line ends and white space: one SP between the parts, CRLF at the end.
    refuse("line-end-lf", ENDS, b"GET / HTTP/1.1\n" + H + b"\r\n"),
    refuse("line-end-cr", ENDS, b"GET / HTTP/1.1\r" + H + b"\r\n"),
    refuse("line-end-cr-cr-lf", ENDS, b"GET / HTTP/1.1\r\r\n" + H + b"\r\n"),
    refuse("all-line-ends-lf", ENDS, b"GET / HTTP/1.1\nHost: www.example.org\n\n"),
    refuse("lf-before", ENDS, b"\nGET / HTTP/1.1\r\n" + H + b"\r\n"),
    refuse("two-empty-lines-before", ENDS, b"\r\n\r\nGET / HTTP/1.1\r\n" + H + b"\r\n"),
    refuse("space-before", LINE, b" GET / HTTP/1.1\r\n" + H + b"\r\n"),
    refuse("nul-before", LINE, b"\x00GET / HTTP/1.1\r\n" + H + b"\r\n"),
    refuse("byte-order-mark-before", LINE, b"\xef\xbb\xbfGET / HTTP/1.1\r\n" + H + b"\r\n"),
    line("two-spaces-before-target", LINE, b"GET  / HTTP/1.1"),
    line("two-spaces-before-version", LINE, b"GET /  HTTP/1.1"),
    line("tab-before-target", LINE, b"GET\t/ HTTP/1.1"),
    line("tab-before-version", LINE, b"GET /\tHTTP/1.1"),
    line("form-feed-before-target", LINE, b"GET\x0c/ HTTP/1.1"),
    line("space-after-version", LINE, b"GET / HTTP/1.1 "),
    line("word-after-version", LINE, b"GET / HTTP/1.1 HTTP/1.1"),
    line("only-spaces", LINE, b"   "),
    line("only-method", LINE, b"GET"),
    line("no-target", LINE, b"GET HTTP/1.1"),
    line("empty-target", LINE, b"GET  HTTP/1.1"),
    line("no-method", LINE, b" / HTTP/1.1"),
    line("simple-request-of-http-0.9", VERSION, b"GET /"),
    refuse("simple-request-alone", VERSION, b"GET /\r\n", ends=True),
    # Version.
    version("lower-case", b"http/1.1"),
    version("without-minor", b"HTTP/1"),
    version("without-digits", b"HTTP/"),
    version("leading-zero", b"HTTP/01.1"),
    version("two-minor-digits", b"HTTP/1.10"),
    version("comma", b"HTTP/1,1"),
    version("any-byte-for-the-dot", b"HTTP/1x1"),
    version("inner-space", b"HTTP/ 1.1"),
    version("arabic-digits", b"HTTP/\xd9\xa1.\xd9\xa1"),
    version("other-protocol", b"HTTPS/1.1"),
    version("icap", b"ICAP/1.0"),
    version("0.9", b"HTTP/0.9"),
    version("1.2", b"HTTP/1.2"),
    version("2.0", b"HTTP/2.0"),
    version("3.0", b"HTTP/3.0"),
    version("9.9", b"HTTP/9.9"),
    refuse(
        "http-2-preface",
        "RFC 9113 §3.4",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        400,
        505,
    ),
    refuse(
        "tls-on-the-plain-port",
        LINE,
        bytes.fromhex("1603010200010001fc0303") + b"\x00" * 32 + b"\r\n\r\n",
    ),
    refuse("binary-noise", LINE, bytes(range(128, 256)) + b"\r\n\r\n"),
    refuse("ssh-greeting", LINE, b"SSH-2.0-OpenSSH_9.2\r\n", ends=True),
    refuse("proxy-header-from-a-stranger", LINE, b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n\r\n"),
    # Method: a token.
    line("method-with-at", "RFC 9110 §9.1", b"G@T / HTTP/1.1"),
    line("method-with-brackets", "RFC 9110 §9.1", b"(GET) / HTTP/1.1"),
    line("method-with-colon", "RFC 9110 §9.1", b"GET: / HTTP/1.1"),
    line("method-with-control", "RFC 9110 §9.1", b"GE\x01T / HTTP/1.1"),
    line("method-with-utf-8", "RFC 9110 §9.1", b"G\xc3\x89T / HTTP/1.1"),
    line("method-too-long", LINE, b"X" * 100 + b" / HTTP/1.1", 400, 501),
    fine(
        "method-unknown",
        "RFC 9110 §9.1",
        b"BREW / HTTP/1.1",
        Meaning(b"BREW", b"/"),
        STRICT_METHODS,
    ),
    fine(
        "method-in-lower-case",
        "RFC 9110 §9.1",
        b"get / HTTP/1.1",
        Meaning(b"get", b"/"),
        STRICT_METHODS,
    ),
    # Bytes of the target.
    target("fragment", b"/a#b"),
    target("space", b"/a b"),
    target("nul", b"/a\x00b"),
    target("control", b"/a\x01b"),
    target("delete", b"/a\x7fb"),
    target("lf", b"/a\nb"),
    target("cr", b"/a\rb"),
    target("utf-8", b"/\xc3\xa9"),
    target("overlong-slash", b"/\xc0\xaf"),
    target("latin-1", b"/\xe9"),
    target("angle-brackets", b"/<a>"),
    target("quotation-mark", b'/"a"'),
    target("nul-in-query", b"/?a=\x00"),
    target("utf-8-in-query", b"/?a=\xc3\xa9"),
    target("too-long", b"/" + b"a" * 100_000, TARGET, 414, 431),
    target("too-long-query", b"/?" + b"a" * 20_000, TARGET, 414, 431),
    # Forms of the target.
    target("asterisk-with-get", b"*", "RFC 9112 §3.2.4"),
    target("authority-with-get", b"www.example.org:80", "RFC 9112 §3.2.3"),
    target("without-slash", b"index.html"),
    target("only-query", b"?a=b"),
    target("backslash-first", b"\\a"),
    fine(
        "asterisk-with-options",
        "RFC 9112 §3.2.4",
        b"OPTIONS * HTTP/1.1",
        Meaning(b"OPTIONS", b"*"),
        frozenset({NGINX}),
    ),
    fine(
        "target-of-8000-bytes",
        LINE,
        b"GET /" + b"a" * 7999 + b" HTTP/1.1",
        Meaning(b"GET", b"/" + b"a" * 7999),
        frozenset({AIOHTTP}),
    ),
    fine(
        "target-with-two-slashes",
        TARGET,
        b"GET //evil.example/a HTTP/1.1",
        Meaning(b"GET", b"//evil.example/a"),
        NOBODY,
    ),
    fine(
        "target-that-holds-a-url",
        TARGET,
        b"GET /http://evil.example/ HTTP/1.1",
        Meaning(b"GET", b"/http://evil.example/"),
        NOBODY,
    ),
    Case("one-empty-line-before", ENDS, b"\r\nGET / HTTP/1.1\r\n" + H + b"\r\n", (ROOT,)),
    # Absolute form: its authority is the host, and Host must agree.
    absolute("other-host", b"http://other.example/a", b"www.example.org"),
    absolute("other-port", b"http://www.example.org:81/a", b"www.example.org"),
    absolute("no-host-field", b"http://www.example.org/a"),
    absolute("two-hosts", b"http://www.example.org/a", b"www.example.org", b"other.example"),
    absolute("userinfo", b"http://user@www.example.org/a", b"www.example.org"),
    absolute("empty-authority", b"http:///a", b"www.example.org"),
    absolute("other-scheme", b"ftp://www.example.org/a", b"www.example.org"),
    absolute("file", b"file:///etc/passwd", b"www.example.org"),
    absolute("without-slashes", b"http:www.example.org/a", b"www.example.org"),
    absolute("fragment", b"http://www.example.org/a#b", b"www.example.org"),
    absolute("dot-segments", b"http://www.example.org/a/../b", b"www.example.org"),
    fine(
        "absolute",
        "RFC 9112 §3.2.2",
        b"GET http://www.example.org/a?b=c HTTP/1.1",
        Meaning(b"GET", b"/a?b=c"),
        NOBODY,
    ),
    fine(
        "absolute-without-path",
        "RFC 9112 §3.2.2",
        b"GET http://www.example.org HTTP/1.1",
        ROOT,
        NOBODY,
    ),
    fine(
        "absolute-in-capitals",
        "RFC 9110 §4.2.3",
        b"GET HTTP://WWW.EXAMPLE.ORG/a HTTP/1.1",
        Meaning(b"GET", b"/a"),
        NOBODY,
    ),
    # CONNECT needs a route that allows it.
    Case(
        "connect",
        "RFC 9110 §9.3.6",
        b"CONNECT www.example.org:443 HTTP/1.1\r\nHost: www.example.org:443\r\n\r\n",
        refused=(400, 403, 405, 501),
        by_policy=True,
    ),
    refuse(
        "connect-without-port",
        "RFC 9112 §3.2.3",
        b"CONNECT www.example.org HTTP/1.1\r\nHost: www.example.org\r\n\r\n",
    ),
    refuse(
        "connect-with-path",
        "RFC 9112 §3.2.3",
        b"CONNECT /a HTTP/1.1\r\nHost: www.example.org\r\n\r\n",
    ),
    refuse("head-cut-short", "RFC 9112 §8", b"GET / HTTP/1.1\r\nHost: w", 400, CLOSED, ends=True),
    refuse("nothing-but-empty-lines", ENDS, b"\r\n\r\n\r\n"),
)
