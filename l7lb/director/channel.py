"""Messages with file descriptors over a socketpair, for an event loop.

Owns one end of the pair. Must not know what the messages mean. A frame is a head (length of the
body, number of descriptors) and a pickled body: both ends are processes of ours, joined by a
socketpair that nobody else can open. The kernel keeps descriptors in the order of the bytes that
they came with (unix(7)), so those of a frame are there when the frame is complete.
"""

from __future__ import annotations

import array
import asyncio
import os
import pickle
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence

Handler = Callable[[object, list[int]], None]
"""Takes a message and its descriptors, which it owns from then on."""

FRAME_LIMIT_BYTES = 256 << 20
QUEUE_LIMIT_BYTES = 512 << 20
FDS_LIMIT = 16
"""Descriptors with one message; the kernel's own limit is 253."""

_HEAD = struct.Struct("!IB")
_READ_SIZE = 1 << 18
_INT_SIZE = array.array("i").itemsize


class ChannelFull(Exception):
    """The other end has not read for so long that too much waits."""


class Channel:
    """One end. `on_message` gets each message in order; `on_close` is called once, at the end.

    `on_close` is called when the other end is gone or spoke nonsense, not after our own `close`.
    """

    def __init__(
        self,
        sock: socket.socket,
        loop: asyncio.AbstractEventLoop,
        on_message: Handler,
        on_close: Callable[[], None],
    ) -> None:
        sock.setblocking(False)
        self.queue_limit_bytes = QUEUE_LIMIT_BYTES
        self._sock = sock
        self._loop = loop
        self._on_message = on_message
        self._on_close = on_close
        self._received = bytearray()
        self._received_fds: deque[int] = deque()
        self._waiting: deque[tuple[memoryview, list[int]]] = deque()
        self._waiting_bytes = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self.closed = False
        loop.add_reader(sock.fileno(), self._readable)

    # ------------------------------------------------------------------ out

    def send(self, message: object, fds: Sequence[int] = ()) -> None:
        """Send or queue. The descriptors are duplicated: the caller may close its own at once.

        Raises ChannelFull; on a closed channel nothing happens.
        """
        if self.closed:
            return
        body = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        if len(body) > FRAME_LIMIT_BYTES or len(fds) > FDS_LIMIT:
            raise ValueError(f"a message of {len(body)} bytes and {len(fds)} descriptors")
        if self._waiting_bytes + len(body) > self.queue_limit_bytes:
            raise ChannelFull(f"{self._waiting_bytes} bytes wait")
        frame = memoryview(_HEAD.pack(len(body), len(fds)) + body)
        self._waiting.append((frame, [os.dup(fd) for fd in fds]))
        self._waiting_bytes += len(frame)
        if len(self._waiting) == 1:
            self._writable()

    async def sent(self) -> None:
        """Wait until all messages have gone to the kernel, or the channel is closed."""
        await self._idle.wait()

    def _writable(self) -> None:
        while self._waiting and not self.closed:
            frame, fds = self._waiting[0]
            try:
                count = self._sendmsg(frame, fds)
            except (BlockingIOError, InterruptedError):
                if self._idle.is_set():
                    self._idle.clear()
                    self._loop.add_writer(self._sock.fileno(), self._writable)
                return
            except OSError:
                self._lost()
                return
            _close_all(fds)
            self._waiting_bytes -= count
            if count < len(frame):
                self._waiting[0] = (frame[count:], [])
            else:
                self._waiting.popleft()
        if not self._idle.is_set():
            self._idle.set()
            self._loop.remove_writer(self._sock.fileno())

    def _sendmsg(self, frame: memoryview, fds: list[int]) -> int:
        if not fds:
            return self._sock.send(frame)
        return socket.send_fds(self._sock, [frame], fds)

    # ------------------------------------------------------------------ in

    def _readable(self) -> None:
        space = socket.CMSG_SPACE(FDS_LIMIT * _INT_SIZE)
        try:
            data, ancillary, flags, _ = self._sock.recvmsg(
                _READ_SIZE, space, socket.MSG_CMSG_CLOEXEC
            )
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._lost()
            return
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                self._received_fds.extend(_fds(payload))
        if not data or flags & socket.MSG_CTRUNC:
            self._lost()
            return
        self._received += data
        self._deliver()

    def _deliver(self) -> None:
        start = 0
        while not self.closed and len(self._received) - start >= _HEAD.size:
            length, count = _HEAD.unpack_from(self._received, start)
            if length > FRAME_LIMIT_BYTES or count > FDS_LIMIT:
                self._lost()
                return
            end = start + _HEAD.size + length
            if len(self._received) < end:
                break
            body = bytes(self._received[start + _HEAD.size : end])
            start = end
            if len(self._received_fds) < count:
                self._lost()
                return
            fds = [self._received_fds.popleft() for _ in range(count)]
            self._on_message(pickle.loads(body), fds)  # noqa: S301 - see the module's docstring
        del self._received[:start]

    # ------------------------------------------------------------------ end

    def _lost(self) -> None:
        if not self.closed:
            self.close()
            self._on_close()

    def close(self) -> None:
        """Let go of the socket and of every descriptor in flight."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._sock.fileno())
        if not self._idle.is_set():
            self._loop.remove_writer(self._sock.fileno())
        self._sock.close()
        for _, fds in self._waiting:
            _close_all(fds)
        self._waiting.clear()
        _close_all(list(self._received_fds))
        self._received_fds.clear()
        self._idle.set()


def _fds(payload: bytes) -> array.array[int]:
    fds = array.array("i")
    fds.frombytes(payload[: len(payload) - len(payload) % _INT_SIZE])
    return fds


def _close_all(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
