"""What one IMAP session knows of its selected folder, and what it has to be told (RFC 3501 §7.4).

Owns the session's sequence numbers: they change only when the client is told so. Pure but for the
folder's picture, which it reads.
"""

from __future__ import annotations

from collections.abc import Iterator

from l7lb.mailserver.folder import Folder
from l7lb.mailserver.imap_fetch import Sheet, flags
from l7lb.mailserver.imap_search import Numbers
from l7lb.mailserver.imap_sets import members


class View:
    """Made when the folder is selected; its first `updates` tells how many messages there are."""

    def __init__(self, name: str, folder: Folder, *, is_read_only: bool) -> None:
        self.name = name
        self.folder = folder
        self.is_read_only = is_read_only
        self.uids: list[int] = []
        self.recent: set[int] = set()
        self._letters: dict[int, str] = {}
        self._is_told = False

    def updates(self, *, may_expunge: bool) -> bytes:
        """Untagged responses for all that has changed. Messages that are gone keep their numbers
        until `may_expunge`: FETCH, STORE and SEARCH must not shift them (RFC 3501 §7.4.1)."""
        told = self._expunged() if may_expunge else b""
        told += self._arrived()
        for number, uid in enumerate(self.uids, 1):
            message = self.folder.messages.get(uid)
            if message is not None and message.letters != self._letters[uid]:
                told += self._flags(number, uid)
        return told

    def _expunged(self) -> bytes:
        gone = [number for number, uid in enumerate(self.uids, 1) if not self._is_here(uid)]
        for number in reversed(gone):
            uid = self.uids.pop(number - 1)
            self._letters.pop(uid)
            self.recent.discard(uid)
        return b"".join(b"* %d EXPUNGE\r\n" % number for number in reversed(gone))

    def _is_here(self, uid: int) -> bool:
        return uid in self.folder.messages

    def _arrived(self) -> bytes:
        last = self.uids[-1] if self.uids else 0
        fresh = [uid for uid in self.folder.messages if uid > last]
        if not fresh and self._is_told:
            return b""
        self._is_told = True
        self.uids += fresh
        for uid in fresh:
            self._letters[uid] = self.folder.messages[uid].letters
        self._claim_recent()
        return b"* %d EXISTS\r\n* %d RECENT\r\n" % (len(self.uids), len(self.recent))

    def _claim_recent(self) -> None:
        if self.is_read_only:
            self.recent |= self.folder.recent & set(self.uids)
            return
        claimed = self.folder.recent & set(self.uids)
        self.folder.recent -= claimed
        self.recent |= claimed

    def _flags(self, number: int, uid: int) -> bytes:
        letters = self.folder.messages[uid].letters
        self._letters[uid] = letters
        shown = flags(letters, is_recent=uid in self.recent)
        return b"* %d FETCH (UID %d FLAGS (%s))\r\n" % (number, uid, shown)

    def told(self, uids: list[int]) -> None:
        """The client knows the flags of these without being told."""
        for uid in uids:
            if uid in self._letters and self._is_here(uid):
                self._letters[uid] = self.folder.messages[uid].letters

    def chosen(self, text: str, *, by_uid: bool) -> list[int]:
        """UIDs that a set of the client's names. Raises ImapRefusal."""
        if by_uid:
            return members(text, self.uids)
        sequence = range(1, len(self.uids) + 1)
        return [self.uids[number - 1] for number in members(text, sequence)]

    def numbers(self) -> Numbers:
        return Numbers(list(range(1, len(self.uids) + 1)), list(self.uids))

    def sheets(self, uids: list[int]) -> Iterator[tuple[int, Sheet]]:
        """With sequence numbers; of those that are still there."""
        places = {uid: number for number, uid in enumerate(self.uids, 1)}
        for uid in uids:
            found = self.folder.messages.get(uid)
            if uid in places and found is not None:
                yield places[uid], Sheet(self.folder, found, is_recent=uid in self.recent)
