"""Client and office over a real socket, with an answerer of the test's own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from l7lb.errors import MediaAway, MediaRefused
from l7lb.media.kernel import client, office, wire
from l7lb.media.kernel.client import MediaKernel
from l7lb.media.kernel.office import Office
from l7lb.media.kernel.spec import BadWant, Want
from l7lb.media.kernel.verbs import Answered

ADDRESS = ip_address("192.0.2.1")
WAIT_S = 30.0


async def echo(verb: object, parameters: Mapping[str, Any]) -> Answered:
    if verb == "clean":
        raise BadWant("not now")
    if verb == "transparent_socket":
        return Answered({}, socket.socket())
    return Answered({"verb": verb, **parameters})


@asynccontextmanager
async def joined(
    folder: Path,
    answer: Callable[[object, Mapping[str, Any]], Awaitable[Answered]] = echo,
    deadline_s: float = WAIT_S,
) -> AsyncIterator[tuple[MediaKernel, Office]]:
    serving = Office(folder / "s", answer, ())
    serving.open()
    asking = MediaKernel(folder / "s", deadline_s)
    try:
        yield asking, serving
    finally:
        asking.close()
        await serving.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_answers_find_their_questions(tmp_path: Path) -> None:
    async with joined(tmp_path) as (asking, _):
        paths = [{"client": f"10.0.0.{number}"} for number in range(200)]
        found = await asyncio.gather(*(asking.unlatch(path) for path in paths))
        assert [each["client"] for each in found] == [path["client"] for path in paths]


async def test_refusals_and_wants(tmp_path: Path) -> None:
    async with joined(tmp_path) as (asking, _):
        with pytest.raises(MediaRefused, match="not now"):
            await asking.clean()
        assert await asking.want(Want()) == {"verb": "want", "services": []}
        assert (await asking.latch({"client": "x"}, 5))["timeout_s"] == 5
        assert (await asking.flows(ADDRESS))["client"] == str(ADDRESS)
        assert await asking.probe(("a", "b")) == {"verb": "probe", "service": "a", "server": "b"}
        assert (await asking.probe(("a", "b"), 7, "x"))["agent"] == 7


async def test_a_socket_comes_whole_and_nothing_leaks(tmp_path: Path) -> None:
    async with joined(tmp_path) as (asking, _):
        await asking.hello()
        before = descriptors()
        for _ in range(20):
            with await asking.transparent_socket(ADDRESS) as sock:
                assert sock.type == socket.SOCK_STREAM
        assert descriptors() == before


async def test_nobody_there_and_then_somebody(tmp_path: Path) -> None:
    asking = MediaKernel(tmp_path / "s")
    with pytest.raises(MediaAway):
        await asking.hello()
    for _ in range(2):
        serving = Office(tmp_path / "s", echo, ())
        serving.open()
        assert await asking.hello() == {"verb": "hello"}
        await serving.close()
        with pytest.raises(MediaAway):
            await asking.hello()
    asking.close()


async def test_a_question_has_a_deadline_and_late_sockets_are_closed(tmp_path: Path) -> None:
    go_on, answered = asyncio.Event(), asyncio.Event()

    async def slow(verb: object, parameters: Mapping[str, Any]) -> Answered:
        if verb == "transparent_socket":
            await go_on.wait()
            answered.set()
            return Answered({}, socket.socket())
        return Answered({})

    async with joined(tmp_path, slow, 0.2) as (asking, _):
        await asking.hello()
        before = descriptors()
        with pytest.raises(MediaAway, match="in time"):
            await asking.transparent_socket(ADDRESS)
        go_on.set()
        await answered.wait()
        await asking.hello()
        assert descriptors() == before


async def test_all_who_wait_hear_of_the_end(tmp_path: Path) -> None:
    arrived = asyncio.Event()

    async def never(verb: object, parameters: Mapping[str, Any]) -> Answered:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError

    async with joined(tmp_path, never) as (asking, serving):
        waiting = [asyncio.create_task(asking.hello()) for _ in range(3)]
        await arrived.wait()
        await serving.close()
        for task in waiting:
            with pytest.raises(MediaAway):
                await task


async def test_too_many_questions_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "WAITING_LIMIT", 0)
    async with joined(tmp_path) as (asking, _):
        with pytest.raises(MediaAway, match="too many"):
            await asking.hello()


async def test_what_is_too_long_is_refused_on_both_sides(tmp_path: Path) -> None:
    async def long(verb: object, parameters: Mapping[str, Any]) -> Answered:
        return Answered({"x": "x" * wire.LIMIT_BYTES})

    async with joined(tmp_path, long) as (asking, _):
        with pytest.raises(MediaRefused, match="more than"):
            await asking.unlatch({"x": "x" * wire.LIMIT_BYTES})
        with pytest.raises(MediaRefused, match="more than"):
            await asking.hello()


async def test_nonsense_ends_that_connection_only(tmp_path: Path) -> None:
    async with joined(tmp_path) as (asking, _):
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as rude:
            rude.setblocking(False)
            rude.connect(str(tmp_path / "s"))
            await loop.sock_sendall(rude, b"not json")
            assert await asyncio.wait_for(loop.sock_recv(rude, 10), WAIT_S) == b""
        assert await asking.hello() == {"verb": "hello"}


async def test_connections_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(office, "CONNECTIONS_LIMIT", 1)
    async with joined(tmp_path) as (asking, _):
        await asking.hello()
        second = MediaKernel(tmp_path / "s", WAIT_S)
        with pytest.raises(MediaAway):
            await second.hello()
        assert await asking.hello() == {"verb": "hello"}


async def test_strange_users_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with joined(tmp_path) as (asking, serving):
        monkeypatch.setattr(serving, "_users", {4_000_000})
        with pytest.raises(MediaAway):
            await asking.hello()


async def test_two_offices_do_not_share_a_path(tmp_path: Path) -> None:
    async with joined(tmp_path) as (asking, _):
        with pytest.raises(FileExistsError):
            Office(tmp_path / "s", echo, ()).open()
        assert await asking.hello() == {"verb": "hello"}
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o600
