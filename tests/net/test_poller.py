"""One epoll set for all sockets: who is called, in which order, and what a fault costs."""

import asyncio
import logging
import socket
from collections.abc import Iterator

import pytest

from l7lb.net.poller import READ, Poller


class Reader:
    """Reads one byte each time it is called."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.seen = b""
        self.called = asyncio.Event()
        self.fault: Exception | None = None

    def ready(self, events: int) -> None:
        self.called.set()
        if self.fault is not None:
            raise self.fault
        self.seen += self.sock.recv(1)


class Writer:
    def __init__(self) -> None:
        self.flushed = asyncio.Event()

    def flush(self) -> None:
        self.flushed.set()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    yield one, other
    one.close()
    other.close()


async def called(reader: Reader) -> None:
    await asyncio.wait_for(reader.called.wait(), 10)
    reader.called.clear()


async def test_who_is_watched_is_called(pair: tuple[socket.socket, socket.socket]) -> None:
    poller = Poller(asyncio.get_running_loop())
    reader = Reader(pair[1])
    poller.watch(pair[1].fileno(), reader, READ)
    pair[0].send(b"a")
    await called(reader)
    assert reader.seen == b"a"
    assert pair[1].fileno() in poller
    poller.forget(pair[1].fileno())
    assert pair[1].fileno() not in poller
    poller.close()


async def test_a_fault_costs_its_connection_and_no_other(
    pair: tuple[socket.socket, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    poller = Poller(asyncio.get_running_loop())
    faulty, sound = Reader(pair[1]), Reader(pair[0])
    faulty.fault = RuntimeError("ours")
    poller.watch(pair[1].fileno(), faulty, READ)
    poller.watch(pair[0].fileno(), sound, READ)
    with caplog.at_level(logging.ERROR):
        pair[0].send(b"a")
        await called(faulty)
    pair[1].send(b"b")
    await called(sound)
    assert sound.seen == b"b"
    assert pair[1].fileno() not in poller
    assert "fault of ours" in caplog.text
    poller.close()


async def test_what_is_written_outside_a_round_is_flushed_all_the_same() -> None:
    poller = Poller(asyncio.get_running_loop())
    writer = Writer()
    poller.flush_later(writer)
    assert not writer.flushed.is_set()
    await asyncio.wait_for(writer.flushed.wait(), 10)
    poller.close()


async def test_its_clock_moves_with_each_round(pair: tuple[socket.socket, socket.socket]) -> None:
    poller = Poller(asyncio.get_running_loop())
    before = poller.now_s
    reader = Reader(pair[1])
    poller.watch(pair[1].fileno(), reader, READ)
    pair[0].send(b"a")
    await called(reader)
    assert poller.now_s > before
    poller.close()
