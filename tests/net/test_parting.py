"""A server connection that nobody needs any more: kept until the server has ended its side."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from l7lb.net import engine
from l7lb.net.parting import DISCARD_BYTES
from l7lb.net.stream import FULL, ByteStream, Stream
from support.rig import Rig, cluster, pool, route, service


class Unused:
    """The handler before; it hears nothing any more."""

    def stream_data(self, stream: ByteStream, data: bytes) -> None:
        raise AssertionError(data)

    def stream_eof(self, stream: ByteStream) -> None:
        raise AssertionError("end")

    def stream_lost(self, stream: ByteStream, error: OSError) -> None:
        raise AssertionError(error)

    def stream_drained(self, stream: ByteStream) -> None:
        raise AssertionError("drained")


class Parted:
    """A stream of the engine's that parts, and its server's end."""

    def __init__(self, rig: Rig) -> None:
        ours, self.server = socket.socketpair()
        ours.setblocking(False)
        self.server.setblocking(False)
        self.stream = Stream(rig.engine.poller, ours, Unused())
        self.stream.write(b"last words")
        self.stream.pause(FULL)
        self.ends = 0
        rig.engine.part(self.stream, self.ended)

    def ended(self) -> None:
        self.ends += 1


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    async with Rig(cluster(service(route("web")), pool("web", 1))) as made:
        yield made


async def test_it_ends_with_the_server(rig: Rig) -> None:
    """Who hears that we have ended, and may go on for a while."""
    parted = Parted(rig)
    assert parted.server.recv(100) == b"last words"
    assert parted.server.recv(100) == b""
    parted.server.send(b"* BYE\r\n")
    parted.server.send(b"more")
    await rig.ask("/")
    assert (parted.ends, parted.stream.closed) == (0, False)
    parted.server.close()
    await rig.until(lambda: parted.ends)
    assert (parted.ends, parted.stream.closed) == (1, True)


async def test_a_server_that_says_more_than_anybody_reads_is_cut_off(rig: Rig) -> None:
    parted = Parted(rig)
    sent = 0
    while not parted.ends:
        with suppress(OSError):  # it is full, or closed
            sent += parted.server.send(b"x" * 65536)
        await asyncio.sleep(0.001)
    assert DISCARD_BYTES <= sent < 4 * DISCARD_BYTES
    assert parted.stream.closed
    parted.server.close()


async def test_a_server_that_does_not_end_is_cut_off(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(engine, "PARTING_S", 0.0)
        parted = Parted(rig)
    await rig.until(lambda: parted.ends)
    assert parted.stream.closed
    parted.server.close()


async def test_the_engine_waits_for_nobody() -> None:
    async with Rig(cluster(service(route("web")), pool("web", 1))) as rig:
        parted = Parted(rig)
    assert (parted.ends, parted.stream.closed) == (0, True)
    parted.server.close()
