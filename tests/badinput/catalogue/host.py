"""The Host field (RFC 9112 §3.2, RFC 9110 §7.2): one, and a host with perhaps a port."""

from __future__ import annotations

from badinput.catalogue.case import AIOHTTP, HAPROXY, NGINX, Case, H, Meaning, refuse

CLAUSE = "RFC 9112 §3.2"
GET = b"GET / HTTP/1.1\r\n"
NOBODY: frozenset[str] = frozenset()


def bad(name: str, value: bytes) -> Case:
    return refuse("host-" + name, CLAUSE, GET + b"Host:" + value + b"\r\n\r\n")


def good(name: str, value: bytes, host: bytes, declined: frozenset[str] = NOBODY) -> Case:
    raw = GET + b"Host:" + value + b"\r\n\r\n"
    return Case(
        "host-" + name, CLAUSE, raw, (Meaning(b"GET", b"/", host=host),), (), declined_by=declined
    )


CASES = (
    refuse("host-missing", CLAUSE, GET + b"X: y\r\n\r\n"),
    refuse("host-only-in-forwarded", CLAUSE, GET + b"X-Forwarded-Host: www.example.org\r\n\r\n"),
    refuse("host-twice-same", CLAUSE, GET + H + H + b"\r\n"),
    refuse("host-twice-different", CLAUSE, GET + H + b"Host: other.example\r\n\r\n"),
    refuse("host-twice-in-other-case", CLAUSE, GET + H + b"hOST: other.example\r\n\r\n"),
    refuse("host-twice-in-http-1.0", CLAUSE, b"GET / HTTP/1.0\r\n" + H + H + b"\r\n"),
    refuse("host-space-before-colon", "RFC 9112 §5.1", GET + b"Host : www.example.org\r\n\r\n"),
    refuse("host-indented", "RFC 9112 §2.2", GET + b" Host: www.example.org\r\n\r\n"),
    refuse("host-folded", "RFC 9112 §5.2", GET + b"Host:\r\n www.example.org\r\n\r\n"),
    refuse("host-folded-second", "RFC 9112 §5.2", GET + H + b" Host: other.example\r\n\r\n"),
    refuse("host-behind-bare-cr", "RFC 9112 §2.2", GET + b"X: y\rHost: www.example.org\r\n\r\n"),
    bad("list", b" www.example.org, other.example"),
    bad("two-words", b" www.example.org other.example"),
    bad("userinfo", b" user@www.example.org"),
    bad("userinfo-with-password", b" user:pass@www.example.org"),
    bad("path", b" www.example.org/a"),
    bad("query", b" www.example.org?a"),
    bad("fragment", b" www.example.org#a"),
    bad("url", b" http://www.example.org/"),
    bad("backslash", b" www.example.org\\a"),
    bad("angle-brackets", b" <www.example.org>"),
    bad("quoted", b' "www.example.org"'),
    bad("percent-encoded", b" www%2eexample.org"),
    bad("nul", b" www.example.org\x00.evil.example"),
    bad("control", b" www\x01.example.org"),
    bad("utf-8", b" b\xc3\xbccher.example"),
    bad("tab-inside", b" www\t.example.org"),
    bad("port-word", b" www.example.org:http"),
    bad("port-signed", b" www.example.org:+80"),
    bad("port-too-large", b" www.example.org:65536"),
    bad("port-of-six-digits", b" www.example.org:000080"),
    bad("port-twice", b" www.example.org:80:80"),
    bad("port-then-name", b" www.example.org:80.evil.example"),
    bad("port-alone", b" :80"),
    bad("dot-first", b" .example.org"),
    bad("two-dots", b" www..example.org"),
    bad("ipv6-without-brackets", b" 2001:db8::1"),
    bad("ipv6-unclosed", b" [2001:db8::1"),
    bad("ipv6-not-an-address", b" [www.example.org]"),
    bad("ipv6-with-zone", b" [fe80::1%25eth0]"),
    bad("ipv6-then-name", b" [::1].example.org"),
    bad("ipv6-bad-port", b" [::1]:x"),
    bad("empty", b""),
    bad("only-space", b"  "),
    good("capitals", b" WWW.EXAMPLE.ORG", b"WWW.EXAMPLE.ORG"),
    good("space-around", b" \t www.example.org \t", b"www.example.org"),
    good("tab-before", b"\twww.example.org", b"www.example.org"),
    good("with-port", b" www.example.org:8080", b"www.example.org:8080"),
    good("final-dot", b" www.example.org.", b"www.example.org."),
    good("ipv6", b" [2001:db8::1]:80", b"[2001:db8::1]:80"),
    good("ipv4", b" 192.0.2.1", b"192.0.2.1"),
    good("underscore", b" a_b.example.org", b"a_b.example.org"),
    Case(
        "host-not-first",
        CLAUSE,
        GET + b"X: y\r\n" + H + b"\r\n",
        (Meaning(b"GET", b"/"),),
    ),
    Case(
        "host-missing-in-http-1.0",
        "RFC 9112 §3.2",
        b"GET / HTTP/1.0\r\n\r\n",
        (Meaning(b"GET", b"/", host=b""),),
        declined_by=frozenset({NGINX, HAPROXY, AIOHTTP}),
    ),
)
