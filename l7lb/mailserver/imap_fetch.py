"""FETCH: which items a client asks for, and one message's answer to them (RFC 3501 §6.4.5).

Owns items and sections. Reads a message only for what needs its bytes. Must not know sessions.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from l7lb.mailserver import message
from l7lb.mailserver.folder import Folder, Message
from l7lb.mailserver.imap_envelope import envelope
from l7lb.mailserver.imap_structure import part, structure
from l7lb.mailserver.imap_syntax import Node, texts
from l7lb.mailserver.maildir import LETTERS
from l7lb_protocols.imap.errors import ImapRefusal

ITEMS = 100
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MACROS = {
    "FAST": "FLAGS INTERNALDATE RFC822.SIZE",
    "ALL": "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE",
    "FULL": "FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY",
}
_OLD = {"RFC822": "BODY[]", "RFC822.HEADER": "BODY.PEEK[HEADER]", "RFC822.TEXT": "BODY[TEXT]"}
_SECTION = re.compile(
    r"BODY(?P<peek>\.PEEK)?\[(?P<part>[1-9][0-9]{0,3}(?:\.[1-9][0-9]{0,3}){0,20})?\.?"
    r"(?P<what>HEADER\.FIELDS(?:\.NOT)?|HEADER|TEXT|MIME)?(?: \((?P<names>[^()]+)\))?\]"
    r"(?:<(?P<start>[0-9]{1,10})(?:\.(?P<count>[0-9]{1,10}))?>)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Section:
    """`label`: as it is answered. `count` None: all of it."""

    label: bytes
    part: tuple[int, ...] = ()
    what: str = ""
    names: frozenset[bytes] = frozenset()
    start: int = 0
    count: int | None = None
    is_peek: bool = False


Item = str | Section


def parse_items(node: Node) -> list[Item]:
    """Raises ImapRefusal."""
    words = texts(node)
    if len(words) == 1 and words[0].upper() in _MACROS:
        words = _MACROS[words[0].upper()].split()
    if len(words) > ITEMS:
        raise ImapRefusal("too many items")
    return [_item(word) for word in words]


def sets_seen(items: list[Item]) -> bool:
    return any(isinstance(item, Section) and not item.is_peek for item in items)


def _item(word: str) -> Item:
    name = word.upper()
    if name in _PLAIN:
        return name
    found = _SECTION.fullmatch(_OLD.get(name, word))
    if found is None:
        raise ImapRefusal("unknown item", "RFC 3501 §6.4.5")
    what = (found["what"] or "").upper()
    numbers = tuple(map(int, found["part"].split("."))) if found["part"] else ()
    if what.startswith("HEADER.FIELDS") != bool(found["names"]) or (what == "MIME" and not numbers):
        raise ImapRefusal("malformed section", "RFC 3501 §6.4.5")
    names = [each.strip('"') for each in (found["names"] or "").split()]
    count = int(found["count"]) if found["count"] is not None else None
    if found["start"] is not None and not count:
        raise ImapRefusal("malformed partial", "RFC 3501 §6.4.5")
    return Section(
        _label(name, found),
        numbers,
        what,
        frozenset(each.lower().encode() for each in names),
        int(found["start"] or 0),
        count,
        found["peek"] is not None or name == "RFC822.HEADER",
    )


def _label(name: str, found: re.Match[str]) -> bytes:
    if name in _OLD:
        return name.encode()
    text = found[0].partition("]")[0].upper().replace("BODY.PEEK", "BODY") + "]"
    return (text + (f"<{int(found['start'])}>" if found["start"] is not None else "")).encode()


class Sheet:
    """One message, read when it is first needed. Raises NoSuchMailbox."""

    def __init__(self, folder: Folder, found: Message, *, is_recent: bool) -> None:
        self.folder = folder
        self.found = found
        self.is_recent = is_recent
        self._data: bytes | None = None

    @property
    def data(self) -> bytes:
        if self._data is None:
            self._data = self.folder.read(self.found.uid)
        return self._data

    def answer(self, items: list[Item]) -> bytes:
        """What stands in the parentheses."""
        return b" ".join(
            _section(self, item) if isinstance(item, Section) else _PLAIN[item](self)
            for item in items
        )


def flags(letters: str, *, is_recent: bool) -> bytes:
    words = [LETTERS[letter] for letter in letters if letter in LETTERS]
    return " ".join(["\\Recent"] * is_recent + words).encode()


def date_time(date_s: float) -> bytes:
    """RFC 3501 §9, date-time, in UTC."""
    when = time.gmtime(date_s)
    month = _MONTHS[when.tm_mon - 1]
    return time.strftime(f'"%d-{month}-%Y %H:%M:%S +0000"', when).encode()


def _section(sheet: Sheet, section: Section) -> bytes:
    data = sheet.data
    if section.part:
        data = part(data, section.part, is_mime=section.what == "MIME")
    head, body = message.split(data)
    match section.what:
        case "HEADER":
            data = head
        case "TEXT":
            data = body
        case "HEADER.FIELDS" | "HEADER.FIELDS.NOT":
            data = message.chosen_fields(head, section.names, is_not=section.what.endswith("NOT"))
    end = None if section.count is None else section.start + section.count
    data = data[section.start : end]
    return section.label + b" {%d}\r\n%s" % (len(data), data)


_PLAIN: dict[str, Callable[[Sheet], bytes]] = {
    "FLAGS": lambda sheet: (
        b"FLAGS (" + flags(sheet.found.letters, is_recent=sheet.is_recent) + b")"
    ),
    "UID": lambda sheet: b"UID %d" % sheet.found.uid,
    "RFC822.SIZE": lambda sheet: b"RFC822.SIZE %d" % sheet.folder.size(sheet.found.uid),
    "INTERNALDATE": lambda sheet: b"INTERNALDATE " + date_time(sheet.folder.date(sheet.found.uid)),
    "ENVELOPE": lambda sheet: b"ENVELOPE " + envelope(message.split(sheet.data)[0]),
    "BODYSTRUCTURE": lambda sheet: b"BODYSTRUCTURE " + structure(sheet.data, is_extended=True),
    "BODY": lambda sheet: b"BODY " + structure(sheet.data, is_extended=False),
}
