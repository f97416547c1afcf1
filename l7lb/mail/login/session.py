"""One client of IMAP or POP3: dialogue, admission, the server's login, then the relay.

Joins the two dialogues (`l7lb_protocols.login`) to the driver and to the office. Owns the state
between them: who is asked now, and what must be given back at the end. Does no I/O of its own.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from l7lb.errors import DirectoryError
from l7lb.mail.assignments import UNKNOWN, Assignment
from l7lb.mail.attendance import UNCOUNTED
from l7lb.mail.login.admission import Admission, Guest, Identity, server_login
from l7lb.mail.login.words import Dialect, Words
from l7lb.mail.scram import nonce
from l7lb.model_mail import LoginOptions
from l7lb_protocols.facts import PlainFacts
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
from l7lb_protocols.login.server_side import ServerLogin, ServerSettings, ServerSide
from l7lb_protocols.wire import (
    CLIENT,
    FAILED,
    OUTCOME_CANCELLED,
    OUTCOME_FAILED,
    OUTCOME_OK,
    OUTCOME_TIMEOUT,
    PHASE_FIRST_BYTE,
    PHASE_KEEP_ALIVE,
    PHASE_NONE,
    PHASE_TUNNEL,
    READY,
    SERVER,
    Session,
)
from l7lb_storage import Lock, NotGranted, StorageError

if TYPE_CHECKING:
    from l7lb.net.driver import Driver
    from l7lb.pool.pool import Pool

STATUS = {
    Verdict.FAILED: 401,
    Verdict.UNAVAILABLE: 503,
    Verdict.IN_USE: 423,
    Verdict.LIMIT: 429,
    Verdict.FORBIDDEN: 403,
    Verdict.EXPIRED: 403,
}
"""For metrics and the access log, which count by the classes of HTTP."""
LOGGED_IN = 200
FAREWELL_S = 5.0
"""A server that closes so soon after the client spoke does what the client asked: LOGOUT, QUIT."""
log = logging.getLogger("l7lb.mail")


class LoginSession(Session):
    """Given to the driver by the plug, which made its dialogue."""

    def __init__(
        self, driver: Driver, dialect: Dialect, dialogue: ClientSide, desk: Admission
    ) -> None:
        super().__init__()
        self.driver = driver
        self.dialect = dialect
        self.desk = desk
        self.office = desk.office
        self.options: LoginOptions = driver.service.spec.login
        self.source = driver.source
        self.key = ("", "")
        self.assignment = Assignment("", kicks=UNKNOWN)
        self.is_fixed = False
        self.method = dialect.method
        self.sni = b""
        self._client: ClientSide | None = dialogue
        self._server: ServerSide | None = None
        self._pool: Pool | None = None
        self._lock: Lock | None = None
        self._place = UNCOUNTED
        self._task: asyncio.Task[None] | None = None
        self._words: Words = ()
        self._login: ServerLogin | None = None
        self._facts = PlainFacts()
        self._ended = 0
        self._is_over = False

    @property
    def is_locked(self) -> bool:
        return self._lock is not None

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
                    self._ask(self._enter(event))
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

    # ------------------------------------------------------------------ admission

    def _ask(self, work: Coroutine[object, object, None]) -> None:
        """One question at a time; the dialogue reads no further until it has the answer."""
        self.driver.phase(PHASE_NONE)
        task = self._task = self.office.spawn(self._guarded(work))
        task.add_done_callback(self._decided)

    def _decided(self, task: asyncio.Task[None]) -> None:
        """A question that failed for a reason that nobody foresaw ends the session: its client
        must not wait for ever. The office has logged it."""
        if not task.cancelled() and task.exception() is not None:
            self.flags += "S"
            self._finish(OUTCOME_CANCELLED)

    async def _guarded(self, work: Coroutine[object, object, None]) -> None:
        try:
            await work
        except (DirectoryError, StorageError) as problem:
            log.warning("login not decided", extra=self._fields(str(problem)))
            await self._refuse(Verdict.UNAVAILABLE)

    async def _supply(self, wanted: KeysWanted) -> None:
        keys = await self.desk.keys(wanted.account)
        assert self._client is not None
        self.driver.phase(PHASE_KEEP_ALIVE)
        self._heard(self._client.supply(keys, nonce()))

    async def _enter(self, said: Credentials) -> None:
        self.target = said.account
        found = await self.desk.identify(said)
        verdict = found if isinstance(found, Verdict) else await self._admit(found, said)
        if verdict is not None:
            await self._refuse(verdict)

    async def _admit(self, identity: Identity, said: Credentials) -> Verdict | None:
        """None: on the way to the server."""
        self.target = identity.name.encode()
        driver = self.driver
        guest = Guest(self.source, self.method, self.sni, self._certificate)
        self._facts = guest.facts(identity)
        if driver.decide(self._facts).reply is not None:
            return Verdict.FORBIDDEN
        pool = self._pool = driver.pool_of(self._facts)
        self._login = server_login(pool.spec, identity, said)
        if self._login is None:
            return Verdict.FORBIDDEN
        key = (pool.name, identity.name)
        place = await self.office.attendance.enter(key, self.source, self.options.max_sessions)
        if place is None:
            return Verdict.LIMIT
        self._place = place
        if not await self.office.assignments.settle_moves(key, self.options.hold_s):
            return Verdict.UNAVAILABLE
        assignment = await self.office.assignments.of(identity.name, pool, identity.home)
        if assignment is None:
            return Verdict.UNAVAILABLE
        self.key, self.assignment, self.is_fixed = key, assignment, identity.home is not None
        self.office.sessions.enter(self)
        return await self._locked(identity.name)

    async def _locked(self, account: str) -> Verdict | None:
        if self.dialect.is_exclusive:
            try:
                self._lock = await self.office.lock_maildrop(account)
            except NotGranted:
                return Verdict.IN_USE
        if self._is_over:
            return None
        self._facts.server = self.assignment.server.encode()
        code = self.driver.connect(self._facts, True)
        if code == FAILED:
            return Verdict.UNAVAILABLE
        if code == READY:
            self.server_ready()
        return None

    @property
    def _certificate(self) -> bytes:
        return b"" if self._client is None else self._client.certificate

    async def _refuse(self, verdict: Verdict) -> None:
        """Count it, wait as long as the penalty says, and tell the client."""
        self.status = STATUS[verdict]
        self._give_back()
        self.driver.release(OUTCOME_CANCELLED, False)
        self.driver.log(self)
        self.flags = ""
        self.driver.phase(PHASE_NONE)
        if verdict is Verdict.FAILED:
            penalty = self.office.penalty
            await asyncio.sleep(await penalty.failed(self.options.penalty, self.source))
        if not self._is_over and self._client is not None:
            self.driver.phase(PHASE_KEEP_ALIVE)
            self._heard(self._client.refuse(verdict))

    def _refuse_soon(self, verdict: Verdict) -> None:
        self._server = None
        self._ask(self._refuse(verdict))

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
        return Origin(self.source, driver.source_port).with_hops(told.hops_left)

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
        self._give_back()
        self._client = self._server = None
        self.driver.release(outcome, False)
        if self.status == LOGGED_IN:
            self.driver.log(self)
        self.driver.close(False)

    def _give_back(self) -> None:
        """Its place among the sessions, and the lock."""
        self.office.sessions.leave(self)
        place, self._place = self._place, UNCOUNTED
        self.office.attendance.leave(place)
        lock, self._lock = self._lock, None
        if lock is not None:
            self.office.spawn(_released(lock))

    def _fields(self, reason: str) -> dict[str, object]:
        return {
            "service": self.driver.service.name,
            "source": self.source,
            "account": self.target.decode("utf-8", "replace"),
            "server": self.assignment.server,
            "reason": reason,
        }


async def _released(lock: Lock) -> None:
    try:
        await lock.release()
    except StorageError as error:
        log.warning("a maildrop is free only with the lease", extra={"reason": str(error)})
