"""Field lines (RFC 9112 §5, RFC 9110 §5): names, values, folding, and how much of them."""

from __future__ import annotations

from badinput.catalogue.case import Case, H, Meaning, field, refuse

NAME = "RFC 9110 §5.1"
VALUE = "RFC 9110 §5.5"
FOLD = "RFC 9112 §5.2"
ENDS = "RFC 9112 §2.2"
LIMIT = "RFC 6585 §5"
LARGE = (400, 431)


def bad(name: str, clause: str, line: bytes, *statuses: int) -> Case:
    return refuse("field-" + name, clause, field(line), *statuses)


def sent(name: str, clause: str, line: bytes, *present: tuple[bytes, bytes]) -> Case:
    meaning = Meaning(b"GET", b"/", present=present)
    return Case("field-" + name, clause, field(line), (meaning,))


def dropped(name: str, clause: str, line: bytes, *absent: bytes) -> Case:
    return Case("field-" + name, clause, field(line), (Meaning(b"GET", b"/", absent=absent),))


CASES = (
    # Names are tokens, and the colon follows at once.
    bad("space-before-colon", "RFC 9112 §5.1", b"X-A : b\r\n"),
    bad("tab-before-colon", "RFC 9112 §5.1", b"X-A\t: b\r\n"),
    bad("form-feed-before-colon", NAME, b"X-A\x0c: b\r\n"),
    bad("empty-name", NAME, b": b\r\n"),
    bad("space-in-name", NAME, b"X A: b\r\n"),
    bad("brackets-in-name", NAME, b"X[a]: b\r\n"),
    bad("slash-in-name", NAME, b"X/A: b\r\n"),
    bad("quote-in-name", NAME, b'"X-A": b\r\n'),
    bad("at-in-name", NAME, b"X@A: b\r\n"),
    bad("semicolon-in-name", NAME, b"X;A: b\r\n"),
    bad("control-in-name", NAME, b"X\x01A: b\r\n"),
    bad("nul-in-name", NAME, b"X\x00A: b\r\n"),
    bad("nul-after-name", NAME, b"Content-Length\x00: 5\r\n"),
    bad("delete-in-name", NAME, b"X\x7fA: b\r\n"),
    bad("utf-8-in-name", NAME, b"X-\xc3\xab: b\r\n"),
    bad("no-break-space-in-name", NAME, b"X\xa0A: b\r\n"),
    bad("without-colon", "RFC 9112 §5", b"X-A\r\n"),
    bad("words-without-colon", "RFC 9112 §5", b"GET /smuggled HTTP/1.1\r\n"),
    bad("equals-for-colon", "RFC 9112 §5", b"X-A=b\r\n"),
    # One line, one field.
    bad("folded-by-space", FOLD, b"X-A: b\r\n c\r\n"),
    bad("folded-by-tab", FOLD, b"X-A: b\r\n\tc\r\n"),
    bad("folded-into-nothing", FOLD, b"X-A:\r\n \r\n"),
    bad("folded-first", ENDS, b" X-A: b\r\n"),
    bad("lf-at-end", ENDS, b"X-A: b\n"),
    bad("lf-inside", ENDS, b"X-A: b\nX-B: c\r\n"),
    bad("lf-then-end-of-head", ENDS, b"X-A: b\n\r\n"),
    bad("cr-at-end", ENDS, b"X-A: b\rX-B: c\r\n"),
    bad("cr-inside", VALUE, b"X-A: b\rc\r\n"),
    bad("cr-cr-lf", ENDS, b"X-A: b\r\r\n"),
    bad("cr-before-name", ENDS, b"\rX-A: b\r\n"),
    bad("lf-before-name", ENDS, b"\nX-A: b\r\n"),
    refuse("head-ends-by-lf", ENDS, b"GET / HTTP/1.1\r\n" + H + b"\n"),
    refuse("head-ends-by-cr-x", ENDS, b"GET / HTTP/1.1\r\n" + H + b"\rX"),
    # Values hold no control bytes but HTAB.
    bad("nul-in-value", VALUE, b"X-A: a\x00b\r\n"),
    bad("control-in-value", VALUE, b"X-A: a\x01b\r\n"),
    bad("escape-in-value", VALUE, b"X-A: a\x1b[0mb\r\n"),
    bad("backspace-in-value", VALUE, b"X-A: a\x08b\r\n"),
    bad("vertical-tab-in-value", VALUE, b"X-A: a\x0bb\r\n"),
    bad("form-feed-in-value", VALUE, b"X-A: a\x0cb\r\n"),
    bad("delete-in-value", VALUE, b"X-A: a\x7fb\r\n"),
    bad("nul-alone", VALUE, b"X-A: \x00\r\n"),
    bad("nul-in-cookie", VALUE, b"Cookie: a=\x00b\r\n"),
    bad("control-in-cookie", VALUE, b"Cookie: a=\x01\x02\r\n"),
    sent("empty-value", VALUE, b"X-A:\r\n", (b"x-a", b"")),
    sent("only-space", VALUE, b"X-A: \t \r\n", (b"x-a", b"")),
    sent("inner-tab", VALUE, b"X-A: a\tb\r\n", (b"x-a", b"a\tb")),
    sent("colon-in-value", VALUE, b"X-A: b: c\r\n", (b"x-a", b"b: c")),
    sent("no-space-after-colon", VALUE, b"X-A:b\r\n", (b"x-a", b"b")),
    sent("latin-1-in-value", VALUE, b"X-A: \xe9\r\n", (b"x-a", b"\xe9")),
    sent("odd-token-name", NAME, b"!#$%&'*+-.^`|~: b\r\n", (b"!#$%&'*+-.^`|~", b"b")),
    sent("cookie-odd", "RFC 6265 §5.4", b"Cookie: ===;;; ,\r\n", (b"cookie", b"===;;; ,")),
    sent("escaped-line-end", VALUE, b"X-A: a%0d%0aX-B: c\r\n", (b"x-a", b"a%0d%0aX-B: c")),
    # Names with `_` look like names with `-` to CGI and its children.
    dropped("underscore", NAME, b"X_A: b\r\n", b"x_a"),
    dropped("underscore-forwarded", NAME, b"X_Forwarded_For: 192.0.2.9\r\n", b"x_forwarded_for"),
    dropped("underscore-host", NAME, b"X_Forwarded-Host: evil\r\n", b"x_forwarded-host"),
    # Limits.
    bad("value-too-long", LIMIT, b"X-A: " + b"b" * 100_000 + b"\r\n", *LARGE),
    bad("name-too-long", LIMIT, b"X" * 100_000 + b": b\r\n", *LARGE),
    bad("too-many", LIMIT, b"".join(b"X-%d: b\r\n" % n for n in range(150)), *LARGE),
    bad("ten-thousand", LIMIT, b"".join(b"X-%d: b\r\n" % n for n in range(10_000)), *LARGE),
    bad("cookie-too-long", LIMIT, b"Cookie: a=" + b"b" * 65536 + b"\r\n", *LARGE),
    bad("all-together-too-long", LIMIT, (b"X-A: " + b"b" * 4000 + b"\r\n") * 20, *LARGE),
)
