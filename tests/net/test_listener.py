"""Where clients come in: limits, and a process without descriptors."""

import asyncio
import errno
import logging
import socket

import pytest

from l7lb.model_http import FixedReply
from l7lb.net import listener as listener_module
from support.rig import Rig, cluster, route, service

GET = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def answering(**more: object) -> object:
    return cluster(service(route(reply=FixedReply(200, (), b"hi")), **more))


async def test_every_client_is_served() -> None:
    async with Rig(answering()) as rig:  # type: ignore[arg-type]
        answers = await asyncio.gather(*(rig.talk(GET) for _ in range(20)))
        assert all(answer.endswith(b"hi") for answer in answers)


async def test_without_descriptors_accepting_pauses_and_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener_module, "PAUSE_S", 0.05)
    real = listener_module.accept
    failures = [OSError(errno.EMFILE, "Too many open files")]

    def scarce(sock: socket.socket) -> object:
        if failures:
            raise failures.pop()
        return real(sock)

    monkeypatch.setattr(listener_module, "accept", scarce)
    async with Rig(answering()) as rig:  # type: ignore[arg-type]
        with caplog.at_level(logging.ERROR):
            assert (await rig.talk(GET)).endswith(b"hi")
    assert not failures
    assert "no descriptors left" in caplog.text


async def test_a_client_over_the_limit_is_closed_and_counted() -> None:
    async with Rig(answering(max_connections=1)) as rig:  # type: ignore[arg-type]
        _, writer = await asyncio.open_connection("127.0.0.1", rig.port)
        await rig.until(lambda: len(rig.engine.drivers) == 1)
        assert await rig.talk(b"") == b""
        writer.close()
        await rig.until(lambda: not rig.engine.drivers)
        assert (await rig.talk(GET)).endswith(b"hi")
