"""The arguments of an IMAP command after login (RFC 3501 §9), read piece by piece: lists nest, a
literal interrupts the line, and FETCH names sections with brackets.

Must not know connections or what a command does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from l7lb_protocols.imap.arguments import Literal
from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.grammar import Word

DEPTH = 8
WORDS = 5000
_TOKEN = re.compile(
    rb'"(?P<quoted>(?:[^\r\n\0"\\]|\\["\\])*)"'
    rb"|~?\{(?P<size>[0-9]{1,10})(?P<plus>\+)?\}\Z"
    rb"|(?P<section>(?i:BODY(?:\.PEEK)?)\[[^\]\"{]*\](?:<[0-9.]{1,21}>)?)"
    rb'|(?P<word>[^\x00-\x20\x7f-\xff(){"]+)'
)

Node = Word | list["Node"]
"""An argument, or a list of them."""


@dataclass(slots=True)
class Command:
    """`name` in upper case; `UID FETCH` is one name."""

    tag: bytes
    name: str
    arguments: list[Node] = field(default_factory=list)


class ArgumentTree:
    """`feed` each piece of the line; when that gives a Literal, `put` its bytes and feed on."""

    def __init__(self) -> None:
        self.arguments: list[Node] = []
        self._open: list[list[Node]] = [self.arguments]
        self._words = 0
        self._is_after = True
        """The last thing read was a whole argument, or the command's name."""

    def feed(self, line: bytes) -> Literal | None:
        """None: the command is whole. Raises ImapRefusal."""
        at = 0
        while at < len(line):
            sign = line[at : at + 1]
            is_first = line[at - 1 : at] == b"(" and not self._is_after
            if sign == b" " and self._is_after:
                self._is_after = False
                at += 1
            elif sign == b"(" and not self._is_after:
                self._begin()
                at += 1
            elif sign == b")" and len(self._open) > 1 and (self._is_after or is_first):
                self._open.pop()
                self._is_after = True
                at += 1
            elif self._is_after:
                raise ImapRefusal("malformed argument", "RFC 3501 §9")
            else:
                found = _TOKEN.match(line, at)
                if found is None:
                    raise ImapRefusal("malformed argument", "RFC 3501 §9")
                at = found.end()
                if found["size"] is not None:
                    return Literal(int(found["size"]), found["plus"] is None)
                self._add(_word(found))
        if len(self._open) > 1 or not self._is_after:
            raise ImapRefusal("command without end", "RFC 3501 §9")
        return None

    def put(self, literal: bytes) -> None:
        """The bytes of the literal that `feed` announced."""
        self._add(Word(literal, True))

    def _begin(self) -> None:
        if len(self._open) > DEPTH:
            raise ImapRefusal("lists nest too deeply")
        made: list[Node] = []
        self._open[-1].append(made)
        self._open.append(made)
        self._is_after = False

    def _add(self, word: Word) -> None:
        self._words += 1
        if self._words > WORDS:
            raise ImapRefusal("too many arguments")
        self._open[-1].append(word)
        self._is_after = True


def _word(found: re.Match[bytes]) -> Word:
    quoted = found["quoted"]
    if quoted is None:
        return Word(found[0])
    return Word(re.sub(rb'\\(["\\])', rb"\1", quoted), True)


def text(node: Node) -> str:
    """A string or atom. Raises ImapRefusal for a list, or what is not UTF-8."""
    if not isinstance(node, Word):
        raise ImapRefusal("list for a string", "RFC 3501 §9")
    try:
        return node.value.decode()
    except UnicodeDecodeError:
        raise ImapRefusal("string is not UTF-8") from None


def texts(node: Node) -> list[str]:
    """The words of a list, or the one word that stands for it."""
    return [text(each) for each in node] if isinstance(node, list) else [text(node)]
