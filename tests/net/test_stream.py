"""One plain connection: what was said before it broke is heard, and nothing after it ended."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from l7lb.net.stream import FULL, HOLD
from support.tls_peers import Ends, Recorder, within

RESET = b"\1\0\0\0\0\0\0\0"


@pytest.fixture
async def ends() -> Iterator[Ends]:
    made = Ends(None)  # type: ignore[arg-type]  # no TLS here
    yield made
    made.close()


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    sock.close()


async def lost(recorder: Recorder) -> None:
    await within(recorder.lost)


async def test_bytes_both_ways_and_half_close(ends: Ends) -> None:
    stream, theirs, recorder = ends.pair()
    theirs.sendall(b"hello")
    theirs.shutdown(socket.SHUT_WR)
    await within(recorder.eof.wait())
    assert (bytes(recorder.data), stream.at_eof) == (b"hello", True)
    stream.write(b"answer")
    stream.write_eof()
    await lost(recorder)  # both sides have ended
    assert theirs.recv(100) == b"answer"
    assert theirs.recv(100) == b""


async def test_what_was_said_before_a_reset_is_heard_first(ends: Ends) -> None:
    """A write fails while the answer waits to be read."""
    stream, theirs, recorder = ends.pair()
    stream.pause(HOLD)
    theirs.sendall(b"early answer")
    reset(theirs)
    stream.resume(HOLD)
    stream.write(b"x" * 100_000)
    stream.write(b"x" * 100_000)
    await lost(recorder)
    assert bytes(recorder.data) == b"early answer"
    assert recorder.calls[-1] == "lost"


async def test_reset_while_paused_keeps_what_is_unread(ends: Ends) -> None:
    stream, theirs, recorder = ends.pair()
    stream.pause(FULL)
    theirs.sendall(b"the end")
    reset(theirs)
    other, peer, seen = ends.pair()
    peer.sendall(b"x")
    await seen.received(1)  # a round of the poller has passed
    assert recorder.calls == []
    stream.resume(FULL)
    await lost(recorder)
    assert bytes(recorder.data) == b"the end"
    assert "eof" not in recorder.calls
    other.close()


async def test_reset_while_paused_is_told_when_nothing_is_unread(ends: Ends) -> None:
    stream, theirs, recorder = ends.pair()
    stream.pause(FULL)
    reset(theirs)
    await lost(recorder)
    assert recorder.calls == ["lost"]


async def test_untaken_counts_what_the_kernel_holds(ends: Ends) -> None:
    stream, theirs, _ = ends.pair()
    stream.write(bytes(4_000_000))
    assert stream.queued < stream.untaken() <= 4_000_000
    theirs.setblocking(True)
    taken = 0
    while taken < 2_000_000:
        taken += len(theirs.recv(65536))
        await within(_round(ends))
    assert stream.untaken() <= 4_000_000 - taken + 65536
    stream.close()
    assert stream.untaken() == 0


async def _round(ends: Ends) -> None:
    other, peer, seen = ends.pair()
    peer.sendall(b"x")
    await seen.received(1)
    other.close()


async def test_nothing_is_told_after_close(ends: Ends) -> None:
    stream, theirs, recorder = ends.pair()
    theirs.sendall(b"hello")
    stream.close()
    await _round(ends)
    assert recorder.calls == []
    assert stream.closed
