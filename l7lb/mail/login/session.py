"""One client of IMAP or POP3: its dialogue, the server's, then the relay.

Joins the two dialogues (`l7lb_protocols.login`) to the driver; `entry`, its base, leads from one to
the other. Does no I/O of its own.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from l7lb.mail.login.admission import Admission
from l7lb.mail.login.entry import Entry
from l7lb.mail.login.words import Dialect, Words
from l7lb_protocols.login.client_side import ClientSide
from l7lb_protocols.login.events import (
    BadInput,
    BrokeProtocol,
    Close,
    Credentials,
    Event,
    Identified,
    KeysWanted,
    LoggedIn,
    Refused,
    Relay,
    Send,
    StartTls,
    Unavailable,
    Verdict,
    WrongProof,
)
from l7lb_protocols.login.origin import Origin
from l7lb_protocols.login.server_side import ServerSettings, ServerSide
from l7lb_protocols.wire import (
    CLIENT,
    OUTCOME_CANCELLED,
    OUTCOME_FAILED,
    OUTCOME_OK,
    OUTCOME_TIMEOUT,
    PHASE_FIRST_BYTE,
    PHASE_TUNNEL,
    SERVER,
)

if TYPE_CHECKING:
    from l7lb.net.driver import Driver

LOGGED_IN = 200
FAREWELL_S = 5.0
"""A server that closes so soon after the client spoke does what the client asked: LOGOUT, QUIT."""
log = logging.getLogger("l7lb.mail")


class LoginSession(Entry):
    """Given to the driver by the plug, which made its dialogue."""

    def __init__(
        self, driver: Driver, dialect: Dialect, dialogue: ClientSide, desk: Admission
    ) -> None:
        super().__init__(driver, dialect, dialogue, desk)
        self._server: ServerSide | None = None
        self._words: Words = ()
        self._ended = 0
        self._counted = 0

    # ------------------------------------------------------------------ the client

    def begin(self) -> None:
        assert self._client is not None
        self._heard(self._client.greet())

    def client_data(self, data: bytes) -> None:
        dialogue = self._client
        if dialogue is None:
            return  # it has been let go and does not know yet
        self._heard(dialogue.receive(data))
        if not self._is_over and self._client is not None:
            self.driver.hold(self._client.is_full)

    def client_eof(self) -> None:
        self.flags += "C"
        self._finish(OUTCOME_CANCELLED)

    def client_lost(self) -> None:
        self.flags += "C"
        self._finish(OUTCOME_CANCELLED)

    def secured(self, side: int, name: bytes) -> None:
        if side == SERVER:
            assert self._server is not None
            self._answered(self._server.tls_started())
        elif self._client is not None:
            self._heard(self._client.tls_started(name))

    def _heard(self, events: list[Event]) -> None:
        """Act on what the client's dialogue wants, in order."""
        for event in events:
            if self._is_over:
                return
            match event:
                case Send():
                    self.driver.send(CLIENT, event.data)
                case StartTls():
                    self.driver.start_tls(CLIENT)
                case Credentials():
                    self._come(event)
                case KeysWanted():
                    self._ask(self._supply(event))
                case WrongProof():
                    self.target = event.account
                    self._ask(self._refuse(Verdict.FAILED))
                case Identified():
                    self._identified(event)
                case BadInput():
                    self.flags += "B" if "B" not in self.flags else ""
                    log.info("bad input", extra=self._fields(event.reason))
                case Relay():
                    self._relay(event.rest)
                case Close():
                    self._finish(OUTCOME_CANCELLED)

    def _identified(self, event: Identified) -> None:
        """A trusted peer speaks for another; its word counts from now on."""
        self._words = event.words
        if event.origin.address:
            self.source = event.origin.address

    # ------------------------------------------------------------------ the server

    def server_ready(self) -> None:
        assert self._pool is not None
        tls = self._pool.spec.tls
        settings = ServerSettings(starttls=tls is not None and tls.starttls)
        self._server = self.dialect.to_server(settings, self._login, self._origin(), self._words)
        self._login = None
        self.driver.phase(PHASE_FIRST_BYTE)

    def _origin(self) -> Origin:
        """The client as the server shall see it."""
        assert self._client is not None
        told = self._client.origin
        if told.address:
            return told
        driver = self.driver
        return Origin(self.source, driver.source_port, hops_left=told.hops_left)

    def _refuse_soon(self, verdict: Verdict) -> None:
        self._server = None
        super()._refuse_soon(verdict)

    def server_failed(self, status: int) -> None:
        self.tries += 1
        self.flags += "S"
        self._refuse_soon(Verdict.UNAVAILABLE)

    def server_data(self, data: bytes) -> None:
        if self._server is not None:
            self._answered(self._server.receive(data))

    def server_eof(self) -> None:
        self._server_ended("closed before the login was done")

    def server_lost(self) -> None:
        self._server_ended("connection lost before the login was done")

    def _server_ended(self, reason: str) -> None:
        if self._server is not None:
            self._answered(self._server.lost(reason))
        elif self._client is None:
            self.flags += "S"
            self._let_go()

    def _answered(self, events: list[Event]) -> None:
        """Act on what the server's dialogue wants, in order."""
        for event in events:
            match event:
                case Send():
                    self.driver.send(SERVER, event.data)
                case StartTls():
                    self.driver.start_tls(SERVER)
                case LoggedIn():
                    self._accept(event)
                case Refused():
                    self._refused(event)
                case Unavailable():
                    self._unavailable(event)
                case BrokeProtocol():
                    self.flags += "S"
                    log.warning("the server speaks nonsense", extra=self._fields(event.reason))
                    self.driver.release(OUTCOME_FAILED, False)
                    self._refuse_soon(Verdict.UNAVAILABLE)

    def _accept(self, login: LoggedIn) -> None:
        self._server = None
        self.status = LOGGED_IN
        self.driver.answered(LOGGED_IN, self._facts)
        assert self._client is not None
        self._heard(self._client.accept(login))

    def _refused(self, event: Refused) -> None:
        """A master user that is refused is our fault, not the client's."""
        self.driver.release(OUTCOME_OK, False)
        assert self._pool is not None
        if event.code.upper() == b"IN-USE":
            self._refuse_soon(Verdict.IN_USE)
        elif self._pool.spec.login is not None:
            log.warning("the server refuses the master user", extra=self._fields(str(event.text)))
            self._refuse_soon(Verdict.UNAVAILABLE)
        else:
            self._refuse_soon(Verdict.FAILED)

    def _unavailable(self, event: Unavailable) -> None:
        log.warning("no login at the server", extra=self._fields(event.reason))
        self.driver.release(OUTCOME_FAILED, False)
        in_use = event.code.upper() in {b"INUSE", b"IN-USE"}
        self._refuse_soon(Verdict.IN_USE if in_use else Verdict.UNAVAILABLE)

    # ------------------------------------------------------------------ the relay

    def _relay(self, rest: bytes) -> None:
        """From now on bytes go through unseen; what only the login needed is let go."""
        self._client = None
        self._task = None
        driver = self.driver
        driver.hold(False)
        driver.phase(PHASE_TUNNEL)
        if rest:
            driver.send(SERVER, rest)
        driver.relay(CLIENT, -1)
        driver.relay(SERVER, -1)

    def relayed(self, source: int) -> None:
        self._ended |= 1 << source
        if self._ended == 1 << CLIENT | 1 << SERVER:
            self._finish(OUTCOME_OK)
        elif source == SERVER:
            self._let_go()
        else:
            self.driver.end(SERVER)

    def _let_go(self) -> None:
        """The server has ended the session. One that has done so unasked with many others at once
        has died: their clients do not all come back in the same moment."""
        if self.driver.since_asked_s() < FAREWELL_S:
            self._finish(OUTCOME_OK)
            return
        pool, server = self.key[0], self.assignment.server
        sessions, chance = self.office.sessions, self.office.spec.random()
        delay_s = sessions.delay_s(pool, server, self.options.spread_s, chance)
        if delay_s <= 0.0:
            self._finish(OUTCOME_OK)
            return
        self._give_back()
        self.driver.release(OUTCOME_FAILED, False)
        self.driver.hold(True)
        self._task = self.office.spawn(self._finish_later(delay_s))

    async def _finish_later(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        self._task = None
        self._finish(OUTCOME_CANCELLED)

    def moved_bytes(self) -> int:
        """Relayed since this was last asked, both ways."""
        if self.status != LOGGED_IN:
            return 0
        before, self._counted = self._counted, self.driver.moved()
        return self._counted - before

    # ------------------------------------------------------------------ the end

    def end(self, reason: str) -> None:
        """For the registry: this session must not go on."""
        log.info("session ended", extra=self._fields(reason))
        self.flags += "K"
        if self._client is not None and not self._is_over:
            self._heard(self._client.close(b"Try again later."))
        self._finish(OUTCOME_CANCELLED)

    def expired(self, phase: int) -> None:
        if phase == PHASE_FIRST_BYTE and self._server is not None:
            self._answered(self._server.lost("no answer in time"))
            return
        self.flags += "X"
        if self._client is not None and not self._is_over:
            text = b"Shutting down." if self.driver.draining else b"Idle for too long."
            self._heard(self._client.close(text))
        self._finish(OUTCOME_TIMEOUT if phase == PHASE_FIRST_BYTE else OUTCOME_CANCELLED)

    def _finish(self, outcome: int) -> None:
        """Once: everything is given back, the client's connection closed."""
        if self._is_over:
            return
        self._is_over = True
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        if self.status == LOGGED_IN:
            self.office.usage.ended(self.key[1], self.moved_bytes())
            self._part()
        self._give_back()
        self._client = self._server = None
        self.driver.release(outcome, False)
        if self.status == LOGGED_IN:
            self.driver.log(self)
        self.driver.close(False)

    def _part(self) -> None:
        """The server may still be at work for us: until it has ended, the account is not free."""
        server = self.driver.server
        if server is None or server.at_eof:
            return
        parted = self.office.closing.parting(self.key[1])
        if not self.driver.part(parted):
            parted()
