"""IMAP's commands on folders (RFC 3501 §6.3), and APPEND.

One function a command. Must not know how files are kept.
"""

from __future__ import annotations

from email.utils import mktime_tz, parsedate_tz

from l7lb.errors import MailboxRefused, NoSuchMailbox
from l7lb.mailserver.folder import Folder
from l7lb.mailserver.imap_envelope import string
from l7lb.mailserver.imap_state import ImapState, Result, letters_of
from l7lb.mailserver.imap_syntax import Command, Node, text, texts
from l7lb.mailserver.imap_view import View
from l7lb.mailserver.maildir import FLAGS
from l7lb.mailserver.message import to_wire
from l7lb.mailserver.names import INBOX, SEPARATOR, canonical
from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.grammar import Word

STATUS_ITEMS = ("MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN")
PATTERN = 200
"""Characters; no folder has a longer name."""
_ALL_FLAGS = " ".join(FLAGS).encode()


def wanted(command: Command, least: int, most: int | None = None) -> list[Node]:
    """The arguments. Raises ImapRefusal unless there are so many."""
    if not least <= len(command.arguments) <= (least if most is None else most):
        raise ImapRefusal("wrong number of arguments", tag=command.tag)
    return command.arguments


def _opened(state: ImapState, name: str) -> Folder:
    """Inside the fence."""
    folder = state.hold.home.folder(name)
    folder.sync()
    return folder


async def select(state: ImapState, command: Command) -> Result:
    return await _select(state, command, is_read_only=False)


async def examine(state: ImapState, command: Command) -> Result:
    return await _select(state, command, is_read_only=True)


async def _select(state: ImapState, command: Command, *, is_read_only: bool) -> Result:
    name = canonical(text(wanted(command, 1)[0]))
    state.view = None
    folder = await state.hold.change(lambda: _opened(state, name))
    view = View(name, folder, is_read_only=is_read_only)
    told = await state.hold.read(lambda: view.updates(may_expunge=True) + _facts(view))
    kept = b"" if is_read_only else _ALL_FLAGS
    await state.say(
        b"* FLAGS (%s)\r\n" % _ALL_FLAGS + told + b"* OK [PERMANENTFLAGS (%s)] Kept.\r\n" % kept
    )
    state.view = view
    return Result(b"Selected.", b"READ-ONLY" if is_read_only else b"READ-WRITE")


def _facts(view: View) -> bytes:
    folder = view.folder
    unseen = [n for n, uid in enumerate(view.uids, 1) if "S" not in folder.messages[uid].letters]
    first = b"* OK [UNSEEN %d] First unseen.\r\n" % unseen[0] if unseen else b""
    return (
        first
        + b"* OK [UIDVALIDITY %d] UIDs are valid.\r\n" % folder.validity
        + b"* OK [UIDNEXT %d] Next UID.\r\n" % folder.next_uid
    )


async def status(state: ImapState, command: Command) -> Result:
    node, items = wanted(command, 2)
    name = canonical(text(node))
    names = [item.upper() for item in texts(items)]
    if not set(names) <= set(STATUS_ITEMS):
        raise ImapRefusal("unknown item", "RFC 3501 §6.3.10")
    found = await state.hold.change(lambda: _counts(_opened(state, name)))
    shown = b" ".join(b"%s %d" % (item.encode(), found[item]) for item in names)
    await state.say(b"* STATUS %s (%s)\r\n" % (string(name.encode()), shown))
    return Result()


def _counts(folder: Folder) -> dict[str, int]:
    unseen = [each for each in folder.messages.values() if "S" not in each.letters]
    values = (
        len(folder.messages),
        len(folder.recent),
        folder.next_uid,
        folder.validity,
        len(unseen),
    )
    return dict(zip(STATUS_ITEMS, values, strict=True))


async def list_folders(state: ImapState, command: Command) -> Result:
    """LIST and LSUB: every folder counts as subscribed."""
    reference, pattern = map(text, wanted(command, 2))
    kind = command.name.encode()
    if not pattern:
        await state.say(b'* %s (\\Noselect) "%s" ""\r\n' % (kind, SEPARATOR.encode()))
        return Result()
    whole = reference + pattern
    if len(whole) > PATTERN:
        raise ImapRefusal("pattern over the limit")
    names = await state.hold.read(state.hold.home.names)
    lines = [
        b'* %s () "%s" %s\r\n' % (kind, SEPARATOR.encode(), string(name.encode()))
        for name in names
        if matches(whole, name) or (name == INBOX and matches(whole.upper(), name))
    ]
    await state.say(b"".join(lines))
    return Result()


def matches(pattern: str, name: str) -> bool:
    """`*` is anything, `%` anything within one level (RFC 3501 §6.3.8). Takes time that grows with
    the product of both lengths and no faster."""
    places = {0}
    for sign in [*name, ""]:  # the last one lets wild cards at the end stand for nothing
        places = _without(pattern, places)
        if not sign:
            break
        places = {
            place + (pattern[place] not in "*%")
            for place in places
            if place < len(pattern)
            and (pattern[place] in {"*", sign} or (pattern[place] == "%" and sign != SEPARATOR))
        }
    return len(pattern) in places


def _without(pattern: str, places: set[int]) -> set[int]:
    """These, and those behind wild cards that stand for nothing."""
    found = set(places)
    for place in places:
        following = place
        while following < len(pattern) and pattern[following] in "*%":
            following += 1
            found.add(following)
    return found


async def create(state: ImapState, command: Command) -> Result:
    name = text(wanted(command, 1)[0]).removesuffix(SEPARATOR)
    await state.hold.change(lambda: state.hold.home.create(name))
    return Result()


async def delete(state: ImapState, command: Command) -> Result:
    name = text(wanted(command, 1)[0])
    await state.hold.change(lambda: state.hold.home.delete(name))
    return Result()


async def rename(state: ImapState, command: Command) -> Result:
    name, new = map(text, wanted(command, 2))
    await state.hold.change(lambda: state.hold.home.rename(name, new))
    return Result()


async def subscribe(state: ImapState, command: Command) -> Result:
    """Raises NoSuchMailbox; all folders are subscribed anyway."""
    name = canonical(text(wanted(command, 1)[0]))
    if name not in await state.hold.read(state.hold.home.names):
        raise NoSuchMailbox("no such folder")
    return Result()


async def unsubscribe(state: ImapState, command: Command) -> Result:
    wanted(command, 1)
    del state
    return Result(b"Every folder stays subscribed here.", b"CANNOT", b"NO")


async def append(state: ImapState, command: Command) -> Result:
    """RFC 3501 §6.3.11; the UID is told (RFC 4315)."""
    name, *rest, data = wanted(command, 2, 4)
    if not isinstance(data, Word) or not data.is_string:
        raise ImapRefusal("APPEND wants a message", "RFC 3501 §6.3.11")
    letters = letters_of(texts(rest.pop(0))) if rest and isinstance(rest[0], list) else ""
    date_s = _date(text(rest.pop(0))) if rest else None
    folder_name, wire = canonical(text(name)), to_wire(data.value)
    if rest or not wire or b"\0" in wire:
        raise MailboxRefused("this is no message")

    def appended() -> tuple[int, int]:
        folder = target(state, folder_name)
        return folder.validity, folder.append(wire, letters, date_s)

    pair = await state.hold.change(appended)
    return Result(b"Appended.", b"APPENDUID %d %d" % pair)


class TryCreate(NoSuchMailbox):
    """The target of a copy is not there (RFC 3501 §6.4.7)."""

    code = b"TRYCREATE"


def target(state: ImapState, name: str) -> Folder:
    """Inside the fence."""
    try:
        return state.hold.home.folder(name)
    except NoSuchMailbox as error:
        raise TryCreate(str(error)) from None


def _date(value: str) -> float:
    found = parsedate_tz(value.strip())
    try:
        if found is not None:
            return float(mktime_tz(found))
    except (ValueError, OverflowError):
        pass
    raise ImapRefusal("malformed date", "RFC 3501 §9")


async def close(state: ImapState, command: Command) -> Result:
    """Expunges without telling (RFC 3501 §6.4.2)."""
    wanted(command, 0)
    view = state.selected()
    if not view.is_read_only:
        folder = view.folder

        def emptied() -> None:
            folder.expunge([m.uid for m in folder.messages.values() if "T" in m.letters])

        await state.hold.change(emptied)
    state.view = None
    return Result()


async def unselect(state: ImapState, command: Command) -> Result:
    """RFC 3691."""
    wanted(command, 0)
    state.selected()
    state.view = None
    return Result()
