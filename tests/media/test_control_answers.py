"""What a server says beside answers that were asked for: requests of its own, and too much."""

from __future__ import annotations

import pytest

from l7lb.media.control.answers import ASKED_LIMIT
from l7lb_protocols.rtsp.message import Request
from support.rtsp_rig import SDP, ScriptedServer, reply, to


async def test_the_server_asks_the_client() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        session = await client.set_up()
        server.send(
            b"ANNOUNCE rtsp://h/film RTSP/1.0\r\nCSeq: 77\r\nSession: s123\r\n"
            b"Content-Length: 3\r\n\r\nv=0"
        )
        asked = await client.event()
        assert isinstance(asked, Request)
        assert (asked.method, asked.body) == (b"ANNOUNCE", b"v=0")
        assert asked.get(b"session") == session.encode()
        client.send(f"RTSP/1.0 200 OK\r\nCSeq: 77\r\nSession: {session}\r\n\r\n".encode())
        await rig.until(lambda: server.answers)
        assert server.answers[0].get(b"session") == b"s123"


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (b"PLAY rtsp://h/film RTSP/1.0\r\nCSeq: 5\r\n\r\n", 501),
        (b"REDIRECT rtsp://h/film RTSP/1.0\r\nCSeq: 5\r\nSession: unknown\r\n\r\n", 454),
    ],
)
async def test_what_a_server_may_not_ask(asked: bytes, status: int) -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        await client.ask("OPTIONS")
        server.send(asked)
        await rig.until(lambda: server.answers)
        assert server.answers[0].status == status


async def test_answers_that_nobody_asked_for_are_dropped() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        await client.ask("OPTIONS")
        client.send(b"RTSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n")
        server.send(b"RTSP/1.0 200 OK\r\nCSeq: 99\r\n\r\n")
        assert (await client.ask("OPTIONS")).status == 200
        assert not server.answers


async def test_a_servers_own_address_is_hidden_in_answers() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        own = f"rtsp://127.0.0.1:{server.port}/film"
        body = SDP.replace(b"track1", own.encode() + b"/track1")
        server.says[b"DESCRIBE"] = lambda request: reply(
            request, 200, f"Content-Base: {own}/", "Content-Type: application/sdp", body=body
        )
        said = await client.ask("DESCRIBE", "rtsp://vip.example:7/film")
        assert said.get(b"content-base") == b"rtsp://vip.example:7/film/"
        assert b"a=control:rtsp://vip.example:7/film/track1" in said.body
        assert said.get(b"content-length") == b"%d" % len(said.body)


async def test_too_many_questions_of_a_server() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        await client.ask("OPTIONS")
        for number in range(ASKED_LIMIT + 4):
            server.send(b"GET_PARAMETER rtsp://h/ RTSP/1.0\r\nCSeq: %d\r\n\r\n" % number)
        await rig.until(lambda: len(server.answers) == 4)
        assert {answer.status for answer in server.answers} == {453}


async def test_interim_answers_leave_no_turn() -> None:
    async with ScriptedServer() as server, to(server) as rig, await rig.client() as client:
        server.says[b"DESCRIBE"] = lambda request: reply(request, 100) + reply(request, 200)
        assert (await client.ask("DESCRIBE")).status == 200
