"""The RTSP probe against servers that say what the test wants."""

from __future__ import annotations

import socket
from collections.abc import Mapping

import pytest

from l7lb.health.probe import Result, Target, run
from l7lb.health.probe_rtsp import probe_rtsp, question
from l7lb.model import CheckKind, CheckSpec
from support.rtsp_rig import ScriptedServer, reply

PROBES: Mapping[CheckKind, object] = {CheckKind.RTSP: probe_rtsp}


def target(port: int, **more: object) -> Target:
    check = CheckSpec(CheckKind.RTSP, **{"path": "*", "timeout_s": 10.0, **more})  # type: ignore[arg-type]
    return Target((socket.AF_INET, ("127.0.0.1", port)), "127.0.0.1", check)


async def probe(server: ScriptedServer, **more: object) -> Result:
    return await run(target(server.port, **more), PROBES)  # type: ignore[arg-type]


async def test_options() -> None:
    async with ScriptedServer() as server:
        result = await probe(server)
        assert (result.ok, result.detail) == (True, "200 Word")
        assert server.methods() == [b"OPTIONS"]
        assert server.requests[0].target == b"*"
        assert result.reply.startswith(b"RTSP/1.0 200")


async def test_describe() -> None:
    async with ScriptedServer() as server:
        assert (await probe(server, path="/film")).ok
        assert server.requests[0].target == b"rtsp://127.0.0.1:%d/film" % server.port
        assert (await probe(server, path="/film", host="h.example")).ok
        assert server.requests[1].target == b"rtsp://h.example/film"


@pytest.mark.parametrize(
    ("said", "detail"),
    [
        (lambda request: reply(request, 404), "404 Word"),
        (lambda request: b"HTTP/1.1 200 OK\r\n\r\n", "no RTSP"),
        (lambda request: b"220 mx ESMTP\r\n\r\n", "no RTSP"),
    ],
)
async def test_bad_answers(said: object, detail: str) -> None:
    async with ScriptedServer() as server:
        server.says[b"OPTIONS"] = said  # type: ignore[assignment]
        result = await probe(server)
        assert not result.ok
        assert detail in result.detail


async def test_a_login_may_be_good_enough() -> None:
    async with ScriptedServer() as server:
        server.says[b"OPTIONS"] = lambda request: reply(request, 401)
        assert not (await probe(server)).ok
        assert (await probe(server, statuses=((200, 299), (401, 401)))).ok


async def test_a_server_that_closes() -> None:
    async with ScriptedServer() as server:

        def close(request: object) -> None:
            server.close_connections()

        server.says[b"OPTIONS"] = close
        assert (await probe(server)).detail == "closed without an answer"


async def test_a_server_that_is_silent() -> None:
    async with ScriptedServer() as server:
        server.says[b"OPTIONS"] = lambda request: None
        assert "no answer within" in (await probe(server, timeout_s=0.2)).detail


def test_a_unix_socket_has_a_name() -> None:
    check = CheckSpec(CheckKind.RTSP, path="/a")
    asked = question(Target((socket.AF_UNIX, "/run/x"), "unix:/run/x", check))
    assert asked.startswith(b"DESCRIBE rtsp://localhost/a RTSP/1.0\r\n")
