"""One IMAP session (RFC 3501): login, then commands, one after the other.

Owns the table of commands and how each ends. Must not know how files are kept.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from l7lb.accounts import Account
from l7lb.errors import MailboxError
from l7lb.mailserver import imap_folders, imap_messages
from l7lb.mailserver.connection import Connection, ConnectionEnded, Evicted, Silent
from l7lb.mailserver.imap_envelope import string
from l7lb.mailserver.imap_folders import wanted
from l7lb.mailserver.imap_reader import IDLE_S, ImapReader, TooBig
from l7lb.mailserver.imap_state import ImapState, Result
from l7lb.mailserver.imap_syntax import Command
from l7lb.mailserver.login import log_in
from l7lb.mailserver.services import Services
from l7lb_protocols.imap import capabilities
from l7lb_protocols.imap.client_side import ImapClientSide
from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.render import continuation, tagged, untagged
from l7lb_protocols.login.client_side import ClientSettings, Peer
from l7lb_protocols.login.events import LoggedIn, Verdict

LOG = logging.getLogger(__name__)
CAPABILITIES = (
    b"IMAP4rev1", b"LITERAL+", b"SASL-IR", b"ID", b"IDLE", b"UIDPLUS", b"MOVE", b"UNSELECT",
    b"NAMESPACE",
)  # fmt: skip
PRODUCT = ((b"name", b"l7lb"),)
POLL_S = 1.0
"""Between looks for new mail in IDLE."""
BAD = 20
"""Refused commands before the connection is closed."""

Serve = Callable[[ImapState, Command], Awaitable[Result]]


class ImapSession:
    def __init__(self, connection: Connection, services: Services) -> None:
        self._connection = connection
        self._services = services
        self._state: ImapState | None = None
        self._bad = 0

    async def run(self) -> None:
        """Until the client has gone."""
        connection = self._connection
        settings = ClientSettings(
            secrets_in_clear=True, capabilities=CAPABILITIES, greeting=b"l7lb mail server ready"
        )
        is_trusted = connection.peer in {"127.0.0.1", "::1"}
        dialogue = ImapClientSide(settings, Peer(is_trusted=is_trusted), product=PRODUCT)
        try:
            rest = await log_in(connection, dialogue, self._services.door, self._admit)
            if rest is not None:
                size = self._services.spec.message_bytes
                await self._serve_all(ImapReader(connection, size, rest))
        except Evicted as error:
            with suppress(ConnectionEnded):
                await connection.send(untagged(b"BYE", str(error).encode(), b"UNAVAILABLE"))
        except (ConnectionEnded, TimeoutError):
            pass
        finally:
            if self._state is not None:
                self._services.owners.leave(self._state.hold, connection)

    async def _admit(self, account: Account) -> Verdict | LoggedIn:
        try:
            hold = await self._services.owners.enter(account.name, self._connection)
        except MailboxError as error:
            LOG.warning("%s: IMAP refused: %s", account.name, error)
            return Verdict.UNAVAILABLE
        self._state = ImapState(self._connection, hold, self._services.spec.name)
        shown = b" ".join(capabilities.after_login(CAPABILITIES))
        return LoggedIn(b"[CAPABILITY " + shown + b"] Logged in.")

    async def _serve_all(self, reader: ImapReader) -> None:
        state = self._state
        assert state is not None
        while self._bad < BAD:
            try:
                command = await reader.next_command()
            except ImapRefusal as problem:
                await self._refuse(problem)
                if problem.is_fatal:
                    break
                continue
            if command.name == "LOGOUT" and not command.arguments:
                await state.say(untagged(b"BYE", b"Logging out."))
                await state.say(tagged(command.tag, b"OK", b"Bye."))
                return
            if command.name == "IDLE":
                await self._idle(state, reader, command)
            else:
                await self._serve(state, command)
        await state.say(untagged(b"BYE", b"Closing."))

    async def _refuse(self, problem: ImapRefusal) -> None:
        self._bad += 1
        text = problem.reason.encode()
        if not problem.tag:
            await self._connection.send(untagged(b"BAD", text))
        elif isinstance(problem, TooBig):
            await self._connection.send(tagged(problem.tag, b"NO", text, b"TOOBIG"))
        else:
            await self._connection.send(tagged(problem.tag, b"BAD", text))

    async def _serve(self, state: ImapState, command: Command) -> None:
        serve = COMMANDS.get(command.name)
        try:
            if serve is None:
                raise ImapRefusal("unknown command")
            result = await serve(state, command)
        except ImapRefusal as problem:
            problem.tag = command.tag
            await self._refuse(problem)
            return
        except MailboxError as error:
            result = Result(str(error).encode("ascii", "replace"), error.code, b"NO")
        await state.refresh(may_expunge=command.name not in KEEP_NUMBERS)
        await state.say(tagged(command.tag, result.status, result.text, result.code))

    async def _idle(self, state: ImapState, reader: ImapReader, command: Command) -> None:
        """RFC 2177. The client is told by itself what changes, until it says DONE."""
        await state.say(continuation(b"Idling."))
        for _ in range(int(IDLE_S / POLL_S)):
            await state.refresh(may_expunge=True)
            with suppress(Silent):
                if (await reader.line(POLL_S)).upper() != b"DONE":
                    await self._refuse(ImapRefusal("DONE was expected", tag=command.tag))
                    return
                await state.refresh(may_expunge=True)
                await state.say(tagged(command.tag, b"OK", b"Done."))
                return
        raise ConnectionEnded("idle for too long")


async def _capability(state: ImapState, command: Command) -> Result:
    wanted(command, 0)
    shown = b" ".join(capabilities.after_login(CAPABILITIES))
    await state.say(untagged(b"CAPABILITY", shown))
    return Result()


async def _id(state: ImapState, command: Command) -> Result:
    wanted(command, 1)
    await state.say(b'* ID ("name" "l7lb" "server" %b)\r\n' % string(state.server.encode()))
    return Result()


async def _nothing(state: ImapState, command: Command) -> Result:
    """NOOP and CHECK: what is new is told after every command."""
    wanted(command, 0)
    if command.name == "CHECK":
        state.selected()
    return Result()


async def _namespace(state: ImapState, command: Command) -> Result:
    """RFC 2342."""
    wanted(command, 0)
    await state.say(b'* NAMESPACE (("" ".")) NIL NIL\r\n')
    return Result()


COMMANDS: dict[str, Serve] = {
    "CAPABILITY": _capability,
    "ID": _id,
    "NOOP": _nothing,
    "CHECK": _nothing,
    "NAMESPACE": _namespace,
    "SELECT": imap_folders.select,
    "EXAMINE": imap_folders.examine,
    "STATUS": imap_folders.status,
    "LIST": imap_folders.list_folders,
    "LSUB": imap_folders.list_folders,
    "CREATE": imap_folders.create,
    "DELETE": imap_folders.delete,
    "RENAME": imap_folders.rename,
    "SUBSCRIBE": imap_folders.subscribe,
    "UNSUBSCRIBE": imap_folders.unsubscribe,
    "APPEND": imap_folders.append,
    "CLOSE": imap_folders.close,
    "UNSELECT": imap_folders.unselect,
    "FETCH": imap_messages.fetch,
    "UID FETCH": imap_messages.fetch,
    "STORE": imap_messages.store,
    "UID STORE": imap_messages.store,
    "SEARCH": imap_messages.search,
    "UID SEARCH": imap_messages.search,
    "COPY": imap_messages.copy,
    "UID COPY": imap_messages.copy,
    "MOVE": imap_messages.move,
    "UID MOVE": imap_messages.move,
    "EXPUNGE": imap_messages.expunge,
    "UID EXPUNGE": imap_messages.expunge,
}
KEEP_NUMBERS = frozenset({"FETCH", "STORE", "SEARCH"})
"""No EXPUNGE in their answers (RFC 3501 §7.4.1)."""
