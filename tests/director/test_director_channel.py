"""Messages and descriptors over a socketpair."""

import asyncio
import os
import pickle
import socket
import struct
from pathlib import Path

import pytest

from l7lb.director.channel import FDS_LIMIT, FRAME_LIMIT_BYTES, Channel, ChannelFull


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


class End:
    """One end with all that it got."""

    def __init__(self, sock: socket.socket) -> None:
        self.got: list[object] = []
        self.news = asyncio.Event()
        self.fds: list[int] = []
        self.lost = asyncio.Event()
        self.channel = Channel(sock, asyncio.get_running_loop(), self._message, self.lost.set)

    def _message(self, message: object, fds: list[int]) -> None:
        self.got.append(message)
        self.news.set()
        self.fds.extend(fds)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.got) < count:
                self.news.clear()
                await self.news.wait()


def pair() -> tuple[End, End]:
    one, two = socket.socketpair()
    return End(one), End(two)


async def test_messages_come_in_order_both_ways() -> None:
    one, two = pair()
    for number in range(500):
        one.channel.send(number)
        two.channel.send(str(number))
    await one.until(500)
    await two.until(500)
    assert two.got == list(range(500))
    assert one.got == [str(number) for number in range(500)]
    one.channel.close()
    two.channel.close()


async def test_large_messages_pass_while_the_loop_goes_on() -> None:
    one, two = pair()
    large = os.urandom(20 << 20)
    one.channel.send(large)
    one.channel.send("after")
    await two.until(2)
    assert two.got == [large, "after"]
    await one.channel.sent()
    one.channel.close()
    two.channel.close()


async def test_descriptors_arrive_with_their_message_and_may_be_closed_at_once() -> None:
    one, two = pair()
    for number in range(40):
        reader, writer = os.pipe()
        os.write(writer, b"%d" % number)
        one.channel.send(number, [reader])
        os.close(reader)
        os.close(writer)
        one.channel.send("x" * (number * 5000))
    await two.until(80)
    assert [os.read(fd, 10) for fd in two.fds] == [b"%d" % number for number in range(40)]
    assert not any(os.get_inheritable(fd) for fd in two.fds)
    for fd in two.fds:
        os.close(fd)
    one.channel.close()
    two.channel.close()


async def test_an_end_that_closes_is_noticed() -> None:
    one, two = pair()
    one.channel.send("last")
    one.channel.close()
    async with asyncio.timeout(20):
        await two.lost.wait()
    assert two.got == ["last"]
    assert two.channel.closed
    assert not one.lost.is_set()
    two.channel.send("into the void")


async def test_a_reader_that_stopped_fills_the_queue_up_to_its_limit() -> None:
    ours, theirs = socket.socketpair()
    end = End(ours)
    end.channel.queue_limit_bytes = 1 << 20
    before = open_descriptors()

    def fill() -> None:
        for _ in range(10_000):
            end.channel.send(b"x" * 1000, [theirs.fileno()])

    with pytest.raises(ChannelFull):
        fill()
    assert open_descriptors() > before
    end.channel.close()
    theirs.close()
    assert open_descriptors() == before - 2


async def test_messages_that_are_too_large_are_refused_here() -> None:
    one, two = pair()
    with pytest.raises(ValueError, match="descriptors"):
        one.channel.send("x", [0] * (FDS_LIMIT + 1))
    one.channel.close()
    two.channel.close()


@pytest.mark.parametrize(
    "frame",
    [
        struct.pack("!IB", FRAME_LIMIT_BYTES + 1, 0),
        struct.pack("!IB", 10, FDS_LIMIT + 1),
        struct.pack("!IB", 4, 1) + pickle.dumps(1)[:4],
    ],
    ids=["too long", "too many descriptors", "descriptor missing"],
)
async def test_nonsense_ends_the_channel(frame: bytes) -> None:
    ours, theirs = socket.socketpair()
    end = End(ours)
    theirs.sendall(frame)
    async with asyncio.timeout(20):
        await end.lost.wait()
    assert end.got == []
    theirs.close()


async def test_a_frame_byte_by_byte() -> None:
    ours, theirs = socket.socketpair()
    end = End(ours)
    body = pickle.dumps({"a": 1})
    for byte in struct.pack("!IB", len(body), 0) + body:
        theirs.sendall(bytes([byte]))
        await asyncio.sleep(0)
    await end.until(1)
    assert end.got == [{"a": 1}]
    end.channel.close()
    theirs.close()


async def test_a_handler_may_close_the_channel() -> None:
    one, two = pair()
    closed = asyncio.Event()

    def close(message: object, fds: list[int]) -> None:
        assert message == 1
        two.channel.close()
        closed.set()

    two.channel._on_message = close
    one.channel.send(1)
    one.channel.send(2)
    async with asyncio.timeout(20):
        await closed.wait()
        await one.lost.wait()
