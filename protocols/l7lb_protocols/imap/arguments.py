"""The arguments of one client command, read piece by piece: a literal interrupts the line.

Owns the grammar between the command's name and its end. Must not know buffers or commands.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.grammar import ATOM_CHARS, Argument, Word

_TOKEN = re.compile(
    rb'"(?P<quoted>(?:[\x01-\x09\x0b\x0c\x0e-!#-\[\]-\x7f]|\\["\\])*)"'
    rb"|\{(?P<size>[0-9]+)(?P<plus>\+)?\}\Z"
    rb"|(?P<word>[" + ATOM_CHARS + rb"\]]+)"
)
QUOTED, SIZE = 1, 2
"""Groups by number: a name costs a look-up."""
_SPACE, _OPEN, _CLOSE = b" ()"


@dataclass(frozen=True, slots=True)
class Literal:
    """An announced literal. `is_sync`: the client waits for a continuation request (RFC 7888)."""

    size: int
    is_sync: bool


class ArgumentParser:
    """`feed` each piece of the line; when that gives a Literal, `put` its bytes and feed on."""

    def __init__(self, max_arguments: int) -> None:
        self.arguments: list[Argument] = []
        self._list: list[Word] | None = None
        self._left = max_arguments
        self._is_after = True
        """The last thing read was a whole argument, or the command's name."""

    def feed(self, line: bytes) -> Literal | None:
        """Read to the end of the piece; None: the command is whole. Raises ImapRefusal."""
        at, size = 0, len(line)
        while at < size or not self._is_after:
            if self._is_after:
                at = self._between(line, at)
                continue
            if line[at : at + 1] == b"(":
                at = self._open(line, at)
                continue
            found = _TOKEN.match(line, at)
            if found is None:
                raise ImapRefusal("malformed argument", "RFC 9051 §9")
            at = found.end()
            if found[SIZE] is not None:
                return Literal(_number(found[SIZE]), found["plus"] is None)
            self._add(_word(found))
        if self._list is not None:
            raise ImapRefusal("list without end", "RFC 9051 §9")
        return None

    def put(self, literal: bytes) -> None:
        """The bytes of the literal that `feed` announced."""
        if b"\0" in literal:
            raise ImapRefusal("NUL in a literal", "RFC 9051 §4.3")
        self._add(Word(literal, True))

    def _between(self, line: bytes, at: int) -> int:
        if line[at] == _SPACE:
            self._is_after = False
        elif line[at] == _CLOSE and self._list is not None:
            self.arguments.append(tuple(self._list))
            self._list = None
        else:
            raise ImapRefusal("malformed argument", "RFC 9051 §9")
        return at + 1

    def _open(self, line: bytes, at: int) -> int:
        if self._list is not None:
            raise ImapRefusal("list in a list before login")
        if line[at + 1 : at + 2] == b")":
            self.arguments.append(())
            self._is_after = True
            return at + 2
        self._list = []
        return at + 1

    def _add(self, word: Word) -> None:
        self._left -= 1
        if self._left < 0:
            raise ImapRefusal("too many arguments")
        if self._list is None:
            self.arguments.append(word)
        else:
            self._list.append(word)
        self._is_after = True


def _word(found: re.Match[bytes]) -> Word:
    quoted = found[QUOTED]
    if quoted is None:
        return Word(found["word"])
    if b"\\" in quoted:
        quoted = re.sub(rb'\\(["\\])', rb"\1", quoted)
    return Word(quoted, True)


def _number(digits: bytes) -> int:
    """Numbers of absurd length are not even computed."""
    return int(digits) if len(digits) <= 10 else 10**10
