"""SEARCH: a client's keys as one predicate (RFC 3501 §6.4.4).

Owns the keys. A message is read only for keys that look into it. Must not know sessions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

from l7lb.mailserver import message
from l7lb.mailserver.imap_fetch import Sheet
from l7lb.mailserver.imap_sets import is_set, members
from l7lb.mailserver.imap_syntax import Node, text
from l7lb_protocols.imap.errors import ImapRefusal

DEPTH = 20
CHARSETS = frozenset({"US-ASCII", "UTF-8"})
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(r"([0-9]{1,2})-([A-Za-z]{3})-([0-9]{4})")
_FLAGS = {"ANSWERED": "R", "DELETED": "T", "DRAFT": "D", "FLAGGED": "F", "SEEN": "S"}
_FIELDS = frozenset({"BCC", "CC", "FROM", "SUBJECT", "TO"})

Test = Callable[[int, Sheet], bool]
"""Of a sequence number and its message."""


class BadCharset(Exception):  # never leaves the package
    """The keys are in a character set that is none of CHARSETS."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What sets of numbers mean now: all sequence numbers, and all UIDs, ascending."""

    sequence: list[int]
    uids: list[int]


def parse(arguments: list[Node], numbers: Numbers) -> Test:
    """Raises ImapRefusal, BadCharset."""
    words = list(arguments)
    if len(words) > 1 and not isinstance(words[0], list) and text(words[0]).upper() == "CHARSET":
        if text(words[1]).upper() not in CHARSETS:
            raise BadCharset
        del words[:2]
    if not words:
        raise ImapRefusal("SEARCH wants keys", "RFC 3501 §6.4.4")
    return _Parser(numbers).all_of(iter(words), 0)


class _Parser:
    def __init__(self, numbers: Numbers) -> None:
        self.numbers = numbers

    def all_of(self, words: Iterator[Node], depth: int) -> Test:
        tests: list[Test] = []
        while (found := self.key(words, depth)) is not None:
            tests.append(found)
        return lambda number, sheet: all(test(number, sheet) for test in tests)

    def key(self, words: Iterator[Node], depth: int) -> Test | None:
        """The next key; None: there is none."""
        word = next(words, None)
        if word is None:
            return None
        if depth > DEPTH:
            raise ImapRefusal("keys nest too deeply")
        if isinstance(word, list):
            return self.all_of(iter(word), depth + 1)
        name = text(word).upper()
        if name == "NOT":
            inner = self.wanted(words, depth)
            return lambda number, sheet: not inner(number, sheet)
        if name == "OR":
            one, other = self.wanted(words, depth), self.wanted(words, depth)
            return lambda number, sheet: one(number, sheet) or other(number, sheet)
        return self.simple(name) or self.with_argument(name, words)

    def wanted(self, words: Iterator[Node], depth: int) -> Test:
        found = self.key(words, depth + 1)
        if found is None:
            raise ImapRefusal("key is missing", "RFC 3501 §6.4.4")
        return found

    def simple(self, name: str) -> Test | None:
        """Without an argument."""
        if name.removeprefix("UN") in _FLAGS:
            letter, is_wanted = _FLAGS[name.removeprefix("UN")], not name.startswith("UN")
            return lambda _, sheet: (letter in sheet.found.letters) == is_wanted
        if name in _SIMPLE:
            return _SIMPLE[name]
        if is_set(name):
            chosen = frozenset(members(name, self.numbers.sequence))
            return lambda number, _: number in chosen
        return None

    def with_argument(self, name: str, words: Iterator[Node]) -> Test:
        value = self.argument(words)
        if name in {"KEYWORD", "UNKEYWORD"}:  # no message has one: PERMANENTFLAGS says so
            return lambda *_: name == "UNKEYWORD"
        if name == "UID":
            chosen = frozenset(members(value, self.numbers.uids))
            return lambda _, sheet: sheet.found.uid in chosen
        if name in _FIELDS:
            return _in_field(name, value)
        if name == "HEADER":
            return _in_field(value, self.argument(words))
        if name in {"BODY", "TEXT"}:
            return _in_text(value, is_body=name == "BODY")
        if name in {"LARGER", "SMALLER"}:
            return _by_size(name, value)
        if name.removeprefix("SENT") in {"BEFORE", "ON", "SINCE"}:
            return _by_date(name, value)
        raise ImapRefusal("unknown key", "RFC 3501 §6.4.4")

    def argument(self, words: Iterator[Node]) -> str:
        word = next(words, None)
        if word is None:
            raise ImapRefusal("key without its argument", "RFC 3501 §6.4.4")
        return text(word)


def _in_field(name: str, value: str) -> Test:
    """The empty string is in every such field (RFC 3501 §6.4.4)."""
    field, wanted = name.lower().encode(), value.casefold()

    def test(_: int, sheet: Sheet) -> bool:
        head = message.split(sheet.data)[0]
        return any(wanted in found.casefold() for found in message.values(head, field))

    return test


def _in_text(value: str, *, is_body: bool) -> Test:
    """In the bytes as they are, and in the decoded head."""
    wanted = value.casefold()

    def test(_: int, sheet: Sheet) -> bool:
        head, body = message.split(sheet.data)
        if wanted in body.decode("utf-8", "replace").casefold():
            return True
        if is_body:
            return False
        fields = (raw for _, raw in message.raw_fields(head))
        return wanted in head.decode("utf-8", "replace").casefold() or any(
            wanted in message.value(raw).casefold() for raw in fields
        )

    return test


def _by_size(name: str, value: str) -> Test:
    if not value.isdigit() or len(value) > 10:
        raise ImapRefusal("size is no number", "RFC 3501 §6.4.4")
    limit = int(value)
    if name == "LARGER":
        return lambda _, sheet: sheet.folder.size(sheet.found.uid) > limit
    return lambda _, sheet: sheet.folder.size(sheet.found.uid) < limit


def _by_date(name: str, value: str) -> Test:
    wanted = _date(value)
    read = _sent_on if name.startswith("SENT") else _came_on

    def test(_: int, sheet: Sheet) -> bool:
        found = read(sheet)
        if found is None:
            return False
        match name.removeprefix("SENT"):
            case "BEFORE":
                return found < wanted
            case "ON":
                return found == wanted
            case _:
                return found >= wanted

    return test


def _date(value: str) -> date:
    found = _DATE.fullmatch(value)
    try:
        if found is not None:
            return date(int(found[3]), _MONTHS.index(found[2].lower()) + 1, int(found[1]))
    except ValueError:
        pass
    raise ImapRefusal("malformed date", "RFC 3501 §9")


def _came_on(sheet: Sheet) -> date:
    return datetime.fromtimestamp(sheet.folder.date(sheet.found.uid), UTC).date()


def _sent_on(sheet: Sheet) -> date | None:
    """As the sender wrote it, without regard to time and zone."""
    found = message.values(message.split(sheet.data)[0], b"date")
    try:
        return parsedate_to_datetime(found[0]).date() if found else None
    except ValueError:
        return None


_SIMPLE: dict[str, Test] = {
    "ALL": lambda *_: True,
    "NEW": lambda _, sheet: sheet.is_recent and "S" not in sheet.found.letters,
    "OLD": lambda _, sheet: not sheet.is_recent,
    "RECENT": lambda _, sheet: sheet.is_recent,
}
