"""The relay's client in an event loop: verbs, refusals, deadlines, news, and a relay that dies."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path

import pytest
import uvloop

from l7lb.errors import RelayAway, RelayRefused
from l7lb.media.relay import client as client_module
from l7lb.media.relay import wire
from l7lb.media.relay.client import RelayClient
from l7lb.media.relay.process import listening_socket
from l7lb.media.relay.spec import RelaySpec
from l7lb.media.relay.verbs import Close, Counters, Event, Hear, News, Open, Peers, Touch
from support.datagrams import WAIT_S, own_host, port_of, udp
from support.relay_rig import SPEC, running_relay

HERE = "127.0.0.1"
OPEN = Open(HERE, HERE, own_host(5), own_host(6))
Scene = Callable[[], Coroutine[None, None, None]]

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def play(request: pytest.FixtureRequest) -> Callable[[Scene], None]:
    """Runs a scene in each kind of loop."""

    def run(scene: Scene) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(asyncio.wait_for(scene(), 2 * WAIT_S))

    return run


@contextlib.asynccontextmanager
async def started(
    path: Path, hear: Callable[[News], None] | None = None, deadline_s: float = WAIT_S
) -> AsyncIterator[RelayClient]:
    client = RelayClient(path, hear, deadline_s)
    client.start()
    try:
        yield client
    finally:
        await client.close()


def test_each_verb(tmp_path: Path, play: Callable[[Scene], None]) -> None:
    path = tmp_path / "relay"

    async def scene() -> None:
        async with started(path) as client:
            opened = await client.open(OPEN)
            await client.peers(Peers(opened.session, 0, (5000, 5001), alias="m1/1"))
            await client.touch(Touch("m1/1"))
            assert (await client.counters(Counters()))["sessions"] == 1
            assert (await client.end(Close("m1/1")))["session"] == opened.session
            with pytest.raises(RelayRefused) as caught:
                await client.touch(Touch("m1/1"))
            assert (caught.value.code, caught.value.status) == ("no-session", 454)

    with running_relay(path):
        play(scene)


def test_no_ports_is_rtsps_453(tmp_path: Path, play: Callable[[Scene], None]) -> None:
    path = tmp_path / "relay"
    same = replace(OPEN, server_local=OPEN.client_local)

    async def scene() -> None:
        async with started(path) as client:
            await client.open(same)
            with pytest.raises(RelayRefused, match="pairs in use") as caught:
                await client.open(same)
            assert (caught.value.code, caught.value.status) == ("no-ports", 453)

    with running_relay(path, RelaySpec(28000, 28003)):
        play(scene)


def test_many_requests_at_once_are_answered_each(
    tmp_path: Path, play: Callable[[Scene], None]
) -> None:
    path = tmp_path / "relay"

    async def scene() -> None:
        async with started(path) as client:
            found = await asyncio.gather(*(client.open(OPEN) for _ in range(300)))
            assert len({opened.session for opened in found}) == 300
            assert (await client.counters(Counters()))["sessions"] == 300

    with running_relay(path):
        play(scene)


def test_what_the_kernel_has_no_room_for_waits_and_is_sent_in_order(
    tmp_path: Path, play: Callable[[Scene], None]
) -> None:
    """The other end reads nothing until thousands of requests wait."""
    path, count = tmp_path / "relay", 3000

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        with listening_socket(path) as listener:
            listener.settimeout(WAIT_S)
            async with started(path) as client:
                sock, _ = await loop.run_in_executor(None, listener.accept)
                asked = [asyncio.create_task(client.touch(Touch(f"{n}"))) for n in range(count)]
                await asyncio.sleep(0)

                def serve() -> list[str]:
                    found = []
                    for _ in range(count):
                        number, request = wire.decode_request(sock.recv(wire.REQUEST_BYTES))
                        assert isinstance(request, Touch)
                        found.append(request.session)
                        sock.send(wire.encode_reply(number, {}))
                    return found

                names = await loop.run_in_executor(None, serve)
                assert names == [str(number) for number in range(count)]
                await asyncio.gather(*asked)
                sock.close()

    play(scene)


def test_news_are_heard(tmp_path: Path, play: Callable[[Scene], None]) -> None:
    path = tmp_path / "relay"

    async def scene() -> None:
        news: asyncio.Queue[News] = asyncio.Queue()
        async with started(path, news.put_nowait) as client:
            opened = await client.open(OPEN)
            with udp() as player:
                player.sendto(b"punch", (OPEN.client_local, opened.client_ports[0]))
                found = await news.get()
                assert (found.event, found.port) == (Event.LATCHED, port_of(player))

    with running_relay(path):
        play(scene)


def test_nobody_there_is_a_deadline(tmp_path: Path, play: Callable[[Scene], None]) -> None:
    async def scene() -> None:
        async with started(tmp_path / "nobody", deadline_s=0.2) as client:
            with pytest.raises(RelayAway, match="no answer in"):
                await client.touch(Touch("a"))

    play(scene)


def test_one_that_does_not_answer_is_a_deadline(
    tmp_path: Path, play: Callable[[Scene], None]
) -> None:
    async def scene() -> None:
        async with started(tmp_path / "relay", deadline_s=0.5) as client:
            with pytest.raises(RelayAway, match="no answer in"):
                await client.counters(Counters())

    with listening_socket(tmp_path / "relay"):
        play(scene)


def test_a_relay_that_ends_fails_what_waits_and_is_found_again(
    tmp_path: Path, play: Callable[[Scene], None]
) -> None:
    path = tmp_path / "relay"

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        with listening_socket(path) as listener:
            listener.settimeout(WAIT_S)
            async with started(path) as client:
                sock, _ = await loop.run_in_executor(None, listener.accept)
                waiting = asyncio.create_task(client.touch(Touch("a")))
                await loop.run_in_executor(None, sock.recv, wire.REQUEST_BYTES)
                sock.close()
                with pytest.raises(RelayAway, match="is gone"):
                    await waiting
                sock, _ = await loop.run_in_executor(None, listener.accept)
                waiting = asyncio.create_task(client.touch(Touch("b")))
                data = await loop.run_in_executor(None, sock.recv, wire.REQUEST_BYTES)
                number, request = wire.decode_request(data)
                assert request == Touch("b")
                sock.send(wire.encode_reply(number, {}))
                await waiting
                sock.close()

    play(scene)


def test_nonsense_ends_the_connection_and_not_the_client(
    tmp_path: Path, play: Callable[[Scene], None]
) -> None:
    path = tmp_path / "relay"

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        with listening_socket(path) as listener:
            listener.settimeout(WAIT_S)
            async with started(path, lambda _: None):
                for _ in range(2):
                    sock, _ = await loop.run_in_executor(None, listener.accept)
                    data = await loop.run_in_executor(None, sock.recv, wire.REQUEST_BYTES)
                    assert wire.decode_request(data) == (0, Hear())
                    sock.send(b"nonsense")
                    assert await loop.run_in_executor(None, sock.recv, 10) == b""
                    sock.close()

    play(scene)


def test_an_answer_that_nobody_waits_for_is_let_go(
    tmp_path: Path, play: Callable[[Scene], None]
) -> None:
    path = tmp_path / "relay"

    async def scene() -> None:
        async with started(path, deadline_s=WAIT_S) as client:
            await client.connected.wait()
            task = asyncio.create_task(client.open(OPEN))
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert "sessions" in await client.counters(Counters())

    with running_relay(path, SPEC):
        play(scene)


def test_an_opened_stream_without_ports_is_no_answer(
    tmp_path: Path, play: Callable[[Scene], None]
) -> None:
    path = tmp_path / "relay"

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        with listening_socket(path) as listener:
            listener.settimeout(WAIT_S)
            async with started(path) as client:
                sock, _ = await loop.run_in_executor(None, listener.accept)
                waiting = asyncio.create_task(client.open(OPEN))
                data = await loop.run_in_executor(None, sock.recv, wire.REQUEST_BYTES)
                sock.send(wire.encode_reply(wire.decode_request(data)[0], {}))
                with pytest.raises(RelayAway, match="opened"):
                    await waiting
                sock.close()

    play(scene)


def test_requests_without_an_answer_are_bounded(
    tmp_path: Path, play: Callable[[Scene], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "WAITING", 1)
    path = tmp_path / "relay"

    async def scene() -> None:
        with listening_socket(path):
            async with started(path, deadline_s=WAIT_S) as client:
                first = asyncio.create_task(client.touch(Touch("a")))
                await client.connected.wait()
                await asyncio.sleep(0)
                with pytest.raises(RelayAway, match="1 requests wait"):
                    await client.touch(Touch("b"))
                first.cancel()
                await asyncio.gather(first, return_exceptions=True)

    play(scene)


def test_a_stranger_who_listens_is_not_believed(
    tmp_path: Path, play: Callable[[Scene], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[socket.socket] = []

    def not_ours(sock: socket.socket) -> bool:
        seen.append(sock)
        return False

    monkeypatch.setattr(client_module, "is_ours", not_ours)

    async def scene() -> None:
        async with started(tmp_path / "relay", deadline_s=0.3) as client:
            with pytest.raises(RelayAway):
                await client.touch(Touch("a"))
        assert seen

    with listening_socket(tmp_path / "relay"):
        play(scene)
