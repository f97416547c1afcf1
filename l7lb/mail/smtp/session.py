"""One SMTP client from greeting to QUIT: joins the dialogue, the driver and a delivery.

Every question of the dialogue is answered by a task of its own; only one is ever open, since the
dialogue reads no further until it is answered. Must not know sockets, files or servers.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Protocol

from l7lb.mail.smtp.carriers import Sending
from l7lb.mail.smtp.delivery import Delivery, Keeping
from l7lb.mail.smtp.desk import Desk, is_within, server_settings
from l7lb.mail.smtp.entrance import NOBODY, Holder
from l7lb.mail.smtp.guard import Asked
from l7lb.mail.smtp.login import SmtpLogin
from l7lb.mail.smtp.received import Passage, new_queue_id, received
from l7lb.mail.smtp.recipients import Client
from l7lb.mail.smtp.recipients import Refused as RecipientRefused
from l7lb.net.service import Service
from l7lb.net.stream import ByteStream
from l7lb.pool.pool import Pool
from l7lb.pool.server import Server
from l7lb_protocols.http.forwarded import ClientInfo
from l7lb_protocols.login.origin import MAX_HOPS
from l7lb_protocols.smtp import server_events as ev
from l7lb_protocols.smtp.auth import Done, Failed
from l7lb_protocols.smtp.extensions import kept_by_all
from l7lb_protocols.smtp.parameters import Recipient
from l7lb_protocols.smtp.replies import Reply, reply
from l7lb_protocols.smtp.server_session import ServerSession
from l7lb_protocols.smtp.server_states import QUESTIONS, State
from l7lb_protocols.smtp.xclient import Attributes
from l7lb_protocols.wire import (
    CLIENT,
    PHASE_BODY,
    PHASE_KEEP_ALIVE,
    PHASE_NONE,
    PHASE_SEND,
    PHASE_TLS,
    Exchange,
    Session,
)

EARLY = reply(554, b"5.5.1", "you spoke before the greeting")
FAULT = reply(421, b"4.3.0", "a fault of ours, try again later")
TOO_MANY_FAILURES = reply(421, b"4.7.0", "too many wrong secrets")
WAITS = QUESTIONS | {State.AUTH_ASKED}
"""We have the turn."""
log = logging.getLogger("l7lb.mail")


class ClientWire(Protocol):
    """What the session asks of the driver."""

    secure: bool
    source: str
    source_port: int
    draining: bool
    starttls: Any
    client: ByteStream

    def send(self, side: int, data: bytes) -> None: ...
    def hold(self, on: bool) -> None: ...
    def begin_exchange(self) -> Service: ...
    def served(self, pool: Pool | None, server: Server | None, sent: int) -> None: ...
    def start_tls(self, side: int) -> None: ...
    def phase(self, phase: int) -> None: ...
    def log(self, session: Exchange) -> None: ...
    def close(self, linger: bool) -> None: ...
    def abort(self) -> None: ...


class SmtpSession(Session):
    def __init__(self, wire: ClientWire, desk: Desk, service: Service, client: ClientInfo) -> None:
        super().__init__()
        self.method = b"SMTP"
        self._wire = wire
        self._desk = desk
        self._service = service
        self._client = Client(wire.source, client.sni, client.tls_name)
        settings = server_settings(service.spec, desk.name, wire.starttls is not None)
        self._server = ServerSession(settings, secure=wire.secure)
        self._attributes: Attributes = {}
        """What a trusted front told."""
        self._login: SmtpLogin | None = None
        self._holder = NOBODY
        self._failures = 0
        self._delivery: Delivery | None = None
        self._queue_id = ""
        self._closed = False
        self._left = False
        """The client sends no more, but may wait for the answer."""
        self._phase = -1
        self._events: deque[ev.ServerEvent] = deque()
        self._is_taking = False

    # ------------------------------------------------------------------ from the driver

    def begin(self) -> None:
        self._meet()
        early = not self._wire.secure and not self._wire.client.is_quiet()
        if early:
            self._note(b"greeting", EARLY.code, "R")
        self._take(self._server.greet(EARLY if early else None))

    def _meet(self) -> None:
        """Who the client is may change the offer."""
        server, spec = self._server, self._service.spec
        server.trusted = is_within(self._wire.source, spec.smtp.xclient_from)
        external = frozenset((b"EXTERNAL",)) if not self._client.tls_name else frozenset()
        own = server.settings.own
        server.settings = replace(server.settings, own=replace(own, auth=own.auth - external))

    def client_data(self, data: bytes) -> None:
        if self._closed:
            return
        if self._server.state in (State.HELLO, State.READY):
            pools = (pool for plan in self._service.plans for pool, _ in plan.pools)
            self._server.kept = kept_by_all(self._desk.carriers.known(pools))
        self._phase = -1
        self._take(self._server.receive(data))

    def client_eof(self) -> None:
        """Whoever waits for an answer may have closed the other half only."""
        self._left = True
        if self._server.state not in WAITS:
            self._take(self._server.eof())

    def client_lost(self) -> None:
        self.flags = "C"
        self._take(self._server.eof())

    def secured(self, side: int, name: bytes) -> None:
        self._client = replace(self._client, tls_name=name)
        self._server.settings = server_settings(self._service.spec, self._desk.name, True)
        self._meet()
        self._take(self._server.tls_started())

    def expired(self, phase: int) -> None:
        if phase == PHASE_NONE:
            self._take(self._server.eof())
        elif phase in (PHASE_SEND, PHASE_TLS):
            self.flags = "X"
            self._take(self._server.eof())
        elif self._wire.draining:
            self._take(self._server.shutdown())
        else:
            self.flags = "X"
            self._take(self._server.expired())

    # ------------------------------------------------------------------ from the dialogue

    def _take(self, events: list[ev.ServerEvent]) -> None:
        """One after the other, whatever a handler adds: what was said goes out before each."""
        self._events.extend(events)
        if self._is_taking:
            return
        self._is_taking = True
        try:
            while self._events:
                self._wire.send(CLIENT, self._server.output())
                event = self._events.popleft()
                HANDLERS.get(type(event), _nothing)(self, event)
        finally:
            self._is_taking = False
        if self._closed:
            return
        self._wire.send(CLIENT, self._server.output())
        if self._wire.draining and not self._server.draining:
            self._take(self._server.drain())
        elif self._left and self._server.state not in WAITS:
            self._take(self._server.eof())
        else:
            self._pace()

    def _pace(self) -> None:
        """Which deadline runs, and whether the client is read."""
        state = self._server.state
        blocked = self._delivery is not None and self._delivery.is_blocked
        if state is State.TLS:
            return
        if state is State.DATA:
            phase = PHASE_NONE if blocked else PHASE_BODY
        else:
            phase = PHASE_NONE if state in WAITS else PHASE_KEEP_ALIVE
        if phase != self._phase:
            self._phase = phase
            self._wire.phase(phase)
        self._wire.hold((state is State.DATA and blocked) or self._server.wants_pause)

    def _unblocked(self) -> None:
        if not self._closed:
            self._pace()

    def _tls_wanted(self, event: ev.TlsWanted) -> None:
        self._wire.start_tls(CLIENT)

    def _early_talk(self, event: ev.EarlyTalk) -> None:
        where = {"source": self._wire.source, "service": self._service.name}
        log.info("client spoke out of turn", extra={**where, "reason": event.place})
        if event.place == "greeting":
            self._take(self._server.refuse(EARLY))

    def _xclient_taken(self, event: ev.XclientTaken) -> None:
        """The front speaks for another client from now on."""
        told = self._attributes = {**self._attributes, **event.attributes}
        if told.get(b"ADDR"):
            self._wire.source = told[b"ADDR"].decode()
            self._wire.source_port = int(told.get(b"PORT") or 0)
            self._client = replace(self._client, source=self._wire.source)

    def _closes(self, event: ev.Closed) -> None:
        self._closed = True
        if self._delivery is not None:
            self._transaction_over(0)
        if event.reason != "client left":
            self._wire.close(event.reason not in ("quit", "shutdown"))
        elif "C" not in self.flags:
            self._wire.close(False)

    def _refused(self, event: ev.Refused) -> None:
        who = self._login.account if event.verb == b"AUTH" and self._login is not None else b""
        self._note(who or event.verb, event.reply.code, "R")

    def _ask(self, work: Coroutine[object, object, None]) -> None:
        """Answers one question of the dialogue, in a task."""
        self._desk.office.spawn(self._guarded(work))

    async def _guarded(self, work: Coroutine[object, object, None]) -> None:
        """A fault that nobody foresaw ends the session: its client must not wait for ever. The
        office logs it."""
        try:
            await work
        except Exception:
            self.flags += "S"
            self._take(self._server.refuse(FAULT))
            raise

    # ------------------------------------------------------------------ logging in

    def _auth_asked(self, event: ev.AuthAsked) -> None:
        if self._login is None:
            domain = self._service.spec.login.default_domain
            self._login = SmtpLogin(
                self._desk.office, event.mechanism, self._client.tls_name, domain
            )
        self._ask(self._auth(self._login, event.response))

    async def _auth(self, login: SmtpLogin, response: bytes | None) -> None:
        spec = self._service.spec.login
        step = await login.step(response)
        if isinstance(step, Failed) and not step.temporary:
            self._failures += 1
            wait_s = await self._desk.penalty.failed(spec.penalty, self._wire.source)
            await asyncio.sleep(wait_s)
        if self._closed:
            return
        if isinstance(step, Done):
            self._holder = Holder(step.account, login.secret)
        self._take(self._server.auth_step(step))
        if self._server.state is not State.AUTH_LINE:
            self._login = None
        if self._failures >= spec.max_failures > 0:
            self._take(self._server.refuse(TOO_MANY_FAILURES))

    def _auth_cancelled(self, event: ev.AuthCancelled) -> None:
        self._login = None

    # ------------------------------------------------------------------ the transaction

    def _sender_asked(self, event: ev.SenderAsked) -> None:
        self._service = self._wire.begin_exchange()
        office = self._desk.office
        self._queue_id = new_queue_id(office.wall_s(), office.random())
        self.request_id = self._queue_id.encode()
        self.host = self._server.hello
        spool = office.spool if self._service.spec.smtp.spool else None
        keeping = None
        if spool is not None:
            keeping = Keeping(
                spool, self._service.name, self._queue_id, office.wall_s, self._desk.kept
            )
        delivery = Delivery(self._desk.carriers, office, self._sending(), event.sender, keeping)
        delivery.on_unblocked = self._unblocked
        delivery.spawn = office.spawn
        self._delivery = delivery
        self._take(self._server.accept())

    def _sending(self) -> Sending:
        """What servers are told of the client."""
        wire, server, told = self._wire, self._server, self._attributes
        hops = min(int(told.get(b"TTL") or MAX_HOPS), MAX_HOPS) - 1
        attributes = {
            b"ADDR": wire.source.encode(),
            b"PORT": b"%d" % wire.source_port if wire.source_port else b"",
            b"HELO": told.get(b"HELO") or server.hello,
            b"PROTO": told.get(b"PROTO") or (b"ESMTP" if server.offered.pipelining else b"SMTP"),
            b"LOGIN": server.account,
            b"TTL": b"%d" % hops,
        }
        if told.get(b"NAME"):
            attributes[b"NAME"] = told[b"NAME"]
        holder = self._holder if self._holder.account == server.account else Holder(server.account)
        return Sending(server.settings.name, attributes, wire.source, wire.source_port, holder)

    def _recipient_asked(self, event: ev.RecipientAsked) -> None:
        assert self._delivery is not None
        self._ask(self._recipient(self._delivery, event.recipient))

    async def _recipient(self, delivery: Delivery, recipient: Recipient) -> None:
        try:
            answer = await self._recipient_answer(delivery, recipient)
        except RecipientRefused as refused:
            answer = refused.reply
        if self._is_past(delivery):
            return
        answer = _passed_on(answer)
        if not answer.is_positive:
            self._note(recipient.address.text, answer.code, "R")
        self._take(self._server.answer(answer))

    async def _recipient_answer(self, delivery: Delivery, recipient: Recipient) -> Reply:
        options = self._service.spec.smtp
        client = replace(self._client, account=self._server.account)
        target = await self._desk.finder.find(
            self._service, client, recipient.address, unknown_too=options.accept_unknown
        )
        asked = Asked(
            self._service.name,
            self._wire.source,
            self._server.account.decode("utf-8", "replace"),
            delivery.sender.address.key.decode("utf-8", "replace"),
            recipient.address.key.decode("utf-8", "replace"),
        )
        refusal = await self._desk.guard.refusal(options, asked)
        if refusal is not None or self._is_past(delivery):
            return refusal or EARLY
        return await delivery.recipient(recipient, target)

    def _is_past(self, delivery: Delivery) -> bool:
        return self._closed or self._delivery is not delivery

    def _data_asked(self, event: ev.DataAsked) -> None:
        assert self._delivery is not None
        self._ask(self._start(self._delivery))

    async def _start(self, delivery: Delivery) -> None:
        answer = _passed_on(await delivery.start(self._received(delivery)))
        if self._is_past(delivery):
            return
        events = self._server.answer(answer)
        if not answer.is_positive:
            self._transaction_over(answer.code)
        self._take(events)

    def _received(self, delivery: Delivery) -> bytes:
        server, only = self._server, len(delivery.recipients) == 1
        passage = Passage(
            self._attributes.get(b"HELO") or server.hello,
            self._wire.source,
            server.settings.name,
            self._queue_id,
            extended=server.offered.pipelining,
            secure=server.secure,
            account=server.account,
            recipient=delivery.recipients[0].address.text if only else b"",
            utf8=delivery.sender.parameters.smtputf8,
        )
        return received(passage, self._desk.office.wall_s())

    def _message_piece(self, event: ev.MessagePiece) -> None:
        if self._delivery is not None:
            self._delivery.write(event.data)

    def _message_refused(self, event: ev.MessageRefused) -> None:
        self._transaction_over(event.reply.code, "R")

    def _verdict_asked(self, event: ev.VerdictAsked) -> None:
        assert self._delivery is not None
        self._ask(self._finish(self._delivery))

    async def _finish(self, delivery: Delivery) -> None:
        answer = _passed_on(await delivery.finish())
        if self._is_past(delivery):
            return
        events = self._server.answer(answer)
        self._transaction_over(answer.code)
        self._take(events)

    def _transaction_reset(self, event: ev.TransactionReset) -> None:
        self._transaction_over(0, "C")

    def _transaction_over(self, status: int, flags: str = "") -> None:
        """One line in the log, and nothing is left of it."""
        delivery, self._delivery = self._delivery, None
        if delivery is None:
            return
        delivery.abandon()
        only = delivery.recipients[0].address.text if delivery.recipients else b""
        target = only or delivery.sender.address.text or b"<>"
        carrier = delivery.carriers_used[-1] if delivery.carriers_used else None
        if carrier is not None:
            sent = sum(one.leg.sent for one in delivery.carriers_used)
            self._wire.served(carrier.leg.pool, carrier.leg.server, sent)
        self._write(target, status, flags)

    def _note(self, target: bytes, status: int, flags: str) -> None:
        """A line of its own for what was refused; the transaction goes on."""
        self._write(target, status, flags)
        if self._delivery is not None:
            self._wire.begin_exchange()

    def _write(self, target: bytes, status: int, flags: str) -> None:
        kept, self.flags = self.flags, self.flags or flags
        self.target, self.status = target, status
        self._wire.log(self)
        self.flags = kept


def _passed_on(answer: Reply) -> Reply:
    """A server's 421 would tell the client that we close."""
    if answer.code != 421:
        return answer
    return Reply(451, answer.lines, answer.enhanced)


def _nothing(session: SmtpSession, event: ev.ServerEvent) -> None: ...


HANDLERS: dict[type, Callable[[SmtpSession, Any], None]] = {
    ev.TlsWanted: SmtpSession._tls_wanted,
    ev.AuthAsked: SmtpSession._auth_asked,
    ev.AuthCancelled: SmtpSession._auth_cancelled,
    ev.XclientTaken: SmtpSession._xclient_taken,
    ev.SenderAsked: SmtpSession._sender_asked,
    ev.RecipientAsked: SmtpSession._recipient_asked,
    ev.DataAsked: SmtpSession._data_asked,
    ev.MessagePiece: SmtpSession._message_piece,
    ev.MessageRefused: SmtpSession._message_refused,
    ev.VerdictAsked: SmtpSession._verdict_asked,
    ev.TransactionReset: SmtpSession._transaction_reset,
    ev.EarlyTalk: SmtpSession._early_talk,
    ev.Refused: SmtpSession._refused,
    ev.Closed: SmtpSession._closes,
}
