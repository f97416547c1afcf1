"""The one driver: gives a session its sockets, its server and its clock.

A driver belongs to one client connection. It asks the rules, takes a slot in a pool, finds or
opens the server connection, and holds the one deadline that runs; `flow.Flow`, its other half,
moves the bytes. It knows no protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from l7lb.errors import NoServer
from l7lb.net.dial import IdleConnections
from l7lb.net.flow import Flow, blocks
from l7lb.net.log_lines import Record
from l7lb.net.service import NO_ROUTE, RoutePlan, Service
from l7lb.net.stream import FULL, HEAD_READ_SIZE, HOLD, READ_SIZE, ByteStream, Stream
from l7lb.net.tls import Negotiated, TlsStream
from l7lb.net.upstream import server_wrap
from l7lb.pool.cells import RETRIES, TIMEOUTS
from l7lb.pool.slot import Outcome, Slot
from l7lb_protocols.facts import Facts
from l7lb_protocols.wire import (
    CLIENT,
    FAILED,
    OUTCOME_CANCELLED,
    OUTCOME_TIMEOUT,
    PENDING,
    PHASE_BODY,
    PHASE_CONNECT,
    PHASE_FIRST_BYTE,
    PHASE_KEEP_ALIVE,
    PHASE_NONE,
    PHASE_QUEUE,
    PHASE_SEND,
    PHASE_TLS,
    READY,
    SERVER,
    Decision,
    Exchange,
)

if TYPE_CHECKING:
    from l7lb.net.certificates import CertificateStore
    from l7lb.net.host import Cancellable, Host
    from l7lb.pool.pool import Pool
    from l7lb.pool.queue import Ticket
    from l7lb.pool.server import Server

LINGER_S = 2.0
"""How long the rest of a refused request is read and thrown away."""
OUTCOMES = (Outcome.OK, Outcome.FAILED, Outcome.TIMEOUT, Outcome.CANCELLED)


class Driver(Flow):
    """Implements `wire.Wire` for the session and `StreamHandler` for both streams."""

    def __init__(self, host: Host, service: Service, client: ByteStream, secure: bool) -> None:
        super().__init__(host, service, client)
        self.secure = secure
        self.source = ""
        self.source_port = 0
        self.starttls: CertificateStore | None = None
        """With what TLS begins when the client asks for it in the protocol; None: it cannot."""
        self._plan: RoutePlan | None = None
        self._pool: Pool | None = None
        self._dialing: Cancellable | None = None
        self._ticket: Ticket | None = None
        self._tried: list[Server] = []
        self._reused = False
        self._gave_up = False
        self._first_byte = -1.0
        self._stalled_since = 0.0
        self._moved = 0
        self._released: Server | None = None

    # ------------------------------------------------------------------ Wire: deciding

    def decide(self, facts: Facts) -> Decision:
        self.service = service = self.service.latest.service
        self._started = self._poller.now_s
        self._gave_up = False
        self._pool = None
        self.set_cookie = b""
        if self._tried:
            self._tried = []
        found = service.table.find(facts)
        if found is None:
            self._plan = None
            self._limits = service.limits
            return NO_ROUTE
        plan = service.plans[found.position]
        self._plan = plan
        self._limits = plan.limits
        if plan.fixed is not None:
            return plan.fixed
        return plan.decide(facts, self.host.random)

    def pool_of(self, facts: Facts) -> Pool:
        """The pool that the last decision gives this account, always the same: for those who must
        ask about the account there before `connect`."""
        plan = self._plan
        assert plan is not None
        self._pool = plan.choose_for(facts.account)
        return self._pool

    def begin_exchange(self) -> Service:
        """For a session with server connections of its own (`leg`): start the exchange's clock
        and limits without a decision; returns the rules as they are now."""
        self.service = service = self.service.latest.service
        self._limits = service.limits
        self._started = self._poller.now_s
        return service

    def served(self, pool: Pool | None, server: Server | None, sent: int) -> None:
        """For the log, when such a session ends its exchange: by whom, and octets sent there."""
        self._pool = pool
        self._released = server
        self._bytes_in = sent

    def connect(self, facts: Facts, careful: bool) -> int:
        plan = self._plan
        assert plan is not None
        pool = plan.pool
        if pool is None:
            pool = self._pool or plan.choose(self.host.random)
        self._pool = pool
        pool.count_request()
        return self._take(pool, facts, careful)

    def _take(self, pool: Pool, facts: Facts, careful: bool) -> int:
        try:
            slot = pool.take(facts, self._tried)
            if slot is None:
                self._ticket = pool.wait(facts.detach(), self._granted, self._tried)
                self.phase(PHASE_QUEUE)
                return PENDING
        except NoServer as problem:
            self.failure = problem.status
            return FAILED
        return self._attach(slot, careful)

    def _granted(self, slot: Slot) -> None:
        """The queue's turn has come."""
        self._ticket = None
        if self._attach(slot, True) == READY and self.session is not None:
            self.session.server_ready()

    def _attach(self, slot: Slot, careful: bool) -> int:
        self._slot = slot
        self.set_cookie = slot.set_cookie
        if self.set_cookie and self.secure:
            self.set_cookie += b"; Secure"
        idle = slot.server.idle
        stream = idle.take(careful) if isinstance(idle, IdleConnections) else None
        if stream is None:
            self._dial(slot)
            return PENDING
        stream.handler = self
        stream.read_size = HEAD_READ_SIZE
        self.server = stream
        self._reused = True
        return READY

    def _dial(self, slot: Slot) -> None:
        self._reused = False
        assert self._pool is not None
        port = slot.server.spec.port(self.service.port) if self.service.port else 0
        self._dialing = self.host.dial(self._pool, slot.server, self, port)
        self.phase(PHASE_CONNECT)

    def dialed(self, stream: ByteStream | None, error: OSError | None) -> None:
        """The engine's answer to `dial`."""
        self._dialing = None
        session = self.session
        assert session is not None
        if stream is not None:
            stream.read_size = HEAD_READ_SIZE
            self.server = stream
            session.server_ready()
        else:
            self._note_failure(error)
            self._give_slot(Outcome.CONNECT_FAILED)
            session.server_failed(502)

    def _note_failure(self, error: OSError | None) -> None:
        if self._slot is not None:
            self.host.note_failure(self._slot.server, error)

    def retry(self, facts: Facts, same: bool) -> int:
        slot = self._slot
        self._drop_server()
        if same and slot is not None and self._reused:
            self._dial(slot)
            return PENDING
        self._give_slot(Outcome.FAILED)
        plan = self._plan
        pool = self._pool
        if plan is None or pool is None or self._gave_up:
            return FAILED
        limits = plan.retry or pool.spec.retry
        if len(self._tried) > limits.attempts or not pool.retry_allowed(plan.retry):
            return FAILED
        if self._tried:
            self._counters.count(self._tried[-1].index, RETRIES)
        return self._take(pool, facts, True)

    def answered(self, status: int, answer: Facts) -> None:
        self._first_byte = self._poller.now_s - self._started
        if self.server is not None:
            self.server.read_size = READ_SIZE
        slot = self._slot
        if slot is not None:
            slot.first_byte()
            learns = self._pool.learns if self._pool is not None else b""
            value = answer.cookie(learns) if learns else None
            if value:
                slot.learn(value)

    def release(self, outcome: int, reusable: bool) -> None:
        self._stop_relays()
        if self._dialing is not None:
            self._dialing.cancel()
            self._dialing = None
        if self._ticket is not None:
            self._ticket.cancel()
            self._ticket = None
        stream = self.server
        slot = self._slot
        if stream is not None:
            self.server = None
            idle = slot.server.idle if slot is not None and reusable else None
            if (
                isinstance(idle, IdleConnections)
                and stream.queued == 0
                and not stream.at_eof
                and not stream.closed
            ):
                stream.resume(HOLD | FULL)
                idle.put(stream, self._poller.now_s + self._idle_s())
            else:
                stream.close()
            self._let_client_go()
        if slot is not None:
            self._released = slot.server
            self._slot = None
            if outcome == OUTCOME_TIMEOUT:
                self._counters.count(slot.server.index, TIMEOUTS)
            slot.release(OUTCOMES[outcome])

    def part(self, ended: Callable[[], None]) -> bool:
        """Before `release`: end our side of the server's connection and let it go; `ended` is
        called when the server has ended its own. False: there is nothing to wait for."""
        self._stop_relays()
        stream = self.server
        if stream is None or stream.closed or stream.at_eof:
            return False
        self.server = None
        self._let_client_go()
        self.host.part(stream, ended)
        return True

    def _idle_s(self) -> float:
        return self._plan.server_idle_s if self._plan is not None else 0.0

    def _give_slot(self, outcome: Outcome) -> None:
        slot = self._slot
        if slot is not None:
            self._slot = None
            self._tried.append(slot.server)
            slot.release(outcome)

    def _drop_server(self) -> None:
        self._stop_relays()
        if self.server is not None:
            self.server.close()
            self.server = None
            self._let_client_go()

    def start_tls(self, side: int) -> None:
        self.phase(PHASE_TLS)
        if side == CLIENT:
            client = self.client
            assert isinstance(client, Stream)
            assert self.starttls is not None
            self.client = TlsStream(client, self, self.starttls.wrap, self._client_secured)
            return
        server, slot = self.server, self._slot
        assert isinstance(server, Stream)
        assert slot is not None
        try:
            assert self._pool is not None
            wrap = server_wrap(self._pool.spec, slot.server.spec)
            self.server = TlsStream(server, self, wrap, self._server_secured)
        except (OSError, ValueError) as problem:  # a certificate or a CA that cannot be used
            server.lose(OSError(f"TLS: {problem}"))

    def _client_secured(self, stream: ByteStream, negotiated: Negotiated) -> None:
        self.secure = True
        self.phase(PHASE_KEEP_ALIVE)
        if self.session is not None:
            self.session.secured(CLIENT, b"".join(negotiated.peer_names[:1]))

    def _server_secured(self, stream: ByteStream, negotiated: Negotiated) -> None:
        self.phase(PHASE_FIRST_BYTE)
        if self.session is not None:
            self.session.secured(SERVER, b"")

    def mirror(self, head: bytes, body: bytes) -> None:
        if self._plan is not None and self._plan.mirror is not None:
            self.host.mirror(self._plan.mirror, head, body)

    # ------------------------------------------------------------------ Wire: ends

    def log(self, session: Exchange) -> None:
        server = self._released or (self._tried[-1] if self._tried else None)
        self._released = None
        now = self._poller.now_s
        total_s = now - self._started if self._started else 0.0
        service = self.service
        self._counters.record(
            service.number,
            server.index if server is not None else -1,
            session.status,
            self._bytes_in,
            self._bytes_out,
            self._first_byte,
            total_s,
        )
        if service.log is not None:
            record = self._record(session, server)
            record.time_s = self._poller.wall_offset_s + now
            record.total_s = total_s
            service.log.record(record)
        self._started = 0.0
        self._first_byte = -1.0
        self._bytes_in = self._bytes_out = 0
        self._pool = None
        if self._tried:
            self._tried = []

    def _record(self, session: Exchange, server: Server | None) -> Record:
        record = Record()
        record.source = self.source
        record.method = session.method
        record.target = session.target
        record.host = session.host
        record.minor = session.minor
        record.status = session.status
        record.bytes_out = self._bytes_out
        record.first_s = self._first_byte
        record.service = self.service.name
        record.pool = self._pool.name if self._pool is not None else ""
        record.server = server.name if server is not None else ""
        record.request_id = session.request_id
        record.agent = session.agent
        record.referer = session.referer
        record.retries = session.tries
        record.flags = session.flags
        return record

    def close(self, linger: bool) -> None:
        self._stop_relays()
        self.client.flush()
        if not linger and self.client.queued == 0:
            self._gone()
            self.client.close()
            return
        self._closing = True
        self._lingering = linger
        self._phase = PHASE_SEND
        self.client.write_eof()
        self.client.resume(HOLD | FULL)
        self.deadline = self._poller.now_s + (LINGER_S if linger else self._limits[PHASE_SEND])

    def abort(self) -> None:
        if self._started and self.session is not None:
            self.session.expired(PHASE_NONE)  # the director ends: let it be logged
        self.release(OUTCOME_CANCELLED, False)
        self._gone()
        self.client.abort()

    def drain(self) -> None:
        """End after the exchange that is under way, at once when there is none."""
        self.draining = True
        is_idle = self._started == 0.0 and self._phase == PHASE_KEEP_ALIVE
        if is_idle and self.session is not None and self.client.is_quiet():
            self.session.expired(PHASE_KEEP_ALIVE)

    def tick(self, now: float) -> None:
        """Called a few times a second: deadlines, and clients that take nothing."""
        if not self._lingering and (self.client.queued or blocks(self.client)):
            self._watch_client(now)
            return
        self._stalled_since = 0.0
        if now >= self.deadline:
            self._expire()

    def _watch_client(self, now: float) -> None:
        """While the client does not take what we have, it alone is to blame for any silence."""
        moved = self._bytes_out - self.client.untaken()
        self.deadline = now + self._limits[self._phase]
        if moved != self._moved or self._stalled_since == 0.0:
            self._moved = moved
            self._stalled_since = now
        elif now - self._stalled_since > self._limits[PHASE_SEND]:
            self._phase = PHASE_SEND
            self._expire()

    def _expire(self) -> None:
        if self._closing:
            self._gone()
            self.client.close()
            return
        session = self.session
        if session is None:
            self._gone()
            self.client.close()
        elif self._phase == PHASE_CONNECT:
            if self._dialing is not None:
                self._dialing.cancel()
                self._dialing = None
            self._note_failure(OSError("connect timed out"))
            self._give_slot(Outcome.CONNECT_FAILED)
            session.server_failed(504)
        elif self._phase == PHASE_QUEUE:
            if self._ticket is not None:
                self._ticket.cancel()
                self._ticket = None
            self._gave_up = True
            session.server_failed(503)
        else:
            phase = self._phase
            server = self.server
            if phase == PHASE_BODY and server is not None and (server.queued or blocks(server)):
                phase = PHASE_FIRST_BYTE  # the server does not take the body: its fault
            self.phase(PHASE_NONE)
            session.expired(phase)
