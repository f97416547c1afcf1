"""The way in, for one client of IMAP or POP3: from its credentials to a server connection.

Owns who is asked in the meantime, and what must be given back: the place among the sessions and the
maildrop's lock. What is known already is not waited for: most logins need no task. Must not know
what is said to the server.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING

from l7lb.errors import DirectoryError
from l7lb.mail.assignments import UNKNOWN, Assignment, Key
from l7lb.mail.attendance import UNCOUNTED
from l7lb.mail.login.admission import Admission, Guest, Identity, server_login
from l7lb.mail.login.words import Dialect
from l7lb.mail.scram import nonce
from l7lb.model_mail import LoginOptions
from l7lb_protocols.facts import Facts, PlainFacts
from l7lb_protocols.login.client_side import ClientSide
from l7lb_protocols.login.events import Credentials, Event, KeysWanted, Verdict
from l7lb_protocols.login.server_side import ServerLogin
from l7lb_protocols.wire import (
    FAILED,
    OUTCOME_CANCELLED,
    PHASE_KEEP_ALIVE,
    PHASE_NONE,
    READY,
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
NOTHING = PlainFacts()
"""Learnt before somebody says who it is."""
NOWHERE = Assignment("", kicks=UNKNOWN)
log = logging.getLogger("l7lb.mail")


class Entry(Session):
    """A session until it has a server; what comes then is a subclass's."""

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
        self.assignment = NOWHERE
        self.is_fixed = False
        self.method = dialect.method
        self.sni = b""
        self._client: ClientSide | None = dialogue
        self._pool: Pool | None = None
        self._lock: Lock | None = None
        self._place = UNCOUNTED
        self._task: asyncio.Task[None] | None = None
        self._login: ServerLogin | None = None
        self._facts: Facts = NOTHING
        self._is_over = False

    @property
    def is_locked(self) -> bool:
        return self._lock is not None

    def _heard(self, events: list[Event]) -> None:
        """Act on what the client's dialogue wants, in order."""
        raise NotImplementedError

    def moved_bytes(self) -> int:
        """Relayed since this was last asked, both ways."""
        return 0

    def end(self, reason: str) -> None:
        """For the registry: this session must not go on."""
        raise NotImplementedError

    def _finish(self, outcome: int) -> None:
        """Once: everything is given back, the client's connection closed."""
        raise NotImplementedError

    # ------------------------------------------------------------------ questions

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

    def _come(self, said: Credentials) -> None:
        """The client says who it is."""
        if not self._enter_now(said):
            self._ask(self._enter(said))

    def _enter_now(self, said: Credentials) -> bool:
        """Without asking anybody; False: somebody must be asked."""
        if self.dialect.is_exclusive or (identity := self.desk.known(said)) is None:
            return False
        verdict, assignments = self._route(identity, said), self.office.assignments
        if verdict is None:
            assert self._pool is not None
            key = (self._pool.name, identity.name)
            agreed = assignments.agreed(key, self._pool, identity.home)
            if agreed is None or assignments.moves(key):
                return False
            place = self.office.attendance.entered(key, self.source, self.options.max_sessions)
            if place is None:
                return False
            self._place = place
            self._seat(key, agreed, identity)
            verdict = self._connect()
        if verdict is not None:
            self._refuse_soon(verdict)
        return True

    async def _enter(self, said: Credentials) -> None:
        self.target = said.account
        found = await self.desk.identify(said)
        verdict = found if isinstance(found, Verdict) else await self._admit(found, said)
        if verdict is not None:
            await self._refuse(verdict)

    async def _admit(self, identity: Identity, said: Credentials) -> Verdict | None:
        """None: on the way to the server."""
        verdict = self._route(identity, said)
        if verdict is not None:
            return verdict
        assert self._pool is not None
        key, office = (self._pool.name, identity.name), self.office
        place = await office.attendance.enter(key, self.source, self.options.max_sessions)
        if place is None:
            return Verdict.LIMIT
        self._place = place
        wait_s = self.options.hold_s
        assignment = await office.place(identity.name, self._pool, identity.home, wait_s)
        if assignment is None:
            return Verdict.UNAVAILABLE
        self._seat(key, assignment, identity)
        return await self._locked(identity.name)

    def _route(self, identity: Identity, said: Credentials) -> Verdict | None:
        """The pool, and how to log in there."""
        self.target = identity.name.encode()
        driver = self.driver
        guest = Guest(self.source, self.method, self.sni, self._certificate)
        self._facts = guest.facts(identity)
        if driver.decide(self._facts).reply is not None:
            return Verdict.FORBIDDEN
        pool = self._pool = driver.pool_of(self._facts)
        self._login = server_login(pool.spec, identity, said)
        return Verdict.FORBIDDEN if self._login is None else None

    def _seat(self, key: Key, assignment: Assignment, identity: Identity) -> None:
        """A place among the sessions."""
        self.key, self.assignment, self.is_fixed = key, assignment, identity.home is not None
        self.office.sessions.enter(self)

    async def _locked(self, account: str) -> Verdict | None:
        if self.dialect.is_exclusive:
            try:
                self._lock = await self.office.lock_maildrop(account)
            except NotGranted:
                return Verdict.IN_USE
        return None if self._is_over else self._connect()

    def _connect(self) -> Verdict | None:
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
        self._ask(self._refuse(verdict))

    # ------------------------------------------------------------------ the end

    def _give_back(self) -> None:
        """Its place among the sessions, and the lock."""
        self.office.sessions.leave(self)
        self.office.closing.changed(self.key[1])
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
