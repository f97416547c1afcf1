"""The access log: one line for each request, written by a thread so that no session waits.

Owns the buffer, the queue, the thread and the file. Must not know what a session is.
Lines are formatted as they come: a thread that formatted them would fight the loop for the
interpreter's lock at every system call of the loop, which costs four times the formatting.
A full queue drops lines and counts them. Bytes from the network are escaped: a line stays one line.
"""

from __future__ import annotations

import contextlib
import logging
import os
import select
import stat
import threading
from collections import deque

from l7lb.model import AccessLog as AccessLogSpec
from l7lb.model import LogFormat
from l7lb.net.line_buffer import LineBuffer
from l7lb.net.log_lines import Record, write_combined, write_json

CHUNK_BYTES = 65536
"""What is handed to the flusher before its time."""
LIMIT = 512
"""Chunks that wait at most: 32 MiB."""
CLOSE_S = 2.0
CLOSED = -1

_log = logging.getLogger(__name__)


class AccessLog:
    """`record` and `tick` are for the loop's thread; the rest of the work is the flusher's.

    Raises OSError when the file cannot be opened at first. Later trouble (a full disk, a reader
    that has gone) costs lines, which are counted, and one message in the error log.
    """

    def __init__(self, spec: AccessLogSpec) -> None:
        self.spec = spec
        self.dropped = 0
        self.written = 0
        self._is_on = spec.format is not LogFormat.OFF
        self._is_combined = spec.format is LogFormat.COMBINED
        self._buffer = LineBuffer()
        self._lines = 0
        """In the buffer."""
        self._limit = LIMIT
        self._chunks: deque[tuple[bytes, int]] = deque()
        """Whole lines, and how many."""
        self._wake = threading.Event()
        self._closing = False
        self._reopen = False
        self._in_trouble = False
        self._file = CLOSED
        self._is_pipe = False
        self._thread: threading.Thread | None = None
        if self._is_on:
            self._open()
            self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
            self._thread.start()

    def record(self, record: Record) -> None:
        """Keep one line; never waits. It is written after the next `tick` at the latest. Hot."""
        if not self._is_on:
            return
        if self._is_combined:
            write_combined(self._buffer, record)
        else:
            write_json(self._buffer, record)
        self._lines += 1
        if self._buffer.size >= CHUNK_BYTES:
            self.tick()

    def tick(self) -> None:
        """Hand what has come to the flusher. Call it a few times a second."""
        lines = self._lines
        if lines == 0:
            return
        chunk = self._buffer.take()
        self._lines = 0
        if len(self._chunks) >= self._limit:
            self.dropped += lines
        else:
            self._chunks.append((chunk, lines))
            self._wake.set()

    def reopen(self) -> None:
        """Open the file by its name again: after rotation, and after every reload."""
        self.tick()
        self._reopen = True
        self._wake.set()

    def close(self) -> None:
        """Write what waits, for two seconds at most, and end."""
        if self._thread is None:
            return
        self.tick()
        self._closing = True
        self._wake.set()
        self._thread.join(CLOSE_S)
        self._thread = None

    # ------------------------------------------------------------------ the flusher's thread

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait()
            self._wake.clear()
            if self._reopen:
                self._reopen = False
                self._flush()
                self._open_again()
            self._flush()
        self._flush()
        self._close_file()

    def _flush(self) -> None:
        while self._chunks:
            chunk, lines = self._chunks.popleft()
            try:
                self._write(chunk)
            except OSError as error:
                self._trouble(error, lines)
            else:
                self.written += lines
                self._in_trouble = False

    def _write(self, chunk: bytes) -> None:
        if self._file == CLOSED:
            self._open()
        if not self._is_pipe:
            self._write_all(chunk)
            return
        for piece in pieces(chunk.splitlines(keepends=True), select.PIPE_BUF):
            self._write_all(piece)

    def _write_all(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            try:
                view = view[os.write(self._file, view) :]
            except BlockingIOError:
                select.select([], [self._file], [], 1.0)

    def _trouble(self, error: OSError, count: int) -> None:
        self.dropped += count
        self._close_file()
        if not self._in_trouble:
            self._in_trouble = True
            fields = {"path": self.spec.path, "reason": str(error)}
            _log.error("access-log-failed", extra={"fields": fields})

    # ------------------------------------------------------------------ the file

    def _open(self) -> None:
        if self.spec.path == "-":
            self._file = os.dup(1)
        else:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            self._file = os.open(self.spec.path, flags, 0o640)
        mode = os.fstat(self._file).st_mode
        self._is_pipe = stat.S_ISFIFO(mode)

    def _open_again(self) -> None:
        self._close_file()
        try:
            self._open()
        except OSError as error:
            self._trouble(error, 0)

    def _close_file(self) -> None:
        if self._file != CLOSED:
            with contextlib.suppress(OSError):
                os.close(self._file)
            self._file = CLOSED


def pieces(lines: list[bytes], limit: int) -> list[bytes]:
    """Whole lines joined up to `limit` bytes: a pipe takes so many without mixing in others'."""
    joined: list[bytes] = []
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        if waiting and size + len(line) > limit:
            joined.append(b"".join(waiting))
            waiting = []
            size = 0
        waiting.append(line)
        size += len(line)
    if waiting:
        joined.append(b"".join(waiting))
    return joined
