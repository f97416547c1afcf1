"""What the commands of one IMAP session work on, and how they answer.

Owns the selected folder. Must not know which commands there are.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

from l7lb.errors import MailboxError, MailboxRefused
from l7lb.mailserver.connection import Connection
from l7lb.mailserver.imap_view import View
from l7lb.mailserver.maildir import FLAGS
from l7lb.mailserver.owners import Hold
from l7lb_protocols.imap.errors import ImapRefusal

LOG = logging.getLogger(__name__)
LETTERS = {flag.upper(): letter for flag, letter in FLAGS.items()}


@dataclass(frozen=True, slots=True)
class Result:
    """The tagged answer. `code` without brackets."""

    text: bytes = b"Done."
    code: bytes = b""
    status: bytes = b"OK"


class ImapState:
    def __init__(self, connection: Connection, hold: Hold, server: str) -> None:
        self.connection = connection
        self.hold = hold
        self.server = server
        self.view: View | None = None

    def selected(self, *, writable: bool = False) -> View:
        """Raises ImapRefusal, MailboxRefused."""
        if self.view is None:
            raise ImapRefusal("no folder is selected", "RFC 3501 §3.3")
        if writable and self.view.is_read_only:
            raise MailboxRefused("the folder is open for reading only")
        return self.view

    async def say(self, data: bytes) -> None:
        """Raises ConnectionEnded."""
        if data:
            await self.connection.send(data)

    async def refresh(self, *, may_expunge: bool) -> None:
        """Tell the client what has changed in the selected folder."""
        view = self.view
        if view is None:
            return
        try:
            if await self.hold.read(view.folder.has_arrivals):
                await self.hold.change(view.folder.sync)
            told = await self.hold.read(lambda: view.updates(may_expunge=may_expunge))
        except MailboxError as error:
            LOG.info("%s: no news: %s", self.hold.account, error)
            return
        await self.say(told)


def letters_of(flags: list[str]) -> str:
    """Of the flags that can be kept; others are passed over, as PERMANENTFLAGS announces."""
    return "".join(LETTERS[flag.upper()] for flag in flags if flag.upper() in LETTERS)
