"""Reader of a client's commands before login (RFC 1939 §3, RFC 2449 §4).

Owns the buffer of the client's bytes: what follows the last command read is untouched in `rest`.
Must not know what any command does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from l7lb_protocols.login.lines import LineBuffer
from l7lb_protocols.pop3.errors import Pop3Refusal

MAX_LINE_BYTES = 2048
"""With CRLF. RFC 2449 §4 says 255; passwords in use are longer, and XCLIENT may have 1024."""

_LINE = re.compile(rb"([A-Za-z0-9]{3,8})(?: (.*))?", re.DOTALL)
_HTTP = re.compile(rb"[A-Z]+ [^ ]+ HTTP/[0-9.]+")
_FREE = frozenset((b"USER", b"PASS"))
"""Their argument is the rest of the line, spaces and UTF-8 with it (RFC 1939 §7, RFC 6856)."""


@dataclass(frozen=True, slots=True)
class Command:
    """One line; `name` in upper case, `argument` None if there is none."""

    name: bytes
    argument: bytes | None = None

    def words(self) -> tuple[bytes, ...]:
        """The argument cut at its spaces."""
        return () if self.argument is None else tuple(self.argument.split(b" "))


class CommandReader:
    """Bytes in, commands out, one at a time, so that commands may be pipelined."""

    def __init__(self, max_line: int = MAX_LINE_BYTES) -> None:
        self.max_line = max_line
        self._lines = LineBuffer(_fatal)

    def __len__(self) -> int:
        """Bytes received and not yet read."""
        return len(self._lines)

    def receive(self, data: bytes) -> None:
        """Bytes of the client, in order."""
        self._lines.receive(data)

    def rest(self) -> bytes:
        """Take all bytes after the last command, untouched: for the relay, or to throw away."""
        return self._lines.rest()

    def next_line(self, max_bytes: int) -> bytes | None:
        """A line that is no command: the answer to a challenge. Raises Pop3Refusal, fatal."""
        return self._lines.take_line(max_bytes)

    def next_command(self) -> Command | None:
        """The next one; None: more bytes are needed. Raises Pop3Refusal; if that is not fatal, the
        broken command has been read away and the next may follow."""
        line = self._lines.take_line(self.max_line)
        if line is None:
            return None
        if _HTTP.fullmatch(line):
            raise _fatal("this is HTTP")
        found = _LINE.fullmatch(line)
        if found is None:
            raise Pop3Refusal("malformed command", "RFC 1939 §3")
        command = Command(found[1].upper(), found[2])
        if command.name not in _FREE and not _is_plain(command.argument):
            raise Pop3Refusal("malformed argument", "RFC 2449 §4")
        return command


def _is_plain(argument: bytes | None) -> bool:
    """Printable ASCII, words with one space between them."""
    if argument is None:
        return True
    return (
        argument.isascii()
        and argument.decode("ascii").isprintable()
        and (b"" not in argument.split(b" "))
    )


def _fatal(reason: str) -> Pop3Refusal:
    return Pop3Refusal(reason, is_fatal=True)
