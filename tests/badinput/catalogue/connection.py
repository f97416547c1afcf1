"""Fields that are for one hop, and what a client must not make us say (RFC 9110 §7.6.1, §7.8)."""

from __future__ import annotations

from badinput.catalogue.case import Case, H, Meaning, refuse

HOP = "RFC 9110 §7.6.1"
UPGRADE = "RFC 9110 §7.8"
EXPECT = "RFC 9110 §10.1.1"
US = b"127.0.0.1"


def hop(
    name: str, lines: bytes, *absent: bytes, present: tuple[tuple[bytes, bytes], ...] = ()
) -> Case:
    meaning = Meaning(b"GET", b"/", absent=absent, present=present)
    raw = b"GET / HTTP/1.1\r\n" + H + lines + b"\r\n"
    return Case("hop-" + name, HOP, raw, (meaning,))


def post(name: str, clause: str, lines: bytes, meaning: Meaning) -> Case:
    raw = b"POST / HTTP/1.1\r\n" + H + lines + b"Content-Length: 5\r\n\r\nhello"
    return Case(name, clause, raw, (meaning,))


HELLO = Meaning(b"POST", b"/", b"hello")

CASES = (
    hop("named-field", b"Connection: X-Hop\r\nX-Hop: 1\r\n", b"x-hop"),
    hop("named-in-a-list", b"Connection: close, x-HOP ,,\r\nX-Hop: 1\r\n", b"x-hop"),
    hop(
        "named-in-second-line", b"Connection: close\r\nConnection: X-Hop\r\nX-Hop: 1\r\n", b"x-hop"
    ),
    hop("named-after-the-field", b"X-Hop: 1\r\nConnection: X-Hop\r\n", b"x-hop"),
    hop("keep-alive", b"Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n", b"keep-alive"),
    hop("keep-alive-unnamed", b"Keep-Alive: timeout=5\r\n", b"keep-alive"),
    hop("proxy-connection", b"Proxy-Connection: keep-alive\r\n", b"proxy-connection"),
    hop("te", b"TE: trailers\r\nConnection: TE\r\n", b"te"),
    hop("te-unnamed", b"TE: gzip;q=1.0\r\n", b"te"),
    hop("proxy-authorization", b"Proxy-Authorization: Basic Zm9v\r\n", b"proxy-authorization"),
    hop("upgrade-unnamed", b"Upgrade: websocket\r\n", b"upgrade"),
    hop(
        "h2c",
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        b"upgrade",
        b"http2-settings",
    ),
    hop(
        "h2c-in-a-list",
        b"Connection: Upgrade\r\nUpgrade: foo, h2c\r\nHTTP2-Settings: AAMAAABk\r\n",
        b"upgrade",
        b"http2-settings",
    ),
    hop(
        "cookie-cannot-be-named",
        b"Connection: Cookie\r\nCookie: a=b\r\n",
        present=((b"cookie", b"a=b"),),
    ),
    hop(
        "authorization-cannot-be-named",
        b"Connection: Authorization\r\nAuthorization: Basic Zm9v\r\n",
        present=((b"authorization", b"Basic Zm9v"),),
    ),
    hop("host-cannot-be-named", b"Connection: Host\r\n", present=((b"host", b"www.example.org"),)),
    post("hop-length-cannot-be-named", HOP, b"Connection: Content-Length\r\n", HELLO),
    Case(
        "hop-coding-cannot-be-named",
        HOP,
        b"POST / HTTP/1.1\r\n"
        + H
        + b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"5\r\nhello\r\n0\r\n\r\n",
        (HELLO,),
    ),
    refuse(
        "hop-connection-not-a-list", HOP, b"GET / HTTP/1.1\r\n" + H + b"Connection: a b\r\n\r\n"
    ),
    refuse(
        "hop-connection-quoted", HOP, b"GET / HTTP/1.1\r\n" + H + b'Connection: "close"\r\n\r\n'
    ),
    Case(
        "upgrade-in-http-1.0",
        UPGRADE,
        b"GET / HTTP/1.0\r\n" + H + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        (Meaning(b"GET", b"/", absent=(b"upgrade",)),),
    ),
    # What we say about the client is ours to say.
    hop(
        "forwarded-for-is-ours",
        b"X-Forwarded-For: 192.0.2.9\r\n",
        present=((b"x-forwarded-for", US),),
    ),
    hop(
        "forwarded-for-twice",
        b"X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-For: 192.0.2.8\r\n",
        present=((b"x-forwarded-for", US),),
    ),
    hop(
        "forwarded-for-cannot-be-named",
        b"Connection: X-Forwarded-For\r\nX-Forwarded-For: 192.0.2.9\r\n",
        present=((b"x-forwarded-for", US),),
    ),
    hop(
        "forwarded-proto-is-ours",
        b"X-Forwarded-Proto: https\r\n",
        present=((b"x-forwarded-proto", b"http"),),
    ),
    hop(
        "forwarded-host-is-ours",
        b"X-Forwarded-Host: evil.example\r\n",
        present=((b"x-forwarded-host", b"www.example.org"),),
    ),
    hop("forwarded-is-ours", b"Forwarded: for=192.0.2.9\r\n", b"forwarded: for=192.0.2.9"),
    hop("client-name-is-ours", b"X-Client-Name: admin\r\n", b"x-client-name"),
    hop("client-name-with-underscore", b"X_Client_Name: admin\r\n", b"x_client_name"),
    # Expectations.
    refuse("expect-unknown", EXPECT, b"GET / HTTP/1.1\r\n" + H + b"Expect: wonders\r\n\r\n", 417),
    refuse(
        "expect-two",
        EXPECT,
        b"GET / HTTP/1.1\r\n" + H + b"Expect: 100-continue, wonders\r\n\r\n",
        417,
    ),
    post("expect-with-the-body-at-once", EXPECT, b"Expect: 100-continue\r\n", HELLO),
    post("expect-in-capitals", EXPECT, b"Expect: 100-CONTINUE\r\n", HELLO),
)
