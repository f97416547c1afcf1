"""Reader of a client's commands before login (RFC 9051 §2.2.1, §4.3; RFC 7888).

Owns the buffer of the client's bytes and knows exactly where each command ends: what follows the
last one read is untouched in `rest`. Must not know what any command does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from l7lb_protocols.imap.arguments import ArgumentParser, Literal
from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.grammar import ATOM, MAX_TAG_BYTES, TAG, Argument
from l7lb_protocols.login.lines import LineBuffer

_COMES_ANYHOW = re.compile(rb"\{[0-9]+\+\}\Z")
_HTTP = re.compile(rb"[A-Z]+ [^ ]+ HTTP/[0-9.]+")


@dataclass(frozen=True, slots=True)
class CommandLimits:
    """In bytes. Lines with their CRLF; `max_command`: all lines and literals of one command."""

    max_line: int = 8192
    max_literal: int = 4096
    """What LITERAL- allows without asking (RFC 7888 §5); no name or password is longer."""
    max_command: int = 16384
    max_arguments: int = 64
    """RFC 2971 §3.3 allows 30 pairs."""


USUAL = CommandLimits()


@dataclass(frozen=True, slots=True)
class Command:
    """One whole command; `name` in upper case."""

    tag: bytes
    name: bytes
    arguments: tuple[Argument, ...] = ()


@dataclass(frozen=True, slots=True)
class LiteralAsked:
    """The client waits for a continuation request: send one and read on, or `abandon` the command
    and answer it."""

    tag: bytes
    name: bytes
    size: int


class CommandReader:
    """Bytes in, commands out, one at a time, so that commands may be pipelined."""

    def __init__(self, limits: CommandLimits | None = None) -> None:
        self.limits = limits or USUAL
        self._lines = LineBuffer(_fatal)
        self.abandon()

    def __len__(self) -> int:
        """Bytes received and not yet read."""
        return len(self._lines)

    def receive(self, data: bytes) -> None:
        """Bytes of the client, in order."""
        self._lines.receive(data)

    def rest(self) -> bytes:
        """Take all bytes after the last command, untouched: for the relay, or to throw away."""
        self.abandon()
        return self._lines.rest()

    def abandon(self) -> None:
        """Forget the command that is being read; the client was told not to send the rest."""
        self._tag = b""
        self._name = b""
        self._parser: ArgumentParser | None = None
        self._literal = -1
        self._used = 0

    def next_line(self, max_bytes: int) -> bytes | None:
        """A line that is no command: the answer to a challenge. Raises ImapRefusal, fatal."""
        return self._lines.take_line(max_bytes)

    def next_command(self) -> Command | LiteralAsked | None:
        """The next one; None: more bytes are needed. Raises ImapRefusal; if that is not fatal, the
        broken command has been read away and the next may follow."""
        try:
            while True:
                if self._literal >= 0 and not self._take_literal():
                    return None
                line = self._lines.take_line(self.limits.max_line)
                if line is None:
                    return None
                found = self._read(line)
                if found is not None:
                    return found
        except ImapRefusal as problem:
            problem.tag = problem.tag or self._tag
            self.abandon()
            raise

    def _take_literal(self) -> bool:
        data = self._lines.take(self._literal)
        if data is None:
            return False
        self._literal = -1
        assert self._parser is not None
        try:
            self._parser.put(data)
        except ImapRefusal as problem:
            problem.is_fatal = True
            raise
        return True

    def _read(self, line: bytes) -> Command | LiteralAsked | None:
        """None: the line announced a literal whose bytes come without being asked for."""
        try:
            self._used += len(line) + 2
            if self._parser is None:
                line = self._begin(line)
            assert self._parser is not None
            if self._used > self.limits.max_command:
                raise _fatal("command over the limit")
            literal = self._parser.feed(line)
        except ImapRefusal as problem:
            problem.is_fatal = problem.is_fatal or _COMES_ANYHOW.search(line) is not None
            raise
        if literal is None:
            command = Command(self._tag, self._name, tuple(self._parser.arguments))
            self.abandon()
            return command
        self._announce(literal)
        return LiteralAsked(self._tag, self._name, literal.size) if literal.is_sync else None

    def _begin(self, line: bytes) -> bytes:
        """Read tag and name; returns what follows them."""
        if _HTTP.fullmatch(line):
            raise _fatal("this is HTTP")
        tag, _, after = line.partition(b" ")
        if not TAG.fullmatch(tag) or len(tag) > MAX_TAG_BYTES:
            raise ImapRefusal("malformed tag", "RFC 9051 §2.2.1")
        self._tag = tag
        name = ATOM.match(after)
        if name is None:
            raise ImapRefusal("malformed command", "RFC 9051 §2.2.1")
        self._name = name[0].upper()
        self._parser = ArgumentParser(self.limits.max_arguments)
        return after[name.end() :]

    def _announce(self, literal: Literal) -> None:
        self._used += literal.size
        if literal.size > self.limits.max_literal or self._used > self.limits.max_command:
            raise ImapRefusal("literal over the limit", "RFC 7888 §4", is_fatal=not literal.is_sync)
        self._literal = literal.size


def _fatal(reason: str) -> ImapRefusal:
    return ImapRefusal(reason, is_fatal=True)
