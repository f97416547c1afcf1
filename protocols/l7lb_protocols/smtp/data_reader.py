"""The message after DATA, as it comes: dots taken off, limits watched, nothing held.

Only CRLF.CRLF ends it (RFC 5321 §4.1.1.4). A bare CR or LF, or NUL, makes the message refused, but
the reader goes on to the true end: what looks like commands behind a false one is never obeyed.
It must not know what is answered, or where the message goes.
"""

from __future__ import annotations

from dataclasses import dataclass

from l7lb_protocols.smtp.errors import SmtpRefusal
from l7lb_protocols.smtp.message_watch import MessageWatch

_END = b"\r\n.\r\n"


@dataclass(frozen=True, slots=True)
class DataLimits:
    """`max_bytes`: of the message as RFC 1870 counts it (0: any); `max_excess`: octets that are
    still read, and thrown away, once the message is refused."""

    max_bytes: int = 0
    max_excess: int = 1 << 26
    max_hops: int = 100
    max_line: int = 65536


class DataReader:
    """Reads one message in pieces of any size.

    Feed it until `done`. `pieces` are what the last call gave: to be sent on, or written. Once
    `problem` is set nothing more comes out, and what came out is to be forgotten.
    """

    def __init__(self, limits: DataLimits = DataLimits()) -> None:
        self.limits = limits
        self.done = False
        self.problem: SmtpRefusal | None = None
        """Why the message is refused; `fatal` says that the connection must end with it."""
        self.size = 0
        """Octets of the message so far, line ends counted, added dots not."""
        self.pieces: list[bytes] = []
        self.watch = MessageWatch(limits.max_hops, limits.max_line)
        self._excess = 0
        self._held = b""
        """CR, or at a line's start a dot with or without CR: the next octet decides."""
        self._at_start = True

    def feed(self, data: bytes) -> int:
        """Read on; returns how much of `data` belongs to the message: all of it until `done`.

        Raises SmtpRefusal(fatal) if a refused message does not end within `max_excess`.
        """
        self.pieces = []
        held = len(self._held)
        text = self._held + data if held else data
        if self._at_start and text.startswith(b".\r\n"):
            self._finish(b"")
            return 3 - held
        end = text.find(_END)
        if end >= 0:
            self._finish(text[: end + 2])
            return end + 5 - held
        self._held = self._tail(text)
        self._content(text[: len(text) - len(self._held)] if self._held else text)
        return len(data)

    def _tail(self, text: bytes) -> bytes:
        """The end of `text` that may belong to the end of the message."""
        for tail in (b".\r", b"."):
            if text.endswith(b"\r\n" + tail) or (self._at_start and text == tail):
                return tail
        return b"\r" if text.endswith(b"\r") else b""

    def _finish(self, content: bytes) -> None:
        self._held = b""
        self._content(content)
        self.done = True

    def _content(self, content: bytes) -> None:
        """Whole or not, `content` ends neither with CR nor, on a line of its own, with a dot."""
        if not content:
            return
        try:
            if self.problem is None:
                self._take(content)
            else:
                self._waste(content, self.problem)
        except SmtpRefusal as problem:
            self.problem = problem
            self.pieces = []
        if self._excess > self.limits.max_excess:
            assert self.problem is not None
            raise self.problem
        self._at_start = content.endswith(b"\r\n")

    def _take(self, content: bytes) -> None:
        _check(content)
        if self._at_start and content.startswith(b"."):
            content = content[1:]
        if b"\r\n." in content:
            content = content.replace(b"\r\n.", b"\r\n")
        self.size += len(content)
        if self.limits.max_bytes and self.size > self.limits.max_bytes:
            raise SmtpRefusal(552, b"5.3.4", "message too large", "RFC 1870 §6.3")
        self.watch.feed(content)
        self.pieces.append(content)

    def _waste(self, content: bytes, problem: SmtpRefusal) -> None:
        """Of a refused message. A line end that is none, or no end in sight, is worse than what
        was wrong before."""
        self._excess += len(content)
        if self._excess > self.limits.max_excess:
            raise SmtpRefusal(problem.code, problem.enhanced, problem.reason, fatal=True)
        if not problem.fatal:
            _check(content)


def _check(content: bytes) -> None:
    ends = content.count(b"\r\n")
    if content.count(b"\n") != ends:
        raise SmtpRefusal(550, b"5.6.0", "bare LF in the message", "RFC 5321 §2.3.8", True)
    if content.count(b"\r") != ends:
        raise SmtpRefusal(550, b"5.6.0", "bare CR in the message", "RFC 5321 §2.3.8", True)
    if b"\0" in content:
        raise SmtpRefusal(550, b"5.6.0", "NUL in the message", "RFC 5322 §2.2", True)
