"""Lines out of a stream of bytes, ended by CRLF and by nothing else.

It owns what came and was not used yet. It must not know what a line means.
"""

from __future__ import annotations

from l7lb_protocols.smtp.errors import SmtpRefusal

COMMAND_LIMIT = 2048
"""RFC 5321 §4.5.3.1.4 asks for 512 octets; extensions add some 1,200 to MAIL and RCPT."""
AUTH_LIMIT = 12288
"""RFC 4954 §4: a line of an authentication exchange."""


class LineBuffer:
    """Takes pieces of any size and gives lines."""

    def __init__(self) -> None:
        self._data = b""
        self._start = 0

    def __len__(self) -> int:
        return len(self._data) - self._start

    def push(self, data: bytes) -> None:
        self._data = self._data[self._start :] + data if len(self) else data
        self._start = 0

    def take(self) -> bytes:
        """All that is left; the buffer is empty then."""
        rest = self._data[self._start :]
        self._data = b""
        self._start = 0
        return rest

    def line(self, limit: int = COMMAND_LIMIT) -> bytes | None:
        """The next line without its CRLF; None: it is not whole yet.

        `limit` counts octets with CRLF. Raises SmtpRefusal(500), always fatal: a line too long, a
        bare CR or LF, NUL (RFC 5321 §2.3.8, §4.1.1). What was read is kept: nobody goes on.
        """
        end = self._data.find(b"\n", self._start, self._start + limit)
        if end < 0:
            self._check_unfinished(limit)
            return None
        line = self._data[self._start : end]
        if not line.endswith(b"\r"):
            raise SmtpRefusal(500, b"5.5.2", "line ends with a bare LF", "RFC 5321 §2.3.8", True)
        line = line[:-1]
        _check(line)
        self._start = end + 1
        return line

    def _check_unfinished(self, limit: int) -> None:
        part = self._data[self._start : self._start + limit]
        if len(part) >= limit:
            raise SmtpRefusal(500, b"5.5.2", "line too long", "RFC 5321 §4.5.3.1.4", True)
        _check(part.removesuffix(b"\r"))


def _check(line: bytes) -> None:
    if b"\r" in line:
        raise SmtpRefusal(500, b"5.5.2", "bare CR in a line", "RFC 5321 §2.3.8", True)
    if b"\0" in line:
        raise SmtpRefusal(500, b"5.5.2", "NUL in a line", "RFC 5321 §4.1.1", True)
