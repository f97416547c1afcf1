"""Bytes from one plain socket to another inside the kernel: splice through a pipe.

Used for large bodies and tunnels. One `Splice` serves one direction; it borrows a pipe only while
bytes are on their way, so thousands of quiet tunnels hold none. Knows no protocol.
"""

from __future__ import annotations

import fcntl
import os
from typing import Protocol

from l7lb.net.kernel import splice
from l7lb.net.stream import FULL, Pump, Stream

SPLICE_MIN = 65536
"""Shorter bodies are cheaper to copy."""
PIPE_BYTES = 1 << 20
FULL_PULL = PIPE_BYTES // 2
"""Fewer bytes than this in one call: there were no more."""
ROUND_BYTES = 4 << 20
"""One source moves at most this much before the others get their turn."""
IDLE_PIPES = 32


class PipePool:
    """Empty pipes to be used again. Each worker has one."""

    def __init__(self) -> None:
        self._idle: list[tuple[int, int]] = []

    def take(self) -> tuple[int, int]:
        """Raises OSError when the process has no descriptors left."""
        if self._idle:
            return self._idle.pop()
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except PermissionError:
            return reader, writer  # over the user's pipe quota: the default size works, slower
        return reader, writer

    def give(self, pipe: tuple[int, int]) -> None:
        if len(self._idle) < IDLE_PIPES:
            self._idle.append(pipe)
        else:
            discard(pipe)

    def close(self) -> None:
        while self._idle:
            discard(self._idle.pop())


def discard(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    os.close(pipe[1])


class RelayOwner(Protocol):
    def relay_moved(self, relay: Splice, count: int) -> None:
        """`count` more bytes have reached the target."""

    def relay_done(self, relay: Splice) -> None:
        """All bytes asked for have been moved, or (until EOF) the source has ended."""


class Splice(Pump):
    """Moves `left` bytes (-1: until EOF) from `source` to `target`. Both must be plain, and the
    target clear. It begins at the end of the round, and what the target was given in this round
    leaves with its first bytes: the peer is woken once for both."""

    def __init__(
        self, source: Stream, target: Stream, left: int, owner: RelayOwner, pipes: PipePool
    ) -> None:
        super().__init__()
        self.source = source
        self.target = target
        self.left = left
        self.owner = owner
        self._pipes = pipes
        self._pipe: tuple[int, int] | None = None
        self._inside = 0
        self._ended = False
        source.pump = self
        target.held_back = True
        target.poller.at_round_end(self)

    def round_ended(self) -> None:
        if self.source.pump is not self:
            return
        self.target.held_back = False
        if self.left >= 0 and not self.source.is_paused and not self.source.closed:
            self.readable(self.source)  # of a length that is known, something has most likely come
        self.target.flush()

    def readable(self, stream: Stream) -> None:
        if self._inside:
            return  # the target must take these first
        budget = ROUND_BYTES
        while budget > 0 and self.left != 0:
            count = self._pull()
            if count < 0:
                break
            budget -= count
            if not self._push():
                return
            if count < FULL_PULL:
                break  # the socket has been emptied: asking again would cost a call for nothing
        self._settle()

    def writable(self, stream: Stream) -> None:
        if self._push():
            self.target.want_writable(None)
            self.source.resume(FULL)
            self._settle()

    def stop(self) -> None:
        """Give everything back; bytes still in the pipe are lost with the connection."""
        if self.source.pump is self:
            self.source.pump = None
            self.target.held_back = False
            self.target.flush()
        if self.target.pump_out is self:
            self.target.want_writable(None)
        if self._pipe is not None:
            if self._inside:
                discard(self._pipe)
            else:
                self._pipes.give(self._pipe)
            self._pipe = None

    def _pull(self) -> int:
        """Bytes that are in the pipe now; -1 when there are none to be had."""
        if self._pipe is None:
            self._pipe = self._pipes.take()
        want = PIPE_BYTES if self.left < 0 else min(self.left, PIPE_BYTES)
        try:
            count = splice(self.source.fd, self._pipe[1], want)
        except OSError as error:
            self.stop()
            self.source.lose(error)
            return -1
        if count <= 0:
            self._ended = count == 0
            return -1
        self._inside = count
        if self.left > 0:
            self.left -= count
        return count

    def _push(self) -> bool:
        """True when the pipe is empty again."""
        assert self._pipe is not None
        self.target.flush(more=True)
        if not self.target.is_clear:
            self.source.pause(FULL)
            self.target.want_writable(self)
            return False
        while self._inside:
            try:
                count = splice(self._pipe[0], self.target.fd, self._inside)
            except OSError as error:
                self.stop()
                self.target.writing_failed(error)
                return False
            if count < 0:
                self.source.pause(FULL)
                self.target.want_writable(self)
                return False
            self._inside -= count
            self.owner.relay_moved(self, count)
        return True

    def _settle(self) -> None:
        """The pipe is empty: finish, or lend the pipe back until more comes."""
        if self.source.pump is not self:
            return
        if self._pipe is not None:
            self._pipes.give(self._pipe)
            self._pipe = None
        if self._ended:
            self.source.pump = None
            self.source.note_eof()
        elif self.left == 0:
            self.source.pump = None
            self.owner.relay_done(self)
