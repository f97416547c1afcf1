"""Paths that servers read in different ways (RFC 3986 §6.2.2): refused, or put in one form."""

from __future__ import annotations

from badinput.catalogue.case import Case, H, Meaning, refuse

DOTS = "RFC 3986 §6.2.2.3"
ESCAPE = "RFC 3986 §2.1"
RESERVED = "RFC 3986 §2.2"
FORM = "RFC 3986 §6.2.2.2"
SEGMENT = "RFC 3986 §3.3"


def bad(name: str, clause: str, path: bytes) -> Case:
    return refuse("path-" + name, clause, b"GET " + path + b" HTTP/1.1\r\n" + H + b"\r\n")


def good(name: str, clause: str, path: bytes, seen: bytes) -> Case:
    raw = b"GET " + path + b" HTTP/1.1\r\n" + H + b"\r\n"
    return Case("path-" + name, clause, raw, (Meaning(b"GET", seen),))


CASES = (
    bad("dots", DOTS, b"/a/../b"),
    bad("dots-first", DOTS, b"/../b"),
    bad("dots-last", DOTS, b"/a/.."),
    bad("dots-many", DOTS, b"/a/../../../../etc/passwd"),
    bad("one-dot", DOTS, b"/a/./b"),
    bad("one-dot-last", DOTS, b"/a/."),
    bad("dots-escaped", DOTS, b"/a/%2e%2e/b"),
    bad("dots-escaped-in-capitals", DOTS, b"/a/%2E%2E/b"),
    bad("dots-half-escaped", DOTS, b"/a/.%2e/b"),
    bad("dots-with-parameter", DOTS, b"/a/..;x=y/b"),
    bad("dots-with-empty-parameter", DOTS, b"/a/..;/b"),
    bad("dots-with-escaped-parameter", DOTS, b"/a/..%3bx/b"),
    bad("dots-and-escaped-slash", DOTS, b"/a/..%2fb"),
    bad("dots-behind-two-slashes", DOTS, b"/a//../b"),
    bad("dots-before-query", DOTS, b"/a/..?b=c"),
    bad("slash-escaped", RESERVED, b"/a%2fb"),
    bad("slash-escaped-in-capitals", RESERVED, b"/a%2Fb"),
    bad("backslash", SEGMENT, b"/a\\b"),
    bad("backslash-dots", SEGMENT, b"/a\\..\\b"),
    bad("backslash-escaped", RESERVED, b"/a%5cb"),
    bad("backslash-escaped-in-capitals", RESERVED, b"/a%5Cb"),
    bad("nul-escaped", "RFC 3986 §7.3", b"/a%00b"),
    bad("nul-escaped-before-suffix", "RFC 3986 §7.3", b"/a.php%00.png"),
    bad("percent-alone", ESCAPE, b"/a%"),
    bad("percent-one-digit", ESCAPE, b"/a%4"),
    bad("percent-no-digits", ESCAPE, b"/a%zz"),
    bad("percent-one-good-digit", ESCAPE, b"/a%4g"),
    bad("percent-unicode", ESCAPE, b"/a%u0041"),
    bad("percent-percent", ESCAPE, b"/a%%41"),
    bad("percent-sign-for-digit", ESCAPE, b"/a%+1"),
    good("letter-escaped", FORM, b"/%61dmin", b"/admin"),
    good("tilde-escaped", FORM, b"/%7Euser", b"/~user"),
    good("dot-escaped-in-a-name", FORM, b"/a%2ehtml", b"/a.html"),
    good("small-hex-digits", "RFC 3986 §6.2.2.1", b"/%c3%a9", b"/%C3%A9"),
    good("overlong-escape-stays", FORM, b"/%c0%af", b"/%C0%AF"),
    good("line-end-escaped-stays", FORM, b"/%0d%0aX:%20y", b"/%0D%0AX:%20y"),
    good("escaped-twice-stays", FORM, b"/%252e%252e/", b"/%252e%252e/"),
    good("escaped-question-mark-stays", RESERVED, b"/a%3fb", b"/a%3Fb"),
    good("escaped-hash-stays", RESERVED, b"/a%23b", b"/a%23b"),
    good("two-slashes-stay", SEGMENT, b"//a//b", b"//a//b"),
    good("parameter-stays", SEGMENT, b"/a;p=1/b", b"/a;p=1/b"),
    good("three-dots", DOTS, b"/.../a", b"/.../a"),
    good("hidden-file", DOTS, b"/.well-known/a", b"/.well-known/a"),
    good("dots-in-a-name", DOTS, b"/a..b/c", b"/a..b/c"),
    good("dots-in-query-stay", DOTS, b"/a?f=../../b", b"/a?f=../../b"),
    good("escapes-in-query-stay", FORM, b"/a?b=%61%2f%5c", b"/a?b=%61%2f%5c"),
    good("two-question-marks", "RFC 3986 §3.4", b"/a?b?c", b"/a?b?c"),
    good("empty-query", "RFC 3986 §3.4", b"/a?", b"/a?"),
)
