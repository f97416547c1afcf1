"""The gateway's judgement of answers, by a server that says what the test wants; TLS, users."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
import trustme
from aiohttp import web

from l7lb_storage import (
    AuthenticationFailed,
    Changed,
    InDoubt,
    LeaseLost,
    LimitExceeded,
    Lock,
    Mode,
    Notice,
    ProtocolViolation,
    Reset,
    Session,
    SessionSpec,
    Store,
    Unavailable,
)
from l7lb_storage.etcd import gateway as module
from l7lb_storage.etcd.engine import EtcdEngine
from l7lb_storage.etcd.feed import Ear
from l7lb_storage.etcd.follow import Follower
from l7lb_storage.etcd.gateway import Compacted, EtcdSpec, Gateway, Silence, refusal
from l7lb_storage.etcd.leases import Leases
from l7lb_storage.etcd.names import Names
from l7lb_storage.etcd.watching import EtcdWatch
from l7lb_storage.etcd.wire import Seen
from support.etcd_members import Member, free_ports
from support.storage_rigs import WAIT_S, EtcdRig

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (5, "etcdserver: requested lease not found", LeaseLost),
        (11, "etcdserver: mvcc: required revision has been compacted", Compacted),
        (16, "etcdserver: invalid auth token", AuthenticationFailed),
        (3, "etcdserver: authentication failed, invalid user ID or password", AuthenticationFailed),
        (7, "etcdserver: permission denied", AuthenticationFailed),
        (3, "etcdserver: request is too large", LimitExceeded),
        (3, "etcdserver: too many operations in txn request", LimitExceeded),
        (14, "etcdserver: request timed out", Silence),
        (14, "etcdserver: no leader", Silence),
        (None, "", Silence),
    ],
)
def test_what_refusals_mean(code: object, message: str, kind: type[Exception]) -> None:
    assert type(refusal(code, message)) is kind


def test_what_may_have_happened() -> None:
    for message, sent in (
        ("etcdserver: request timed out", True),
        ("etcdserver: no leader", False),
    ):
        silence = refusal(14, message)
        assert isinstance(silence, Silence)
        assert silence.sent is sent


class Fake:
    """A member that answers with `answer`."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.answer: Answer = self.nothing
        self.port = 0

    async def nothing(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request.path)
        return await self.answer(request)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
async def fakes() -> AsyncIterator[list[Fake]]:
    """Two of them."""
    found, runners = [Fake(), Fake()], []
    for fake in found:
        app = web.Application()
        app.router.add_post("/{path:.*}", fake.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        fake.port = runner.addresses[0][1]
        runners.append(runner)
    yield found
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def gateway(fakes: list[Fake]) -> AsyncIterator[Gateway]:
    spec = EtcdSpec(
        tuple(fake.url for fake in fakes),
        attempt_timeout_s=0.3,
        request_timeout_s=1.0,
        pulse_s=0.1,
    )
    found = Gateway(spec)
    await found.open()
    yield found
    await found.close()


def says(status: int, text: str) -> Answer:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text)

    return answer


async def hangs(_request: web.Request) -> web.StreamResponse:
    await asyncio.sleep(5)
    raise AssertionError


async def breaks(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


NO_LEADER = says(503, '{"error": "etcdserver: no leader", "code": 14}')


@pytest.mark.parametrize("bad", [hangs, breaks, NO_LEADER, says(200, "no JSON"), says(502, "?")])
async def test_repeatable_requests_go_to_the_next_member(
    gateway: Gateway, fakes: list[Fake], bad: Answer
) -> None:
    fakes[0].answer = bad
    fakes[1].answer = says(200, '{"x": 1}')
    assert await gateway.call("/p", {}, repeatable=True) == {"x": 1}
    assert gateway.endpoint == fakes[1].url
    assert [fake.seen for fake in fakes] == [["/p"], ["/p"]]


@pytest.mark.parametrize("bad", [hangs, breaks, says(200, "no JSON"), says(502, "?")])
async def test_others_are_in_doubt_and_never_sent_twice(
    gateway: Gateway, fakes: list[Fake], bad: Answer
) -> None:
    fakes[0].answer = bad
    with pytest.raises(InDoubt):
        await gateway.call("/p", {}, repeatable=False)
    assert [fake.seen for fake in fakes] == [["/p"], []]


async def test_what_certainly_did_not_happen_is_sent_again(
    gateway: Gateway, fakes: list[Fake]
) -> None:
    fakes[0].answer = NO_LEADER
    assert await gateway.call("/p", {}, repeatable=False) == {}
    assert fakes[1].seen == ["/p"]


async def test_nobody_answers(gateway: Gateway, fakes: list[Fake]) -> None:
    for fake in fakes:
        fake.answer = hangs
    with pytest.raises(InDoubt):
        await gateway.call("/p", {}, repeatable=True)
    for fake in fakes:
        fake.answer = NO_LEADER
    with pytest.raises(Unavailable) as caught:
        await gateway.call("/p", {}, repeatable=False)
    assert not isinstance(caught.value, InDoubt)


async def test_answers_are_bounded(
    gateway: Gateway, fakes: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_BYTES", 1000)
    fakes[0].answer = says(200, '"' + "x" * 2000 + '"')
    with pytest.raises(InDoubt):
        await gateway.call("/p", {}, repeatable=False)


def streams(*parts: bytes) -> Answer:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for part in parts:
            await response.write(part)
        await response.write_eof()
        return response

    return answer


async def test_lines_come_in_any_pieces(
    gateway: Gateway, fakes: list[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    fakes[0].answer = streams(b"on", b"e\ntwo\nthr", b"ee\nlost")
    async with gateway.stream("/s", {}, fakes[0].url) as lines:
        assert [await lines.next() for _ in range(4)] == [b"one", b"two", b"three", None]
    monkeypatch.setattr(module, "LINE_BYTES", 10)
    fakes[0].answer = streams(b"x" * 50)
    with pytest.raises(ProtocolViolation):
        async with gateway.stream("/s", {}, fakes[0].url) as lines:
            await lines.next()
    fakes[0].answer = NO_LEADER
    with pytest.raises(Unavailable):
        async with gateway.stream("/s", {}, fakes[0].url):
            raise AssertionError


class Collector:
    def __init__(self) -> None:
        self.begun = 0
        self.seen: asyncio.Queue[Seen] = asyncio.Queue()

    async def begin(self) -> int:
        self.begun += 1
        return 10

    async def take(self, seen: Seen) -> None:
        self.seen.put_nowait(seen)


async def test_silent_stream_is_left_when_its_member_fails_a_read(
    gateway: Gateway, fakes: list[Fake]
) -> None:
    """The stream stays open and says nothing; the read at the same member tells."""

    async def silent(request: web.Request) -> web.StreamResponse:
        if request.path != "/v3/watch":
            return await NO_LEADER(request)
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b'{"result": {"header": {"revision": "10"}, "created": true}}\n')
        await asyncio.sleep(5)
        return response

    event = b'{"result": {"header": {"revision": "11"}, "events": [{"kv": {"key": "aw=="}}]}}\n'
    fakes[0].answer = silent
    fakes[1].answer = streams(event)
    collector = Collector()
    task = asyncio.create_task(Follower(gateway, b"k", collector, None).run())
    async with asyncio.timeout(WAIT_S):
        assert (await collector.seen.get()).revision == 11
    assert collector.begun == 1, "nothing was missed, so nothing is read anew"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_watch_that_is_refused_for_good_ends_with_the_error(
    gateway: Gateway, fakes: list[Fake]
) -> None:
    for fake in fakes:
        fake.answer = says(403, '{"error": "etcdserver: permission denied", "code": 7}')
    watch = EtcdWatch(gateway, Names("l7lb/"), "w/", None)
    async with asyncio.timeout(WAIT_S):
        with pytest.raises(AuthenticationFailed):
            await anext(watch)
    await watch.close()


@pytest.mark.parametrize(
    ("renewal", "read", "kind"),
    [
        ('"TTL": "5"', '"kvs": []', LeaseLost),
        ('"TTL": "0"', '"kvs": [{"key": "aw=="}]', LeaseLost),
        ('"TTL": "5", "header": {"raft_term": "2"}', '"kvs": [{"key": "aw=="}]', Unavailable),
    ],
)
async def test_renewals_are_not_believed_alone(
    gateway: Gateway, fakes: list[Fake], renewal: str, read: str, kind: type[Exception]
) -> None:
    """A revoked lease that is confirmed, and a leader that was deposed meanwhile."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.path == "/v3/lease/keepalive":
            return web.Response(text=f'{{"result": {{"ID": "7", {renewal}}}}}')
        return web.Response(text=f'{{"header": {{"raft_term": "3"}}, {read}}}')

    fakes[0].answer = answer
    with pytest.raises(kind):
        await Leases(gateway, Names("l7lb/")).renew(7)


async def test_ear_wakes_for_its_own_entries_only() -> None:
    ear = Ear()
    ear.note(b"other", 9)
    ear.note(b"mine", 5)
    waiting = asyncio.create_task(ear.change_of((b"mine", b"last"), since=5))
    await asyncio.sleep(0)
    ear.note(b"other", 10)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not waiting.done()
    ear.note(b"last", 6)
    async with asyncio.timeout(WAIT_S):
        await waiting


def test_no_endpoints() -> None:
    with pytest.raises(LimitExceeded):
        EtcdEngine(EtcdSpec(()))


@pytest.fixture
async def secure(tmp_path: Path) -> AsyncIterator[tuple[Member, trustme.CA]]:
    """A member that wants certificates of its clients, and a user with a password."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(tmp_path / "key.pem")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(tmp_path / "cert.pem", append=True)
    options = ["--client-cert-auth", "--trusted-ca-file", str(tmp_path / "ca.pem")]
    options += ["--cert-file", str(tmp_path / "cert.pem"), "--key-file", str(tmp_path / "key.pem")]
    port, peer_port = free_ports(2)
    member = Member("m0", tmp_path / "data", port, peer_port, 50, options, scheme="https")
    await asyncio.to_thread(member.start)
    yield member, authority
    member.kill()


def client_context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    authority.issue_cert("client.example.org").configure_cert(context)
    return context


async def enable_users(member: Member, context: ssl.SSLContext) -> None:
    steps = [
        ("user/add", {"name": "root", "password": "old"}),
        ("user/grant", {"user": "root", "role": "root"}),
        ("enable", {}),
    ]
    async with aiohttp.ClientSession() as http, asyncio.timeout(WAIT_S):
        for path, body in steps:
            url = f"{member.url}/v3/auth/{path}"
            while True:
                async with http.post(url, json=body, ssl=context) as answer:
                    if answer.status == 200:
                        break
                await asyncio.sleep(0.05)


async def test_tls_client_certificate_and_password(
    secure: tuple[Member, trustme.CA],
) -> None:
    member, authority = secure
    context = client_context(authority)
    await enable_users(member, context)
    spec = EtcdSpec((member.url,), tls=context, user="root", password="old")
    engine = EtcdEngine(spec)
    await engine.open()
    async with await Session.open(engine, SessionSpec("n")) as session:
        assert (await session.acquire("r", Mode.EX)).valid
        store = Store(engine)
        async with store.watch("w/") as watch, asyncio.timeout(WAIT_S):
            assert isinstance(await anext(watch), Reset)
            engine._gateway._token = "expired"
            await store.put("w/1", b"1")
            assert isinstance(await anext(watch), Changed)
    await engine.close()
    for wrong in (
        EtcdSpec((member.url,), tls=context, user="root", password="wrong"),
        EtcdSpec((member.url,), tls=context),
    ):
        refused = EtcdEngine(wrong)
        with pytest.raises(AuthenticationFailed):
            await refused.open()
        await refused.close()
    untrusted = EtcdEngine(EtcdSpec((member.url,), request_timeout_s=0.5))
    with pytest.raises(Unavailable, match="certificate verify failed"):
        await untrusted.open()
    await untrusted.close()


async def test_holders_hear_of_those_who_came_in_a_gap(member: Member) -> None:
    """The feed was broken off and begins anew: the queues of all holders are looked at."""
    rig = EtcdRig([member], "gap/")
    session = await rig.session("a")
    heard: asyncio.Queue[tuple[Lock, Notice]] = asyncio.Queue()
    for resource in ("r", "s"):
        await session.acquire(resource, Mode.EX, on_blocking=lambda *told: heard.put_nowait(told))
    waiting = asyncio.create_task(session.acquire("r", Mode.PR))
    async with asyncio.timeout(WAIT_S):
        first = await heard.get()
        engine = session.engine
        assert isinstance(engine, EtcdEngine)
        await engine._locks._feed.begin()
        assert await heard.get() == first
    assert heard.empty()
    waiting.cancel()
    await rig.close()


async def test_view_leaves_out_a_queue_that_the_limit_cuts(member: Member) -> None:
    rig = EtcdRig([member], "cut/")
    session = await rig.session()
    for resource in ("a", "b"):
        for _ in range(3):
            await session.acquire(resource, Mode.PR)
    assert [view.resource for view in await session.engine.locks(limit=5)] == ["a"] * 3
    assert len(await session.engine.locks(limit=6)) == 6
    assert len(await session.engine.locks("b", limit=2)) == 2
    await rig.close()
