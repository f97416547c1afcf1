"""IMAP's commands on messages of the selected folder (RFC 3501 §6.4, RFC 4315, RFC 6851).

One function a command; each serves the form with UID as well. Must not know how files are kept.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial

from l7lb.errors import NoSuchMailbox
from l7lb.mailserver import imap_sets
from l7lb.mailserver.folder import Change
from l7lb.mailserver.imap_fetch import Item, flags, parse_items, sets_seen
from l7lb.mailserver.imap_folders import target, wanted
from l7lb.mailserver.imap_search import CHARSETS, BadCharset, Test, parse
from l7lb.mailserver.imap_state import ImapState, Result, letters_of
from l7lb.mailserver.imap_syntax import Command, text, texts
from l7lb.mailserver.imap_view import View
from l7lb.mailserver.names import canonical
from l7lb_protocols.imap.errors import ImapRefusal

BATCH_BYTES = 1 << 20
"""Of answers that are made before they are sent; one more message may come on top."""
_CHANGES = {"FLAGS": Change.SET, "+FLAGS": Change.ADD, "-FLAGS": Change.REMOVE}


def _by_uid(command: Command) -> bool:
    return command.name.startswith("UID ")


async def fetch(state: ImapState, command: Command) -> Result:
    numbers, asked = wanted(command, 2)
    view = state.selected()
    items = parse_items(asked)
    if _by_uid(command) and "UID" not in items:
        items.insert(0, "UID")
    uids = view.chosen(text(numbers), by_uid=_by_uid(command))
    if sets_seen(items) and not view.is_read_only:
        await _see(state, view, uids)
    while uids:
        data, done = await state.hold.read(partial(_answers, view, uids, items))
        await state.say(data)
        uids = uids[done:]
    return Result()


async def _see(state: ImapState, view: View, uids: list[int]) -> None:
    """BODY[…] without PEEK sets \\Seen (RFC 3501 §6.4.5)."""
    messages = view.folder.messages
    unseen = [uid for uid in uids if uid in messages and "S" not in messages[uid].letters]
    if unseen:
        await state.hold.change(lambda: view.folder.set_flags(unseen, "S", Change.ADD))


def _answers(view: View, uids: list[int], items: list[Item]) -> tuple[bytes, int]:
    """Of the first of them, and how many that are. What is gone meanwhile has no answer."""
    lines: list[bytes] = []
    size, done = 0, len(uids)
    for number, sheet in view.sheets(uids):
        with suppress(NoSuchMailbox):
            lines.append(b"* %d FETCH (%s)\r\n" % (number, sheet.answer(items)))
            size += len(lines[-1])
        if size >= BATCH_BYTES:
            done = uids.index(sheet.found.uid) + 1
            break
    if "FLAGS" in items:
        view.told(uids[:done])
    return b"".join(lines), done


async def store(state: ImapState, command: Command) -> Result:
    numbers, how, *rest = wanted(command, 3, 100)
    view = state.selected(writable=True)
    kind, _, silent = text(how).upper().partition(".")
    if kind not in _CHANGES or silent not in {"", "SILENT"}:
        raise ImapRefusal("malformed STORE", "RFC 3501 §6.4.6")
    letters = letters_of([word for node in rest for word in texts(node)])
    uids = view.chosen(text(numbers), by_uid=_by_uid(command))

    def changed() -> bytes:
        view.folder.set_flags(uids, letters, _CHANGES[kind])
        view.told(uids)
        return b"" if silent else _flag_lines(view, uids, by_uid=_by_uid(command))

    await state.say(await state.hold.change(changed))
    return Result()


def _flag_lines(view: View, uids: list[int], *, by_uid: bool) -> bytes:
    lines = [
        b"* %d FETCH (%sFLAGS (%s))\r\n"
        % (
            number,
            b"UID %d " % sheet.found.uid if by_uid else b"",
            flags(sheet.found.letters, is_recent=sheet.is_recent),
        )
        for number, sheet in view.sheets(uids)
    ]
    return b"".join(lines)


async def search(state: ImapState, command: Command) -> Result:
    view = state.selected()
    try:
        test = parse(command.arguments, view.numbers())
    except BadCharset:
        known = b"BADCHARSET (" + " ".join(sorted(CHARSETS)).encode() + b")"
        return Result(b"Not in this character set.", known, b"NO")

    found = await state.hold.read(lambda: _matching(view, test))
    numbers = [uid if _by_uid(command) else number for number, uid in found]
    await state.say(b"".join([b"* SEARCH", *(b" %d" % each for each in numbers), b"\r\n"]))
    return Result()


def _matching(view: View, test: Test) -> list[tuple[int, int]]:
    """Sequence numbers and UIDs."""
    found: list[tuple[int, int]] = []
    for number, sheet in view.sheets(view.uids):
        with suppress(NoSuchMailbox):
            if test(number, sheet):
                found.append((number, sheet.found.uid))
    return found


async def copy(state: ImapState, command: Command) -> Result:
    code = await _copied(state, command, is_move=False)
    return Result(b"Copied.", code)


async def move(state: ImapState, command: Command) -> Result:
    """RFC 6851: the new UIDs are told before the old messages are gone."""
    code = await _copied(state, command, is_move=True)
    if code:
        await state.say(b"* OK [" + code + b"] Moved.\r\n")
    return Result()


async def _copied(state: ImapState, command: Command, *, is_move: bool) -> bytes:
    """The code that tells the UIDs (RFC 4315 §3); empty when nothing was copied."""
    numbers, name = wanted(command, 2)
    view = state.selected(writable=is_move)
    uids = view.chosen(text(numbers), by_uid=_by_uid(command))
    folder_name = canonical(text(name))

    def copied() -> tuple[int, list[tuple[int, int]]]:
        folder = target(state, folder_name)
        pairs = folder.copy_from(view.folder, uids)
        if is_move:
            view.folder.expunge([old for old, _ in pairs])
        return folder.validity, pairs

    validity, pairs = await state.hold.change(copied)
    if not pairs:
        return b""
    old, new = (imap_sets.render(side) for side in zip(*pairs, strict=True))
    return b"COPYUID %d %s %s" % (validity, old, new)


async def expunge(state: ImapState, command: Command) -> Result:
    """Of the messages with \\Deleted; UID EXPUNGE, of those named (RFC 4315 §2.1)."""
    (numbers,) = wanted(command, 1) if _by_uid(command) else (None,)
    view = state.selected(writable=True)
    uids = view.uids if numbers is None else view.chosen(text(numbers), by_uid=True)

    def expunged() -> None:
        messages = view.folder.messages
        view.folder.expunge(
            [uid for uid in uids if uid in messages and "T" in messages[uid].letters]
        )

    await state.hold.change(expunged)
    return Result()
