"""From a new connection to a client that is let in: the dialogue before login, over a connection.

Owns who is let into which account: by the directory, or as a master user on somebody's behalf.
Must not know what comes after.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from l7lb.accounts import Account, Directory, Outcome, Status
from l7lb.errors import DirectoryError
from l7lb.mailserver.connection import Connection
from l7lb_protocols.login.client_side import ClientSide
from l7lb_protocols.login.events import Close, Event, Identified, LoggedIn, Relay, Send, Verdict
from l7lb_protocols.sasl.steps import Credentials

LOG = logging.getLogger(__name__)
LOGIN_S = 120.0
"""For all of it."""

Admit = Callable[[Account], Awaitable[Verdict | LoggedIn]]
"""What the protocol does for an account before it lets it in: own it, take the maildrop."""


class Refused(Exception):  # never leaves this file
    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.value)
        self.verdict = verdict


@dataclass(frozen=True, slots=True)
class Door:
    """`master`: name and password of who may log in as anybody, by SASL's authorization identity
    (RFC 4616 §2); None: nobody may."""

    directory: Directory
    master: tuple[bytes, bytes] | None = field(default=None, repr=False)

    async def account(self, found: Credentials) -> Account | Verdict:
        """Whose mailbox is opened, or why none is."""
        try:
            if self.master is not None and found.account == self.master[0]:
                return await self._as_master(found)
            verdict = await self.directory.verify(found.account.decode(), found.secret)
        except DirectoryError as error:
            LOG.warning("login: %s", error)
            return Verdict.UNAVAILABLE
        if verdict.outcome is not Outcome.OK or verdict.account is None:
            return Verdict.FAILED
        return Verdict.FORBIDDEN if found.is_on_behalf else verdict.account

    async def _as_master(self, found: Credentials) -> Account | Verdict:
        assert self.master is not None
        if not hmac.compare_digest(found.secret, self.master[1]):
            return Verdict.FAILED
        account = await self.directory.account(found.mailbox.decode())
        if account is None or account.status is not Status.ACTIVE:
            return Verdict.FORBIDDEN
        return account


async def log_in(
    connection: Connection, dialogue: ClientSide, door: Door, admit: Admit
) -> bytes | None:
    """Until the client is let in: what it has sent after that. None: the dialogue is over.

    Raises ConnectionEnded, Evicted.
    """
    async with asyncio.timeout(LOGIN_S):
        events = dialogue.greet()
        while True:
            following: list[Event] | None = None
            for event in events:
                match event:
                    case Send():
                        await connection.send(event.data)
                    case Close():
                        return None
                    case Relay():
                        return event.rest
                    case Identified():
                        LOG.info("%s: on behalf of %s", connection.peer, event.origin.address)
                    case Credentials():
                        following = await _judged(event, dialogue, door, admit)
                    case _:
                        LOG.info("%s: %s", connection.peer, event)
            if following is None:
                following = dialogue.receive(await connection.read(LOGIN_S))
            events = following


async def _judged(
    found: Credentials, dialogue: ClientSide, door: Door, admit: Admit
) -> list[Event]:
    account = await door.account(found)
    answer = account if isinstance(account, Verdict) else await admit(account)
    if isinstance(answer, Verdict):
        return dialogue.refuse(answer)
    return dialogue.accept(answer)
