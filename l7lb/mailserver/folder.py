"""One folder of an account that this process owns: messages, UIDs, flags.

Owns the folder's `cur/` and its file of UIDs, and the picture of both in memory. Everything here
blocks. Whoever calls what changes the disk is inside the fence, and calls one at a time. Must not
know locks, protocols or sessions.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from l7lb.errors import MailboxAway, NoSuchMailbox
from l7lb.mailserver import maildir, uidlist
from l7lb.mailserver.message import to_wire


@dataclass(frozen=True, slots=True)
class Message:
    """As it was when last looked at. `letters`: its flags as Maildir has them, in order."""

    uid: int
    unique: str
    letters: str = ""

    @property
    def name(self) -> str:
        return self.unique + maildir.INFO + self.letters


class Change(Enum):
    """What STORE does with the flags that it names."""

    SET = "set"
    ADD = "add"
    REMOVE = "remove"


class Folder:
    """`messages` in ascending order of UIDs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.messages: dict[int, Message] = {}
        self.recent: set[int] = set()
        """Came in since the last session asked; the first that asks has them (RFC 3501 §2.3.2)."""
        self._uids = uidlist.UidList(1)
        self._is_written = True
        """The file of UIDs says what is known here: no UID is told before."""

    @property
    def validity(self) -> int:
        return self._uids.validity

    @property
    def next_uid(self) -> int:
        return self._uids.next

    def load(self, validity: int = 1) -> None:
        """Changes the disk. A new file of UIDs has at least this validity.

        Raises MailboxAway when the file of UIDs is damaged, OSError.
        """
        file = self.path / uidlist.FILE
        try:
            self._uids = uidlist.parse(file.read_bytes())
        except FileNotFoundError:
            self._uids = uidlist.UidList(max(validity, int(time.time())))
        except ValueError as error:
            raise MailboxAway("the folder's file of UIDs is damaged") from error
        maildir.drop_old_drafts(self.path)
        self._scan(is_new=not file.exists())

    def has_arrivals(self) -> bool:
        """Whether `sync` would find anything, or finish what failed. Changes nothing."""
        return not self._is_written or bool(maildir.names_in(self.path / "new"))

    def sync(self) -> None:
        """Take in what was delivered. Changes the disk."""
        if self.has_arrivals():
            self._scan()

    def read(self, uid: int) -> bytes:
        """The message, each line with CRLF. Raises NoSuchMailbox."""
        message = self.messages.get(uid)
        if message is None:
            raise NoSuchMailbox("the message is gone")
        try:
            return to_wire((self.path / "cur" / message.name).read_bytes())
        except FileNotFoundError:
            raise NoSuchMailbox("the message's file is gone") from None

    def size(self, uid: int) -> int:
        """In bytes, as `read` gives it. Raises NoSuchMailbox."""
        message = self.messages.get(uid)
        known = maildir.wire_size(message.unique) if message is not None else None
        return len(self.read(uid)) if known is None else known

    def date(self, uid: int) -> float:
        """When it came, in seconds of the epoch. Raises NoSuchMailbox."""
        message = self.messages.get(uid)
        try:
            return (self.path / "cur" / message.name).stat().st_mtime if message else 0.0
        except FileNotFoundError:
            raise NoSuchMailbox("the message's file is gone") from None

    def set_flags(self, uids: Iterable[int], letters: str, change: Change) -> None:
        """Of those that are there. Changes the disk."""
        for uid in uids:
            message = self.messages.get(uid)
            if message is None:
                continue
            following = Message(uid, message.unique, _changed(message.letters, letters, change))
            if following != message:
                (self.path / "cur" / message.name).rename(self.path / "cur" / following.name)
                self.messages[uid] = following
        maildir.sync_directory(self.path / "cur")

    def expunge(self, uids: Iterable[int]) -> None:
        """Remove messages for good. Changes the disk."""
        gone = [self.messages[uid] for uid in uids if uid in self.messages]
        for message in gone:
            (self.path / "cur" / message.name).unlink(missing_ok=True)
            del self.messages[message.uid]
            self._uids.uids.pop(message.unique, None)
            self.recent.discard(message.uid)
        if gone:
            maildir.sync_directory(self.path / "cur")
            self._write()

    def append(self, data: bytes, letters: str, date_s: float | None = None) -> int:
        """A new message; its UID. Changes the disk, and leaves nothing there when it raises."""
        staged = maildir.stage(self.path, data)
        message = Message(self._uids.assign(staged.name), staged.name, _changed("", letters))
        target = self.path / "cur" / message.name
        try:
            if date_s is not None:
                os.utime(staged, (date_s, date_s))
            staged.rename(target)
            maildir.sync_directory(target.parent)
            self._write()
        except BaseException:
            self._uids.uids.pop(message.unique)
            for each in (staged, target):
                each.unlink(missing_ok=True)
            raise
        self.messages[message.uid] = message
        self.recent.add(message.uid)
        return message.uid

    def copy_from(self, source: Folder, uids: Iterable[int]) -> list[tuple[int, int]]:
        """Copies with flags and dates; pairs of old and new UIDs. Changes the disk.

        All or nothing (RFC 3501 §6.4.7): after an error the copies are gone.
        """
        made: list[tuple[int, int]] = []
        try:
            for uid in uids:
                if uid in source.messages:
                    letters = source.messages[uid].letters
                    made.append((uid, self.append(source.read(uid), letters, source.date(uid))))
        except BaseException:
            self.expunge([new for _, new in made])
            raise
        return made

    def _scan(self, *, is_new: bool = False) -> None:
        """Bring the picture up to what is on the disk; give UIDs to what has none."""
        arrived = sorted(maildir.names_in(self.path / "new"), key=maildir.age_key)
        for name in arrived:
            unique, letters = maildir.split_name(name)
            target = self.path / "cur" / (unique + maildir.INFO + letters)
            (self.path / "new" / name).rename(target)
        if arrived:
            maildir.sync_directory(self.path / "cur")
        here = dict(map(maildir.split_name, maildir.names_in(self.path / "cur")))
        known = self._uids.uids
        self._uids.uids = {unique: uid for unique, uid in known.items() if unique in here}
        strangers = sorted(here.keys() - known.keys(), key=maildir.age_key)
        fresh = {self._uids.assign(unique) for unique in strangers}
        if fresh or is_new or len(self._uids.uids) < len(known):
            self._is_written = False
        if not self._is_written:
            self._write()
        uids = self._uids.uids.items()
        self._settle_names(here)
        self.messages = {uid: Message(uid, unique, here[unique]) for unique, uid in uids}
        self.recent = (self.recent | fresh) & self.messages.keys()

    def _settle_names(self, here: dict[str, str]) -> None:
        """Names that other programs wrote: without flags, or with flags in another order."""
        for name in maildir.names_in(self.path / "cur"):
            unique, _ = maildir.split_name(name)
            wanted = unique + maildir.INFO + here[unique]
            if name != wanted:
                (self.path / "cur" / name).rename(self.path / "cur" / wanted)

    def _write(self) -> None:
        self._is_written = False
        maildir.replace(self.path / uidlist.FILE, self._uids.render())
        self._is_written = True


def _changed(have: str, letters: str, change: Change = Change.ADD) -> str:
    """Letters that are no flags of IMAP's stay in any case: they are other programs'."""
    kept = {letter for letter in have if letter not in maildir.LETTERS}
    match change:
        case Change.SET:
            found = kept | set(letters)
        case Change.ADD:
            found = set(have) | set(letters)
        case Change.REMOVE:
            found = set(have) - set(letters)
    return "".join(sorted(found))
