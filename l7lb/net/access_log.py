"""The access log: one line for each request, written by a thread so that no session waits.

Owns the queue, the thread and the file. Must not know what a session is.
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
from collections.abc import Callable

from l7lb.model import AccessLog as AccessLogSpec
from l7lb.model import LogFormat
from l7lb.net.log_lines import Record, combined_line, json_line

LIMIT = 65536
"""Lines that wait at most."""
WAKE = 2048
"""Lines at which the flusher is woken before its turn."""
INTERVAL_S = 0.2
BATCH = 512
"""Lines written in one go."""
CLOSE_S = 2.0
CLOSED = -1

_FORMATS: dict[LogFormat, Callable[[Record], bytes]] = {
    LogFormat.JSON: json_line,
    LogFormat.COMBINED: combined_line,
}
_log = logging.getLogger(__name__)


class AccessLog:
    """`record` is for the loop's thread; the rest of the work is the flusher's.

    Raises OSError when the file cannot be opened at first. Later trouble (a full disk, a reader
    that has gone) costs lines, which are counted, and one message in the error log.
    """

    def __init__(self, spec: AccessLogSpec) -> None:
        self.spec = spec
        self.dropped = 0
        self.written = 0
        self._format: Callable[[Record], bytes] = _FORMATS.get(spec.format, json_line)
        self._limit = 0 if spec.format is LogFormat.OFF else LIMIT
        self._lines: deque[bytes] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._reopen = False
        self._in_trouble = False
        self._file = CLOSED
        self._is_pipe = False
        self._thread: threading.Thread | None = None
        if self._limit:
            self._open()
            self._thread = threading.Thread(target=self._run, name="access-log", daemon=True)
            self._thread.start()

    def record(self, record: Record) -> None:
        """Queue one line; never waits. Hot."""
        lines = self._lines
        waiting = len(lines)
        if waiting >= self._limit:
            self.dropped += self._limit > 0
            return
        lines.append(self._format(record))
        if waiting == WAKE:
            self._wake.set()

    def reopen(self) -> None:
        """Open the file by its name again: after rotation, and after every reload."""
        self._reopen = True
        self._wake.set()

    def close(self) -> None:
        """Write what waits, for two seconds at most, and end."""
        if self._thread is None:
            return
        self._closing = True
        self._wake.set()
        self._thread.join(CLOSE_S)
        self._thread = None

    # ------------------------------------------------------------------ the flusher's thread

    def _run(self) -> None:
        while not self._closing:
            self._wake.wait(INTERVAL_S)
            self._wake.clear()
            if self._reopen:
                self._reopen = False
                self._flush()
                self._open_again()
            self._flush()
        self._flush()
        self._close_file()

    def _flush(self) -> None:
        for _ in range(len(self._lines) // BATCH + 1):
            count = min(BATCH, len(self._lines))
            if count == 0:
                return
            batch = [self._lines.popleft() for _ in range(count)]
            try:
                self._write(batch)
            except OSError as error:
                self._trouble(error, count)
            else:
                self.written += count
                self._in_trouble = False

    def _write(self, lines: list[bytes]) -> None:
        if self._file == CLOSED:
            self._open()
        if not self._is_pipe:
            self._write_all(b"".join(lines))
            return
        for piece in pieces(lines, select.PIPE_BUF):
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
