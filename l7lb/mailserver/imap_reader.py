"""Reads a logged-in client's commands: lines, and literals that are asked for (RFC 3501 §4.3,
RFC 7888). Must not know what a command does.
"""

from __future__ import annotations

from l7lb.mailserver.connection import Connection
from l7lb.mailserver.imap_syntax import ArgumentTree, Command
from l7lb_protocols.imap.arguments import Literal
from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.grammar import ATOM, MAX_TAG_BYTES, TAG
from l7lb_protocols.imap.render import continuation
from l7lb_protocols.login.lines import LineBuffer

LINE_BYTES = 64 << 10
LITERAL_BYTES = 64 << 10
"""But for APPEND; of one command, all its literals together."""
IDLE_S = 1800.0
"""RFC 3501 §5.4: at least thirty minutes."""
WITHIN_S = 120.0
"""Between pieces of one command."""


class TooBig(ImapRefusal):
    """Of a literal; the client did not send it, or the refusal is fatal."""


class ImapReader:
    """`rest`: what came with the login."""

    def __init__(self, connection: Connection, message_bytes: int, rest: bytes) -> None:
        self._connection = connection
        self._message_bytes = message_bytes
        self._lines = LineBuffer(lambda reason: ImapRefusal(reason, is_fatal=True))
        self._lines.receive(rest)

    async def next_command(self) -> Command:
        """Raises ImapRefusal, ConnectionEnded, Evicted."""
        line = await self.line(IDLE_S)
        command = Command(b"", "")
        try:
            await self._read(command, line)
        except ImapRefusal as problem:
            problem.tag = problem.tag or command.tag
            raise
        return command

    async def line(self, timeout_s: float) -> bytes:
        """One line. Raises ImapRefusal, ConnectionEnded, Evicted."""
        if self._connection.evicted is not None:
            raise self._connection.evicted
        while (line := self._lines.take_line(LINE_BYTES)) is None:
            self._lines.receive(await self._connection.read(timeout_s))
        return line

    async def _read(self, command: Command, line: bytes) -> None:
        line = _begin(command, line)
        tree = ArgumentTree()
        left = self._message_bytes if command.name == "APPEND" else LITERAL_BYTES
        while (literal := _fed(tree, line)) is not None:
            if literal.size > left:
                raise TooBig("literal over the limit", is_fatal=not literal.is_sync)
            left -= literal.size
            if literal.is_sync:
                await self._connection.send(continuation(b"OK"))
            tree.put(await self._take(literal.size))
            line = await self.line(WITHIN_S)
        command.arguments = tree.arguments

    async def _take(self, size: int) -> bytes:
        while (data := self._lines.take(size)) is None:
            self._lines.receive(await self._connection.read(WITHIN_S))
        return data


def _fed(tree: ArgumentTree, line: bytes) -> Literal | None:
    try:
        return tree.feed(line)
    except ImapRefusal as problem:
        problem.is_fatal = line.endswith(b"+}")  # its bytes come whether they are wanted or not
        raise


def _begin(command: Command, line: bytes) -> bytes:
    """Tag and name; what follows them."""
    tag, _, after = line.partition(b" ")
    if not TAG.fullmatch(tag) or len(tag) > MAX_TAG_BYTES:
        raise ImapRefusal("malformed tag", "RFC 3501 §2.2.1", is_fatal=line.endswith(b"+}"))
    command.tag = tag
    name = ATOM.match(after)
    if name is not None and name[0].upper() == b"UID":
        second = ATOM.match(after, name.end() + 1)
        if second is not None and after[name.end() : name.end() + 1] == b" ":
            command.name = "UID " + second[0].decode().upper()
            return after[second.end() :]
    if name is None:
        raise ImapRefusal("malformed command", "RFC 3501 §2.2.1", is_fatal=line.endswith(b"+}"))
    command.name = name[0].decode().upper()
    return after[name.end() :]
