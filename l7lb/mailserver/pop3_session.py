"""One POP3 session after login (RFC 1939, RFC 2449): a fixed picture of INBOX, changed at QUIT.

Owns the session's numbers and which messages it deletes. Must not know how files are kept.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import ClassVar

from l7lb.accounts import Account
from l7lb.errors import MailboxAway, MailboxError, NoSuchMailbox
from l7lb.mailserver import message
from l7lb.mailserver.connection import Connection, ConnectionEnded, Evicted
from l7lb.mailserver.folder import Folder
from l7lb.mailserver.login import log_in
from l7lb.mailserver.names import INBOX
from l7lb.mailserver.owners import Hold
from l7lb.mailserver.services import Services
from l7lb_protocols.login.client_side import ClientSettings, Peer
from l7lb_protocols.login.events import LoggedIn, Verdict
from l7lb_protocols.pop3.client_side import Pop3ClientSide
from l7lb_protocols.pop3.commands import Command, CommandReader
from l7lb_protocols.pop3.errors import Pop3Refusal
from l7lb_protocols.pop3.render import body, err, ok
from l7lb_storage import Lock, NotGranted, StorageError

LOG = logging.getLogger(__name__)
CAPABILITIES = (b"TOP", b"UIDL", b"USER", b"PIPELINING", b"RESP-CODES", b"AUTH-RESP-CODE")
_DOT = re.compile(rb"(\A|\r\n)\.")
IDLE_S = 600.0
"""RFC 1939 §3: at least ten minutes."""
BAD = 20
"""Refused commands before the connection is closed."""


class Pop3Session:
    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._hold: Hold | None = None
        self._maildrop: Lock | None = None
        self._reader = CommandReader()
        self._uids: list[int] = []
        self._sizes: list[int] = []
        self._deleted: set[int] = set()
        self._validity = 0
        self._is_over = False
        self._bad = 0

    async def run(self) -> None:
        """Until the client has gone."""
        connection = self._connection
        is_trusted = connection.peer in {"127.0.0.1", "::1"}
        settings = ClientSettings(
            secrets_in_clear=True, capabilities=CAPABILITIES, greeting=b"l7lb mail server ready"
        )
        dialogue = Pop3ClientSide(settings, Peer(is_trusted=is_trusted))
        try:
            rest = await log_in(connection, dialogue, self._services.door, self._admit)
            if rest is not None:
                self._reader.receive(rest)
                await self._serve()
        except Evicted as error:
            with suppress(ConnectionEnded):
                await connection.send(err(str(error).encode(), b"SYS/TEMP"))
        except (ConnectionEnded, TimeoutError):
            pass
        finally:
            await self._leave()

    async def _admit(self, account: Account) -> Verdict | LoggedIn:
        try:
            owners = self._services.owners
            self._maildrop = await owners.take_maildrop(account.name)
            self._hold = hold = await owners.enter(account.name, self._connection)
            await hold.change(self._look)
        except NotGranted:
            await self._leave()
            return Verdict.IN_USE
        except (MailboxError, StorageError) as error:
            LOG.warning("%s: POP3 refused: %s", account.name, error)
            await self._leave()
            return Verdict.UNAVAILABLE
        return LoggedIn(b"%d messages" % len(self._uids))

    def _look(self) -> None:
        folder = self._folder()
        folder.sync()
        self._uids = list(folder.messages)
        self._sizes = [folder.size(uid) for uid in self._uids]
        self._validity = folder.validity

    def _folder(self) -> Folder:
        assert self._hold is not None
        return self._hold.home.folder(INBOX)

    async def _leave(self) -> None:
        hold, self._hold = self._hold, None
        maildrop, self._maildrop = self._maildrop, None
        if maildrop is not None:
            with suppress(StorageError):
                await maildrop.release()
        if hold is not None:
            self._services.owners.leave(hold, self._connection)

    async def _serve(self) -> None:
        while not self._is_over:
            try:
                command = self._reader.next_command()
            except Pop3Refusal as problem:
                await self._refuse(problem.reason.encode())
                self._is_over = self._is_over or problem.is_fatal
                continue
            if command is None:
                self._reader.receive(await self._connection.read(IDLE_S))
                continue
            await self._connection.send(await self._answer(command))
            if self._connection.evicted is not None:
                raise self._connection.evicted

    async def _answer(self, command: Command) -> bytes:
        serve = self.COMMANDS.get(command.name)
        try:
            if serve is None:
                raise Pop3Refusal("unknown command")
            return await serve(self, command)
        except Pop3Refusal as problem:
            self._count_bad()
            return err(problem.reason.encode())
        except MailboxError as error:
            code = b"SYS/TEMP" if isinstance(error, MailboxAway) else b""
            return err(str(error).encode("ascii", "replace"), code)

    async def _refuse(self, text: bytes) -> None:
        self._count_bad()
        await self._connection.send(err(text))

    def _count_bad(self) -> None:
        self._bad += 1
        self._is_over = self._is_over or self._bad >= BAD

    # ------------------------------------------------------------- commands

    async def _stat(self, command: Command) -> bytes:
        self._numbers(command, 0)
        left = [self._sizes[index] for index in self._left()]
        return ok(b"%d %d" % (len(left), sum(left)))

    async def _list(self, command: Command) -> bytes:
        return self._listing(command, [b"%d" % size for size in self._sizes])

    async def _uidl(self, command: Command) -> bytes:
        return self._listing(command, [b"%d.%d" % (self._validity, uid) for uid in self._uids])

    def _listing(self, command: Command, values: list[bytes]) -> bytes:
        if command.argument is not None:
            index = self._index(self._numbers(command, 1)[0])
            return ok(b"%d %s" % (index + 1, values[index]))
        return body(b"", [b"%d %s" % (index + 1, values[index]) for index in self._left()])

    async def _retr(self, command: Command) -> bytes:
        data = await self._read(self._numbers(command, 1)[0])
        return _dotted(b"%d octets" % len(data), data)

    async def _top(self, command: Command) -> bytes:
        number, lines = self._numbers(command, 2)
        head, text = message.split(await self._read(number))
        shown = text.split(b"\r\n")[:lines]
        return _dotted(b"Top follows.", head + b"".join(line + b"\r\n" for line in shown))

    async def _read(self, number: int) -> bytes:
        assert self._hold is not None
        uid = self._uids[self._index(number)]
        return await self._hold.read(lambda: self._folder().read(uid))

    async def _dele(self, command: Command) -> bytes:
        self._deleted.add(self._index(self._numbers(command, 1)[0]))
        return ok(b"Marked.")

    async def _rset(self, command: Command) -> bytes:
        self._numbers(command, 0)
        self._deleted.clear()
        return ok(b"Nothing is marked.")

    async def _noop(self, command: Command) -> bytes:
        self._numbers(command, 0)
        return ok(b"Nothing done.")

    async def _capa(self, command: Command) -> bytes:
        """Who is in may know which server this is (RFC 2449 §6.9)."""
        self._numbers(command, 0)
        name = self._services.spec.name.encode()
        shown = (*CAPABILITIES, b"IMPLEMENTATION l7lb " + name)
        return body(b"Capabilities follow.", shown)

    async def _quit(self, command: Command) -> bytes:
        """The UPDATE state: what is marked goes now, or -ERR says that it did not (§6)."""
        self._numbers(command, 0)
        self._is_over = True
        uids = [self._uids[index] for index in self._deleted]
        try:
            if uids:
                assert self._hold is not None
                await self._hold.change(lambda: self._folder().expunge(uids))
        finally:
            await self._leave()  # before the answer: the client may come again at once
        return ok(b"%d messages removed, bye." % len(uids))

    # ------------------------------------------------------------- arguments

    def _numbers(self, command: Command, count: int) -> list[int]:
        """The arguments. Raises Pop3Refusal unless they are so many numbers."""
        words = command.words()
        if len(words) != count or not all(word.isdigit() and len(word) < 10 for word in words):
            raise Pop3Refusal("wrong arguments")
        return [int(word) for word in words]

    def _index(self, number: int) -> int:
        """Raises NoSuchMailbox."""
        if not 0 < number <= len(self._uids) or number - 1 in self._deleted:
            raise NoSuchMailbox("no such message")
        return number - 1

    def _left(self) -> list[int]:
        return [index for index in range(len(self._uids)) if index not in self._deleted]

    COMMANDS: ClassVar[dict[bytes, Callable[[Pop3Session, Command], Awaitable[bytes]]]] = {
        b"STAT": _stat,
        b"LIST": _list,
        b"UIDL": _uidl,
        b"RETR": _retr,
        b"TOP": _top,
        b"DELE": _dele,
        b"RSET": _rset,
        b"NOOP": _noop,
        b"CAPA": _capa,
        b"QUIT": _quit,
    }


def _dotted(text: bytes, data: bytes) -> bytes:
    """A message as an answer of several lines (§3); it may hold any bytes."""
    end = b"" if not data or data.endswith(b"\r\n") else b"\r\n"
    return ok(text) + _DOT.sub(rb"\1..", data) + end + b".\r\n"
