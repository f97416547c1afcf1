"""RTSP sessions before scripted servers: pins, order, both directions, refusals, ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from l7lb.media.control.office import Parts
from l7lb.media.control.states import NEXT, READS, State, Turn
from l7lb.model import (
    ClusterSpec,
    FixedReply,
    MatchSpec,
    PathKind,
    PathMatch,
    PersistenceKind,
    PersistenceSpec,
    SchedulerKind,
    SchedulerSpec,
    Timeouts,
)
from l7lb_protocols.rtsp.message import Request
from l7lb_protocols.rtsp.session_id import Tags
from support.rig import closed_port, pool, route
from support.rtsp_rig import RtspRig, ScriptedServer, WordRelays, reply, rtsp_service, to

RR = SchedulerSpec(SchedulerKind.RR)
FRAME = b"$\0\0\4abcd"


def below(path: bytes) -> MatchSpec:
    return MatchSpec(path=PathMatch(PathKind.PREFIX, path))


# --------------------------------------------------------------------------- the way through


async def test_a_film_from_options_to_teardown() -> None:
    async with ScriptedServer() as server, to(server) as rig:
        async with await rig.client() as client:
            assert (await client.ask("OPTIONS")).status == 200
            described = await client.ask("DESCRIBE")
            assert described.get(b"content-base") == b"rtsp://h/film/"
            session = await client.set_up("Transport: RTP/AVP/TCP;unicast;interleaved=0-1")
            own, _, tag = session.rpartition(".")
            assert own == "s123"
            assert len(tag) == 32
            said = await client.ask("PLAY", "rtsp://h/film", f"Session: {session}")
            assert said.get(b"session") == session.encode()
            server.send(FRAME * 1000)
            assert await client.media(8000) == FRAME * 1000
            client.send(FRAME)
            await rig.until(lambda: server.frames == FRAME)
            said = await client.ask("TEARDOWN", "rtsp://h/film", f"Session: {session}")
            assert said.status == 200
        play = server.requests[3]
        assert play.get(b"session") == b"s123"
        assert server.connections == 1


async def test_what_is_not_edited_goes_on_byte_for_byte() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        asked = (
            b"DESCRIBE rtsp://user@H:554/%66ilm?x RTSP/1.0\r\nX-Odd :  a \r\nCSeq:  1\r\n"
            b'Authorization: Digest username="u", uri="rtsp://H/film"\r\n\r\n'
        )
        client.send(asked)
        assert (await client.answer()).status == 200
        assert server.requests[0].encode() == asked


async def test_pipelined_answers_keep_their_order() -> None:
    """The server is slow with the second; our own refusals wait for their turn too."""
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        held: list[Request] = []
        server.says[b"PAUSE"] = held.append
        await client.ask("OPTIONS")
        numbers = [
            client.request("GET_PARAMETER"),
            client.request("PAUSE"),
            client.request("FETCH"),
            client.request("SETUP"),
            client.request("GET_PARAMETER"),
        ]
        await rig.until(lambda: len(server.requests) == 4)
        server.send(reply(held[0], 455))
        said = [await client.answer() for _ in numbers]
        assert [answer.cseq for answer in said] == numbers
        assert [answer.status for answer in said] == [200, 455, 501, 400, 200]


async def test_a_server_may_answer_out_of_order() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        held: list[Request] = []
        server.says[b"PAUSE"] = held.append
        await client.ask("OPTIONS")
        client.request("PAUSE")
        client.request("PLAY")
        await rig.until(lambda: len(server.requests) == 3)
        server.send(reply(held[0], 200, "First: yes"))
        assert (await client.answer()).get(b"first") == b"yes"
        assert (await client.answer()).cseq == 3


# --------------------------------------------------------------------------- pins


async def test_another_connection_finds_the_sessions_server() -> None:
    async with ScriptedServer("a") as one, ScriptedServer("b") as two:
        async with to(one, two, scheduler=RR) as rig:
            sessions = []
            for _ in range(2):
                async with await rig.client() as client:
                    sessions.append(
                        await client.set_up("Transport: RTP/AVP;multicast;port=5000-5001")
                    )
            for session in sessions:
                async with await rig.client() as client:
                    said = await client.ask("PLAY", "rtsp://h/film", f"Session: {session}")
                    assert said.get(b"server") == session[:1].encode()
                    assert said.get(b"session") == session.encode()
        assert {one.methods()[-1], two.methods()[-1]} == {b"PLAY"}


async def test_another_director_finds_the_sessions_server() -> None:
    """It shares the secret and the file, and nothing else."""
    async with ScriptedServer("a") as one, ScriptedServer("b") as two:
        async with to(one, two, scheduler=RR) as first, to(one, two, scheduler=RR) as second:
            for _ in range(4):
                async with await first.client() as client:
                    session = await client.set_up("Transport: RTP/AVP;multicast")
                async with await second.client() as client:
                    said = await client.ask("PLAY", "rtsp://h/film", f"Session: {session}")
                    assert said.get(b"server") == session[:1].encode()


async def test_a_server_that_left_the_file_takes_its_sessions_along() -> None:
    async with ScriptedServer("a") as one, ScriptedServer("b") as two:
        async with to(one) as rig:
            async with await rig.client() as client:
                session = await client.set_up("Transport: RTP/AVP;multicast")
            spec = rig.spec
            rig.apply(replace(spec, pools={"media": pool("media", two.port)}))
            async with await rig.client() as client:
                said = await client.ask("PLAY", "rtsp://h/film", f"Session: {session}")
                assert said.get(b"server") == b"b"  # the same name: the file says it is the same
            renamed = replace(pool("media", two.port).servers[0], name="other")
            rig.apply(replace(spec, pools={"media": replace(pool("media"), servers=(renamed,))}))
            async with await rig.client() as client:
                said = await client.ask("PLAY", "rtsp://h/film", f"Session: {session}")
                assert said.status == 454
                assert (await client.ask("OPTIONS")).get(b"server") == b"b"


async def test_one_connection_for_sessions_of_two_servers() -> None:
    async with ScriptedServer("a") as one, ScriptedServer("b") as two:
        async with to(one, two, scheduler=RR) as rig:
            sessions = []
            for _ in range(2):
                async with await rig.client() as client:
                    sessions.append(await client.set_up("Transport: RTP/AVP;multicast"))
            async with await rig.client() as client:
                for session in sessions * 2:
                    said = await client.ask("GET_PARAMETER", "*", f"Session: {session}")
                    assert said.get(b"server") == session[:1].encode()


async def test_media_over_the_connection_stays_with_its_server() -> None:
    async with ScriptedServer("a") as one, ScriptedServer("b") as two:
        async with to(one, two, scheduler=RR) as rig:
            async with await rig.client() as client:
                other = await client.set_up("Transport: RTP/AVP;multicast")
            async with await rig.client() as client:
                await client.set_up("Transport: RTP/AVP/TCP")
                said = await client.ask("PLAY", "rtsp://h/film", f"Session: {other}")
                assert said.status == 455
                assert (await client.ask("OPTIONS")).status == 200


async def test_forged_sessions() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        session = await client.set_up()
        forged = Tags(b"guess", "www", [("media", "media1")])
        for text in (
            "s123",
            session[:-1],
            f"s124.{session.rpartition('.')[2]}",
            forged.seal(b"s123", ("media", "media1"), b"abcdef").decode(),
        ):
            said = await client.ask("PLAY", "rtsp://h/film", f"Session: {text}")
            assert said.status == 454
        assert b"PLAY" not in server.methods()


async def test_another_path_before_setup_is_chosen_anew() -> None:
    by_path = SchedulerSpec(SchedulerKind.RR)
    async with ScriptedServer("a") as one, ScriptedServer("b") as two:
        async with to(one, two, scheduler=by_path) as rig, await rig.client() as client:
            first = await client.ask("OPTIONS", "rtsp://h/one")
            same = await client.ask("OPTIONS", "rtsp://h/one/track1")
            other = await client.ask("OPTIONS", "rtsp://h/two")
            assert first.get(b"server") == same.get(b"server") != other.get(b"server")


async def test_a_switch_waits_for_answers() -> None:
    async with ScriptedServer("a") as one, ScriptedServer("b") as two:
        async with to(one, two, scheduler=RR) as rig, await rig.client() as client:
            held: list[tuple[ScriptedServer, Request]] = []
            for server in (one, two):
                server.says[b"DESCRIBE"] = lambda request, server=server: held.append(
                    (server, request)
                )
            client.request("DESCRIBE", "rtsp://h/one")
            client.request("OPTIONS", "rtsp://h/two")
            await rig.until(lambda: held)
            server, request = held[0]
            server.send(reply(request, 200, "Server: first"))
            assert (await client.answer()).get(b"server") == b"first"
            assert (await client.answer()).get(b"server") in (b"a", b"b")


async def test_routes_by_path_and_no_route() -> None:
    async with ScriptedServer("live") as live, ScriptedServer("film") as film:
        one = rtsp_service(
            route("live", name="l", match=below(b"/live")),
            route("film", name="f", match=below(b"/film")),
        )
        pools = {"live": pool("live", live.port), "film": pool("film", film.port)}
        async with RtspRig(ClusterSpec(pools, {one.name: one})) as rig:
            async with await rig.client() as client:
                assert (await client.ask("DESCRIBE", "rtsp://h/other")).status == 404
                options = await client.ask("OPTIONS", "*")
                assert b"DESCRIBE" in (options.get(b"public") or b"")
                assert (await client.ask("OPTIONS", "rtsp://h/live/a")).get(b"server") == b"live"
                assert (await client.ask("OPTIONS", "rtsp://h/film/a")).get(b"server") == b"film"


async def test_readers_meet_the_publisher() -> None:
    published = PersistenceSpec(PersistenceKind.PUBLISHED, timeout_s=60.0)
    async with ScriptedServer("a") as one, ScriptedServer("b") as two:
        async with to(one, two, scheduler=RR, persistence=published) as rig:
            for name in ("x", "y", "z"):
                async with await rig.client() as client:
                    said = await client.ask("ANNOUNCE", f"rtsp://h/{name}/")
                    server = said.get(b"server")
                for path in (name, f"{name}/track1"):
                    async with await rig.client() as client:
                        said = await client.ask("OPTIONS", f"rtsp://h/{path}")
                        assert said.get(b"server") == server


# --------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"OPTIONS rtsp://h/ RTSP/2.0\r\nCSeq: 1\r\n\r\n", 505),
        (b"OPTIONS rtsp://h/\xff RTSP/1.0\r\nCSeq: 1\r\nProxy-Require: x\r\n\r\n", 551),
        (b"OPTIONS /film RTSP/1.0\r\nCSeq: 1\r\n\r\n", 400),
        (b"OPTIONS rtsp://h/../x RTSP/1.0\r\nCSeq: 1\r\n\r\n", 400),
        (b"OPTIONS rtsp://h/ RTSP/1.0\r\n\r\n", 400),
        (b"REDIRECT rtsp://h/ RTSP/1.0\r\nCSeq: 1\r\n\r\n", 501),
    ],
)
async def test_a_request_that_is_refused_ends_nothing(data: bytes, status: int) -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        client.send(data)
        assert (await client.answer()).status == status
        client.cseq = 1
        assert (await client.ask("OPTIONS")).status == 200
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01",
        b"OPTIONS rtsp://h/ RTSP/1.0\nCSeq: 1\n\n",
        b"OPTIONS rtsp://h/ RTSP/1.0\r\nContent-Length: x\r\n\r\n",
        b"$\0\0\4abcd",
        b"A" * 20000,
    ],
)
async def test_garbage_is_answered_and_closed(data: bytes) -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        client.send(data)
        assert (await client.answer()).status in (400, 413)
        assert await client.rest() == b""
        assert not server.requests


async def test_what_was_asked_before_garbage_is_answered_first() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        client.request("OPTIONS")
        client.send(b"\r\n\rx\r\n\r\n")
        assert (await client.answer()).status == 200
        assert (await client.answer()).status == 400
        assert await client.rest() == b""


async def test_a_client_that_ends_its_side_is_still_answered() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        client.request("OPTIONS")
        client.writer.write_eof()
        assert (await client.answer()).status == 200
        assert await client.rest() == b""


async def test_no_server() -> None:
    one = rtsp_service(route("media"))
    spec = ClusterSpec({"media": pool("media", closed_port())}, {one.name: one})
    async with RtspRig(spec) as rig, await rig.client() as client:
        said = [await client.ask("OPTIONS") for _ in range(2)]
        assert [answer.status for answer in said] == [503, 503]


async def test_many_refusals_in_one_go_need_no_deep_stack() -> None:
    one = rtsp_service(route(reply=FixedReply(403)))
    async with RtspRig(ClusterSpec({}, {one.name: one})) as rig, await rig.client() as client:
        numbers = [client.request("OPTIONS") for _ in range(2000)]
        assert [(await client.answer()).cseq for _ in numbers] == numbers


async def test_another_server_when_the_first_does_not_answer_the_door() -> None:
    async with ScriptedServer() as server:
        dead = ScriptedServer(port=closed_port())
        async with to(dead, server, scheduler=RR) as rig:
            for _ in range(2):
                async with await rig.client() as client:
                    assert (await client.ask("OPTIONS")).status == 200


async def test_a_full_server_is_453() -> None:
    async with ScriptedServer() as server:
        async with to(server, queue_timeout_s=0.1) as rig:
            rig.engine.pools["media"].servers[0].max_connections = 1
            async with await rig.client() as client, await rig.client() as other:
                assert (await client.ask("OPTIONS")).status == 200
                assert (await other.ask("OPTIONS")).status == 453


# --------------------------------------------------------------------------- ends


async def test_a_server_that_goes_with_media_ends_the_client() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        await client.set_up()
        server.close_connections()
        assert await client.rest() == b""


async def test_a_server_that_goes_while_it_owes_an_answer() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        server.says[b"DESCRIBE"] = lambda request: server.close_connections()
        assert (await client.ask("OPTIONS")).status == 200
        assert (await client.ask("DESCRIBE")).status == 502
        assert (await client.ask("OPTIONS")).status == 200
        assert server.connections == 2


async def test_a_server_that_is_silent_is_504() -> None:
    async with ScriptedServer() as server:
        server.says[b"DESCRIBE"] = lambda request: None
        async with to(server, timeouts=Timeouts(first_byte_s=0.2)) as rig:
            async with await rig.client() as client:
                assert (await client.ask("DESCRIBE")).status == 504


async def test_a_server_that_speaks_nonsense_is_502() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        server.says[b"DESCRIBE"] = lambda request: b"HTTP/1.1 200 OK\r\n\r\n"
        assert (await client.ask("DESCRIBE")).status == 502


async def test_a_setup_without_transport_in_its_answer_is_502() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        server.says[b"SETUP"] = lambda request: reply(request, 200, "Session: 1")
        said = await client.ask("SETUP", "rtsp://h/film", "Transport: RTP/AVP/TCP")
        assert said.status == 502


async def test_a_slow_head_is_408() -> None:
    async with ScriptedServer() as server:
        async with to(server, timeouts=Timeouts(head_s=0.2)) as rig, await rig.client() as client:
            client.send(b"OPTIONS rtsp://h/ RT")
            assert (await client.answer()).status == 408
            assert await client.rest() == b""


async def test_a_session_over_udp_keeps_its_place_without_a_connection() -> None:
    async with ScriptedServer() as server, to(server, parts=Parts(WordRelays())) as rig:
        async with await rig.client() as client:
            session = await client.set_up("Transport: RTP/AVP;unicast;client_port=5000-5001")
        await rig.until(lambda: len(rig.office.book) == 1)
        assert rig.engine.pools["media"].servers[0].sessions == 1
        async with await rig.client() as client:
            said = await client.ask("TEARDOWN", "rtsp://h/film", f"Session: {session}")
            assert said.status == 200
            assert len(rig.office.book) == 0
        await rig.until(lambda: rig.engine.pools["media"].servers[0].sessions == 0)


async def test_a_drained_director_lets_sessions_end() -> None:
    async with ScriptedServer() as server, to(server) as rig:
        async with await rig.client() as idle, await rig.client() as client:
            await idle.ask("OPTIONS")
            session = await client.set_up()
            drained = asyncio.create_task(rig.engine.drain(30.0))
            assert await idle.rest() == b""
            said = await client.ask("PLAY", "rtsp://h/film", f"Session: {session}")
            assert said.status == 200
            await client.ask("TEARDOWN", "rtsp://h/film", f"Session: {session}")
            assert await client.rest() == b""
            assert await drained == 0


# --------------------------------------------------------------------------- the table


def test_every_state_can_end_and_is_reached() -> None:
    for state in State:
        if state is not State.OVER:
            assert NEXT[state, Turn.END] is State.OVER
    assert set(NEXT.values()) == set(State)
    assert State.OVER not in READS
    assert not any(state is State.OVER for state, _ in NEXT)
