"""A connected, non-blocking socket: bytes in by callback, bytes out at once or queued.

Owns the descriptor. Knows no protocol and no timeouts; whoever handles it bounds what it queues
by watching `queued` and pausing the other side (`net.driver`).
"""

from __future__ import annotations

import fcntl
import socket
import sys
import termios
from collections import deque
from typing import Protocol

from l7lb.net.kernel import is_silent, receive, transmit
from l7lb.net.poller import BROKEN, READ, WRITE, Pollable, Poller

READ_SIZE = 61440
"""Below 64 KiB, above which the C library tidies its heap at every release."""
PROMPT_SIZE = 32768
"""What is written in one piece of this size is not held back for the end of the round."""

HEAD_READ_SIZE = 16384
"""While the head of an answer is due: what is not read with it can still be spliced."""

HOLD = 1
"""Pause reason: the session wants no bytes now."""
FULL = 2
"""Pause reason: the other side does not keep up."""


class ByteStream(Protocol):
    """What `Stream` and `net.tls.TlsStream` have in common."""

    can_splice: bool
    fd: int
    handler: StreamHandler
    queued: int
    """Bytes written by us that the kernel has not taken yet."""
    read_size: int
    closed: bool
    at_eof: bool

    def pause(self, reason: int) -> None: ...
    def resume(self, reason: int) -> None: ...
    def write(self, data: bytes) -> None: ...
    def flush(self) -> None: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...
    def untaken(self) -> int: ...
    def is_quiet(self) -> bool:
        """Neither bytes nor an end wait on this connection (one system call)."""


class StreamHandler(Protocol):
    """Whoever uses a stream. After `stream_lost` no further call comes."""

    def stream_data(self, stream: ByteStream, data: bytes) -> None: ...

    def stream_eof(self, stream: ByteStream) -> None:
        """The peer will send no more; writing may still work."""

    def stream_lost(self, stream: ByteStream, error: OSError) -> None:
        """The connection broke; the stream is closed already."""

    def stream_drained(self, stream: ByteStream) -> None:
        """All that was queued has gone to the kernel."""


class Pump(Pollable):
    """Takes over a stream's readiness while bytes move in the kernel (`net.relay`)."""

    def readable(self, stream: Stream) -> None:
        raise NotImplementedError

    def writable(self, stream: Stream) -> None:
        raise NotImplementedError


class Stream(Pollable):
    """Plain TCP or unix stream. `net.tls.TlsStream` has the same interface."""

    can_splice = True

    def __init__(self, poller: Poller, sock: socket.socket, handler: StreamHandler) -> None:
        super().__init__()
        self.poller = poller
        self.sock = sock
        self.fd = sock.fileno()
        self.handler = handler
        self.queued = 0
        self.read_size = READ_SIZE
        """Bytes that are read in one go."""
        self.held_back = False
        """Whoever splices to this stream sends what was written in this round along."""
        self.closed = False
        self.at_eof = False
        self.pump: Pump | None = None
        self.pump_out: Pump | None = None
        self._unsent = b""
        """Written in this round of the poller."""
        self._queue: deque[memoryview] | None = None
        """What the kernel did not take."""
        self._paused = 0
        self._events = READ
        self._finish = False
        self._error: OSError | None = None
        """What broke the connection, while bytes that came before are still to be read."""
        poller.watch(self.fd, self, READ)

    # ------------------------------------------------------------------ reading

    def pause(self, reason: int) -> None:
        """Read no more until `resume` was called for every reason given."""
        self._paused |= reason
        self._interest()

    def resume(self, reason: int) -> None:
        if self._paused:
            self._paused &= ~reason
            self._interest()

    @property
    def is_clear(self) -> bool:
        """Nothing waits but what was written in this round."""
        return self._queue is None

    @property
    def is_paused(self) -> bool:
        return self._paused != 0

    def is_quiet(self) -> bool:
        return is_silent(self.fd)

    def ready(self, events: int) -> None:
        if events & WRITE:
            self._writable()
        if events & ~WRITE:
            self._readable(events)

    def _readable(self, events: int) -> None:
        if self.closed:
            return
        if self._paused == 0 and not self.at_eof:
            pump = self.pump  # it may end within its own call, and must outlive that
            if pump is not None:
                pump.readable(self)
            else:
                self._read()
        elif events & BROKEN:
            self._broken()

    def _read(self) -> None:
        try:
            data = receive(self.fd, self.read_size)
        except OSError as error:
            self.lose(error)
            return
        if data:
            self.handler.stream_data(self, data)
        elif data is not None:
            self.note_eof()

    def note_eof(self) -> None:
        """The peer has ended its side (also called by the pump)."""
        if self._error is not None:
            self.lose(self._error)
            return
        self.at_eof = True
        self._interest()
        self.handler.stream_eof(self)

    def _broken(self) -> None:
        """Error or hang-up while nobody reads: epoll would repeat it without end."""
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if self.at_eof or (code and not self._has_unread()):
            self.lose(OSError(code, "connection broken"))
            return
        if code:
            self._error = OSError(code, "connection broken")
            self._finish = True
            self._queue = None
            self.queued = 0
        self._events = 0
        self.poller.forget(self.fd)

    def _has_unread(self) -> bool:
        try:
            return bool(self.sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
        except OSError:
            return False

    # ------------------------------------------------------------------ writing

    def write(self, data: bytes) -> None:
        """Send at the end of this round what the kernel takes, and queue the rest. On a lost
        stream the bytes vanish."""
        if self.closed or self._finish or not data:
            return
        self.queued += len(data)
        if self._queue is not None:
            self._queue.append(memoryview(data))
        elif self._unsent:
            self._unsent += data
            if self.queued > PROMPT_SIZE:
                self.flush()
        elif len(data) > PROMPT_SIZE:
            self._send(data, False)
        else:
            self._unsent = data
            self.poller.at_round_end(self)

    def round_ended(self) -> None:
        if not self.held_back:
            self.flush()

    def flush(self, more: bool = False) -> None:
        """Do not wait for the end of the round. `more`: spliced bytes follow at once."""
        data = self._unsent
        if data:
            self._unsent = b""
            self._send(data, more)

    def _send(self, data: bytes, more: bool) -> None:
        if self.closed:
            return
        try:
            sent = transmit(self.fd, data, more)
        except OSError as error:
            self._lose_soon(error)
            return
        self.queued -= sent
        if sent < len(data):
            self._queue = deque((memoryview(data)[sent:],))
            self._interest()

    def untaken(self) -> int:
        """Bytes written that the peer has not acknowledged, the kernel's share among them."""
        if self.closed:
            return 0
        in_kernel = fcntl.ioctl(self.fd, termios.TIOCOUTQ, b"\0\0\0\0")
        return self.queued + int.from_bytes(in_kernel, sys.byteorder)

    def want_writable(self, pump: Pump | None) -> None:
        """The pump asks to be called when the kernel takes bytes again (None: no more)."""
        self.pump_out = pump
        self._interest()

    def _writable(self) -> None:
        if self.closed:
            return
        if self._queue is not None:
            self._flush()
            return
        pump = self.pump_out
        if pump is not None:
            pump.writable(self)

    def _flush(self) -> None:
        queue = self._queue
        while queue:
            try:
                sent = self.sock.sendmsg(list(queue)[:64])
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self.writing_failed(error)
                return
            self.queued -= sent
            while queue and sent >= len(queue[0]):
                sent -= len(queue.popleft())
            if sent:
                queue[0] = queue[0][sent:]
        self._queue = None
        self._interest()
        if self._finish:
            self._shut()
        self.handler.stream_drained(self)

    def write_eof(self) -> None:
        """End our side after all that is queued; reading goes on."""
        if not self._finish:
            self.flush()
            self._finish = True
            if self._queue is None:
                self._shut()

    def _shut(self) -> None:
        if not self.closed:
            try:
                self.sock.shutdown(socket.SHUT_WR)
            except OSError as error:
                self._lose_soon(error)

    # ------------------------------------------------------------------ ending

    def _lose_soon(self, error: OSError) -> None:
        """A write failed inside the handler's own call: tell it after that call has returned."""
        self._finish = True
        self.poller.loop.call_soon(self.writing_failed, error)

    def writing_failed(self, error: OSError) -> None:
        """Lost, but first comes what the peer had said: a server may answer and close before it
        has taken the whole request (RFC 9112 §9.5)."""
        self._finish = True
        while self._paused == 0 and not self.at_eof and not self.closed and not self.is_quiet():
            pump = self.pump
            if pump is not None:
                pump.readable(self)
            else:
                self._read()
        self.lose(error)

    def lose(self, error: OSError) -> None:
        if not self.closed:
            self.close()
            self.handler.stream_lost(self, error)

    def close(self) -> None:
        """Close at once; what the kernel does not take now is dropped. No callback follows."""
        if not self.closed:
            self.flush()
            self.closed = True
            self.poller.closing(self.fd)
            self.sock.close()
            self._queue = None

    def abort(self) -> None:
        """Close so that the peer sees a reset, not a clean end."""
        if not self.closed:
            self._unsent = b""
            if self.sock.family != socket.AF_UNIX:
                self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.close()

    # ------------------------------------------------------------------ interest

    def _interest(self) -> None:
        if self.closed:
            return
        events = 0
        if self._paused == 0 and not self.at_eof:
            events = READ
        if self._queue is not None or self.pump_out is not None:
            events |= WRITE
        if events != self._events:
            if self._events == 0 and self.fd not in self.poller:
                self.poller.watch(self.fd, self, events)
            else:
                self.poller.change(self.fd, events)
            self._events = events
