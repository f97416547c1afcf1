"""One connection to a mail server, with its dialogue, for one transaction after the other.

Joins a leg and a `ClientSession`: what the server says ends futures, so that whoever delivers may
simply wait. Must not know routing, directory or clients.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from l7lb.net.host import Host
from l7lb.net.leg import Leg
from l7lb.pool.pool import Pool
from l7lb.pool.slot import Outcome as SlotOutcome
from l7lb.pool.slot import Slot
from l7lb_protocols.smtp.client_events import (
    ClientEvent,
    DataWanted,
    RecipientAnswered,
    SenderAnswered,
    ServerClosed,
    ServerReady,
    StartTls,
    TransactionEnded,
)
from l7lb_protocols.smtp.client_session import ClientSession, ClientSettings
from l7lb_protocols.smtp.client_states import Phase
from l7lb_protocols.smtp.errors import Misuse
from l7lb_protocols.smtp.extensions import COMING, Content, Extensions
from l7lb_protocols.smtp.parameters import Recipient, Sender
from l7lb_protocols.smtp.replies import Reply, reply
from l7lb_protocols.smtp.verdict import Outcome

log = logging.getLogger("l7lb.mail")
OWING = frozenset((Phase.SETUP, Phase.TLS, Phase.ASKED, Phase.FINAL, Phase.RESET, Phase.LEAVING))
"""The server has the turn."""
Ends = tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class CarrierLimits:
    """Seconds."""

    connect_s: float
    answer_s: float
    """For one answer of the server, and for it to take what was sent."""
    idle_s: float


class CarrierLost(Exception):
    """The server cannot be used. `reply` is what the client may be told."""

    def __init__(self, why: Reply) -> None:
        super().__init__(str(why))
        self.reply = why


class Carrier:
    """`await ready()`, then `begin`, `await add(…)`, `await data()`, `write` …, `finish`; only a
    `Transaction` may say these, which is void when `begin`'s future is done.

    After each transaction `on_free` is told: once more usable, or not. Every wait ends within the
    limits: a server that says nothing is given up.
    """

    def __init__(
        self, host: Host, pool: Pool, slot: Slot, settings: ClientSettings, limits: CarrierLimits
    ) -> None:
        self.leg = Leg(host, pool, slot, self)
        self.lmtp = settings.lmtp
        self.limits = limits
        self.on_free: Callable[[Carrier, bool], None] = _ignore
        self.on_drained: Callable[[], None] = _nothing
        self._session = ClientSession(settings)
        self._connected = False
        self._ready: asyncio.Future[Extensions] = _future()
        self._answers: deque[asyncio.Future[Reply]] = deque()
        self._wanted: asyncio.Future[bool] = _future()
        self._ends: asyncio.Future[Ends] = _future()
        self._in_transaction = False
        self._drained = asyncio.Event()
        self._drained.set()

    # ------------------------------------------------------------------ for whoever delivers

    @property
    def extensions(self) -> Extensions:
        return self._session.extensions

    @property
    def is_usable(self) -> bool:
        """Open, and nothing is under way."""
        return self.leg.is_open and self._session.phase is Phase.READY

    @property
    def is_full(self) -> bool:
        return self.leg.is_full

    def connect(self, port: int) -> None:
        self.leg.connect(port, self.limits.connect_s)

    async def ready(self) -> Extensions:
        """Raises CarrierLost."""
        return await asyncio.shield(self._ready)

    def begin(self, sender: Sender, content: Content = COMING) -> asyncio.Future[Ends]:
        """Gives the ends of all recipients, when the transaction is over."""
        self._wanted, ends = _future(), _future()
        self._ends = ends
        self._in_transaction = True
        self._act(self._session.begin(sender, content))
        return ends

    async def add(self, recipient: Recipient) -> Reply:
        """The server's word on this recipient. Recipients may be added while others wait."""
        if self._ends.done() or self._session.phase is not Phase.ENVELOPE:
            return reply(451, b"4.4.2", "connection to the server lost")
        answer: asyncio.Future[Reply] = _future()
        self._answers.append(answer)
        self._act(self._session.add(recipient))
        return await answer

    async def data(self) -> bool:
        """DATA; False: the transaction is over."""
        if not self._ends.done():
            self._act(self._session.data())
        return await self._wanted

    def write(self, piece: bytes) -> None:
        """Ignored when the transaction is over already."""
        if self._ends.done():
            return
        try:
            self._act(self._session.write(piece))
        except Misuse:
            self._act(self._session.abort())
            return
        if self.leg.is_full:
            self._drained.clear()
            self._watch()

    async def drain(self) -> None:
        """Until the server has taken what was written, or is given up."""
        await self._drained.wait()

    def finish(self) -> None:
        """The message is whole."""
        try:
            self._act(self._session.finish())
        except Misuse:
            self._act(self._session.abort())

    def take_back(self) -> None:
        """The client changed its mind, or left: end the transaction. After `finish` the server
        has the message, and its word is only waited for."""
        if not self._in_transaction or self._session.phase is Phase.FINAL:
            return
        if self._session.phase is Phase.ENVELOPE:
            self._act(self._session.reset())
        else:
            self._act(self._session.abort(), SlotOutcome.CANCELLED)

    def employ(self, slot: Slot) -> None:
        """Out of idleness."""
        self.leg.employ(slot)
        self.leg.at_ease()

    def rest(self) -> None:
        """Idle for a while; closes by itself then."""
        self.leg.release(SlotOutcome.OK)
        self.leg.within(self.limits.idle_s)

    def give_up(self) -> None:
        """End whatever is under way; whoever waits is told so."""
        self._act(self._session.abort(), SlotOutcome.CANCELLED)

    def quit(self) -> None:
        """Leave with good manners; nobody waits for the answer."""
        if self.is_usable:
            self._session.quit()
            self.leg.send(self._session.output())
        self.leg.close()

    # ------------------------------------------------------------------ LegUser

    def leg_ready(self) -> None:
        if self._connected:
            self._act(self._session.tls_started())
        else:
            self._connected = True
            self._session.secure = self.leg.secure
            self._watch()

    def leg_data(self, data: bytes) -> None:
        self._act(self._session.receive(data))

    def leg_ended(self) -> None:
        self._act(self._session.eof())

    def leg_lost(self, reason: str) -> None:
        log.info("server lost", extra={"server": self.leg.server.name, "reason": reason})
        if self._connected:
            self._act(self._session.eof())
        else:
            self._fail(reply(451, b"4.4.1", "the server cannot be reached"), SlotOutcome.OK)

    def leg_late(self) -> None:
        if self._session.phase is Phase.READY:
            self.quit()
            self.on_free(self, False)
        elif self._connected:
            self._act(self._session.expired(), SlotOutcome.TIMEOUT)
        else:
            why = reply(451, b"4.4.1", "the server cannot be reached in time")
            self._fail(why, SlotOutcome.CONNECT_FAILED)

    def leg_drained(self) -> None:
        self._drained.set()
        self._watch()
        self.on_drained()

    # ------------------------------------------------------------------ what the server said

    def _watch(self) -> None:
        """The server has so long for what it owes; while the client has the turn it owes nothing.
        An idle connection has a deadline of its own."""
        if self._session.phase in OWING or self._answers or not self._drained.is_set():
            self.leg.within(self.limits.answer_s)
        elif self._session.phase is not Phase.READY:
            self.leg.at_ease()

    def _act(self, events: list[ClientEvent], lost: SlotOutcome = SlotOutcome.FAILED) -> None:
        self.leg.send(self._session.output())
        for event in events:
            if isinstance(event, RecipientAnswered):
                _set(self._answers.popleft(), event.reply)
            elif isinstance(event, DataWanted):
                _set(self._wanted, True)
            elif isinstance(event, TransactionEnded):
                self._over(event.outcomes)
            elif isinstance(event, ServerReady):
                self._free(event.extensions)
            elif isinstance(event, StartTls):
                self.leg.start_tls()
            elif isinstance(event, ServerClosed):
                self._fail(event.reply, SlotOutcome.OK if event.lawful else lost)
            else:
                assert isinstance(event, SenderAnswered)
        if self.leg.is_open and self._session.phase is not Phase.DATA:
            self._watch()

    def _over(self, ends: Ends) -> None:
        """A transaction that ends early answers whoever still waits."""
        self._in_transaction = False
        open_ends = ends[len(ends) - len(self._answers) :] if self._answers else ()
        for end in open_ends:
            _set(self._answers.popleft(), end.reply)
        _set(self._wanted, False)
        _set(self._ends, ends)
        self._drained.set()
        self.on_drained()

    def _free(self, extensions: Extensions) -> None:
        self.leg.at_ease()
        if self._ready.done():
            self.on_free(self, True)
        else:
            self._ready.set_result(extensions)

    def _fail(self, why: Reply, outcome: SlotOutcome) -> None:
        self.leg.close(outcome)
        self._drained.set()
        if not self._ready.done():
            if self._connected:
                fields = {"server": self.leg.server.name, "reason": str(why)}
                log.warning("the server does not want us", extra=fields)
            self._ready.set_exception(CarrierLost(_told(why)))
            self._ready.exception()  # it is no fault if nobody waits any more
        self.on_free(self, False)


def _told(why: Reply) -> Reply:
    """A server that refuses our connection is no reason to refuse a recipient for good."""
    if why.code == 451:
        return why
    enhanced = why.enhanced if why.is_temporary and why.enhanced else b"4.4.0"
    return reply(451, enhanced, b"the server does not want us: " + why.text)


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _set(future: asyncio.Future[Any], value: object) -> None:
    if not future.done():
        future.set_result(value)


def _ignore(carrier: Carrier, usable: bool) -> None: ...
def _nothing() -> None: ...
