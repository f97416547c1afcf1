"""What a route does to requests and answers, and what the servers are told of the client."""

from __future__ import annotations

import re

import pytest

from l7lb.model import MatchSpec, PathKind, PathMatch
from l7lb.model_http import FixedReply, HeaderEdits, HttpLimits, HttpOptions, Redirect
from l7lb.net.service import is_authority
from support.peers import Message, Origin
from support.rig import Rig, cluster, pool, route, service

UNDER_A = MatchSpec(path=PathMatch(PathKind.PREFIX, b"/a"))


def one(origin: Origin, *, http: HttpOptions | None = None, **more: object) -> Rig:
    options = {"http": http} if http else {}
    return Rig(cluster(service(route("web", **more), **options), pool("web", origin.port)))


async def told(rig: Rig, origin: Origin, target: str = "/", *fields: str) -> Message:
    """What the origin got."""
    async with rig:
        assert (await rig.ask(target, *fields)).status == 200
    return origin.requests[-1]


async def test_routes_to_pools_and_own_answers() -> None:
    async with Origin(name="a") as a, Origin(name="b") as b:
        rules = (
            route("b", name="b", match=MatchSpec(path=PathMatch(PathKind.PREFIX, b"/b"))),
            route(
                name="r",
                match=MatchSpec(path=PathMatch(PathKind.PREFIX, b"/old")),
                redirect=Redirect(b"/new/{1}", 308),
            ),
            route(
                name="f",
                match=MatchSpec(path=PathMatch(PathKind.EXACT, b"/fixed")),
                reply=FixedReply(200, ((b"Content-Type", b"text/plain"),), b"fixed"),
            ),
            route("a", name="a", match=UNDER_A),
        )
        spec = cluster(service(*rules), pool("a", a.port), pool("b", b.port))
        async with Rig(spec) as rig, await rig.client() as client:
            assert (await client.ask("/a")).body == b"a"
            assert (await client.ask("/b/x")).body == b"b"
            redirect = await client.ask("/old/x%20y?q=1")
            assert (redirect.status, redirect.get("location")) == (308, b"/new/x%20y")
            assert (await client.ask("/fixed")).body == b"fixed"
            assert (await client.ask("/none")).status == 404
            assert (await client.ask("/a")).body == b"a"


async def test_header_edits() -> None:
    async with Origin() as origin:
        origin.extra = ("Server: secret", "X-Keep: 1")
        rig = one(
            origin,
            request_headers=HeaderEdits((b"x-gone",), ((b"X-Set", b"new"),), ((b"X-Add", b"1"),)),
            response_headers=HeaderEdits((b"server",), ((b"X-Frame", b"DENY"),)),
        )
        async with rig:
            answer = await rig.ask("/", "X-Gone: 1", "X-Set: old", "X-Set: older")
        request = origin.requests[0]
        assert request.all("x-gone") == []
        assert request.get("x-set") == b"new"
        assert request.get("x-add") == b"1"
        assert answer.all("server") == []
        assert (answer.get("x-frame"), answer.get("x-keep")) == (b"DENY", b"1")
        assert answer.body == b"ok"


async def test_path_and_host_are_rewritten() -> None:
    async with Origin() as origin:
        rig = one(
            origin, match=UNDER_A, rewrite_path=b"/v2/{1}?{query}", rewrite_host=b"{1}.internal:80"
        )
        request = await told(rig, origin, "/a/shop?x=1")
    assert request.target == b"/v2/shop?x=1"
    assert request.get("host") == b"shop.internal:80"
    assert request.get("x-forwarded-host") == b"example.org"


async def test_fixed_host() -> None:
    async with Origin() as origin:
        request = await told(one(origin, rewrite_host=b"intern.example"), origin)
    assert request.get("host") == b"intern.example"


@pytest.mark.parametrize("target", ["/a/b/c", "/a/b%20c", "/a/b@c", "/a/", "/a/b:99999999"])
async def test_host_that_is_none_is_refused(target: str) -> None:
    async with Origin() as origin, one(origin, match=UNDER_A, rewrite_host=b"{1}") as rig:
        assert (await rig.ask(target)).status == 400
        assert origin.requests == []


@pytest.mark.parametrize(
    ("text", "lawful"),
    [
        (b"a", True),
        (b"a-b.example.org:8080", True),
        (b"192.0.2.1", True),
        (b"[2001:db8::1]:80", True),
        (b"", False),
        (b"a b", False),
        (b"a/b", False),
        (b"a\r\nX: 1", False),
        (b"a..b", False),
        (b"a:", False),
        (b"a:x", False),
        (b"2001:db8::1", False),
    ],
)
def test_authority(text: bytes, lawful: bool) -> None:
    assert is_authority(text) is lawful


async def test_server_is_told_of_the_client() -> None:
    async with Origin() as origin:
        request = await told(one(origin), origin, "/", "X-Forwarded-For: 192.0.2.9", "Via: 1.0 x")
    assert request.get("x-forwarded-for") == b"127.0.0.1"
    assert request.get("x-forwarded-proto") == b"http"
    assert request.get("x-forwarded-host") == b"example.org"
    assert request.get("forwarded") == b'for=127.0.0.1;proto=http;host="example.org"'
    assert request.all("via") == [b"1.0 x", b"1.1 l7lb"]
    assert re.fullmatch(rb"[0-9a-f]{12}-[0-9a-f]+", request.get("x-request-id") or b"")


async def test_request_ids_differ() -> None:
    async with Origin() as origin, one(origin) as rig, await rig.client() as client:
        for _ in range(3):
            await client.ask("/", "X-Request-ID: mine")
        assert len({each.get("x-request-id") for each in origin.requests} - {b"mine"}) == 3


async def test_trusted_proxy_is_believed_and_added_to() -> None:
    async with Origin() as origin:
        options = HttpOptions(trusted_proxies=("127.0.0.0/8", "2001:db8::/32"))
        request = await told(
            one(origin, http=options),
            origin,
            "/",
            "X-Forwarded-For: 192.0.2.9, 2001:db8::5",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: www.example.org",
            'Forwarded: for="[2001:db8:9::1]"',
            "X-Request-ID: abc-1",
        )
    assert request.get("x-forwarded-for") == b"192.0.2.9, 2001:db8::5, 127.0.0.1"
    assert request.get("x-forwarded-proto") == b"https"
    assert request.get("x-forwarded-host") == b"www.example.org"
    assert request.get("forwarded") == b'for="[2001:db8:9::1]", for=127.0.0.1;proto=http'
    assert request.get("x-request-id") == b"abc-1"


@pytest.mark.parametrize(
    ("chain", "is_inside"),
    [
        ("2001:db8:1::7", True),
        ("203.0.113.5, 2001:db8:1::7", True),
        ("2001:db8:1::7, 203.0.113.5", False),
        ("2001:db8:1::7, 2001:db8:ffff::1", True),
        ("2001:db8:1::7, rubbish", False),
        ("", False),
    ],
)
async def test_source_behind_proxies_is_matched(chain: str, is_inside: bool) -> None:
    """The last address that no trusted proxy vouches for counts."""
    async with Origin(name="in") as origin:
        rules = (
            route("web", name="in", match=MatchSpec(sources=("2001:db8:1::/48",))),
            route(name="out", reply=FixedReply(200, (), b"out")),
        )
        options = HttpOptions(trusted_proxies=("127.0.0.1/32", "2001:db8:ffff::/48"))
        spec = cluster(service(*rules, http=options), pool("web", origin.port))
        async with Rig(spec) as rig:
            fields = [f"X-Forwarded-For: {chain}"] if chain else []
            assert (await rig.ask("/", *fields)).body == (b"in" if is_inside else b"out")


async def test_client_cannot_name_itself() -> None:
    async with Origin() as origin:
        options = HttpOptions(client_name_header=b"X-SSL-User")
        request = await told(one(origin, http=options), origin, "/", "X-SSL-User: root")
    assert request.all("x-ssl-user") == []


async def test_hop_by_hop_fields_stay() -> None:
    async with Origin() as origin:
        origin.extra = ("Connection: x-hop", "X-Hop: 1", "Keep-Alive: timeout=5")
        async with one(origin) as rig:
            answer = await rig.ask("/", "Connection: x-mine", "X-Mine: 1", "TE: trailers")
        request = origin.requests[0]
    for name in ("connection", "x-mine", "te", "x-hop", "keep-alive"):
        assert request.all(name) == []
        assert answer.all(name) == []


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 2000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 20 + b"\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 101\r\n\r\n", 413),
        (
            b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n65\r\n",
            413,
        ),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ],
)
async def test_limits(request_bytes: bytes, status: int) -> None:
    limits = HttpLimits(head_bytes=1024, fields=10, body_bytes=100)
    async with Origin() as origin, one(origin, http=HttpOptions(limits)) as rig:
        async with await rig.client() as client:
            await client.send(request_bytes)
            answer = await client.answer()
            assert answer.status == status
            assert answer.get("connection") == b"close"
            assert await client.rest() == b""
        assert origin.requests == []


async def test_bodies_within_the_limit_pass() -> None:
    options = HttpOptions(HttpLimits(body_bytes=100))
    async with Origin() as origin, one(origin, http=options) as rig, await rig.client() as client:
        head = b"POST / HTTP/1.1\r\nHost: a\r\n"
        await client.send(head + b"Content-Length: 100\r\n\r\n" + bytes(100))
        assert (await client.answer()).status == 200
        chunks = b"a\r\n" + bytes(10) + b"\r\n"
        await client.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks * 10 + b"0\r\n\r\n")
        assert (await client.answer()).status == 200
        assert [len(each.body) for each in origin.requests] == [100, 100]
