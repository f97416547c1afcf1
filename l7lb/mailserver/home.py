"""The directory of one account: its Maildir with all folders (Maildir++).

    ROOT/ACCOUNT/.fence           token of the account's owner
    ROOT/ACCOUNT/.fence-new       token of whoever stopped deliveries
    ROOT/ACCOUNT/Maildir/         INBOX; each `.Folder` in it is another one

Owns which folders there are. Everything here blocks; what changes the disk is called inside the
fence. Must not know locks or protocols.
"""

from __future__ import annotations

import secrets
import shutil
from pathlib import Path

from l7lb.errors import MailboxExists, MailboxRefused, NoSuchMailbox
from l7lb.mailserver import maildir
from l7lb.mailserver.folder import Folder
from l7lb.mailserver.names import INBOX, SEPARATOR, account_directory, canonical, folder_directory

FENCE_NEW = ".fence-new"
GRAVE = "deleted-"
FOLDERS = 1000
"""Of one account."""


class Home:
    def __init__(self, root: Path, account: str) -> None:
        self.account = account
        self.path = root / account_directory(account)
        self.maildir = self.path / "Maildir"
        self._open: dict[str, Folder] = {}
        self._validity = 0
        """The highest that a deleted folder had: its name must not come back with its UIDs."""

    def make(self) -> None:
        """With an empty INBOX; does nothing when it is there. May run anywhere, any time."""
        maildir.make(self.maildir)

    def folder(self, name: str) -> Folder:
        """Loaded when it is first asked for, which changes the disk. Raises NoSuchMailbox,
        MailboxRefused, MailboxAway."""
        name = canonical(name)
        path = self.maildir / folder_directory(name)
        if not maildir.is_made(path):
            self._open.pop(name, None)
            raise NoSuchMailbox("no such folder")
        found = self._open.get(name)
        if found is None:
            found = Folder(path)
            found.load(self._validity + 1)
            self._open[name] = found
        return found

    def names(self) -> list[str]:
        """INBOX first."""
        found = [
            path.name.removeprefix(SEPARATOR)
            for path in self.maildir.iterdir()
            if path.name.startswith(SEPARATOR) and maildir.is_made(path)
        ]
        return [INBOX, *sorted(found)]

    def create(self, name: str) -> None:
        """Raises MailboxExists, MailboxRefused. What a crash left half made is finished."""
        path = self.maildir / folder_directory(name)
        if maildir.is_made(path):
            raise MailboxExists("the folder is there already")
        if len(self.names()) > FOLDERS:
            raise MailboxRefused("too many folders")
        maildir.make(path)
        (path / "maildirfolder").touch(mode=0o600)

    def delete(self, name: str) -> None:
        """With its messages; folders below it stay. Raises NoSuchMailbox, MailboxRefused.

        It has a name that is none first, so that a crash leaves no half of a folder; what one has
        left of that kind goes as well.
        """
        path = self.maildir / folder_directory(name)
        if path == self.maildir:
            raise MailboxRefused("INBOX stays")
        if not maildir.is_made(path):
            raise NoSuchMailbox("no such folder")
        self._validity = max(self._validity, self.folder(name).validity)
        del self._open[canonical(name)]
        path.rename(self.path / f"{GRAVE}{secrets.token_hex(8)}")
        maildir.sync_directory(self.maildir)
        for grave in self.path.glob(GRAVE + "*"):
            shutil.rmtree(grave)

    def rename(self, name: str, new: str) -> None:
        """With the folders below it. Raises NoSuchMailbox, MailboxExists, MailboxRefused."""
        old, target = folder_directory(name), folder_directory(new)
        if not old or not target:
            raise MailboxRefused("INBOX keeps its name")
        if not (self.maildir / old).is_dir():
            raise NoSuchMailbox("no such folder")
        if (self.maildir / target).exists() or target.startswith(old + SEPARATOR):
            raise MailboxExists("the folder is there already, or would be below itself")
        for each in self.names():
            path = SEPARATOR + each
            if path == old or path.startswith(old + SEPARATOR):
                self._open.pop(each, None)
                (self.maildir / path).rename(self.maildir / (target + path[len(old) :]))
        maildir.sync_directory(self.maildir)
