"""One client of RTSP from its first byte to its last: what it asks, and which server gets it.

Joins the codec to the driver, to the rules and to the parts that open ways for media. A connection
is pinned to a server by its first request; a session's tag leads any connection to the session's
server. Does no I/O of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l7lb.media.control.base import log
from l7lb.media.control.held import Held, Stream
from l7lb.media.control.line import Asked
from l7lb.media.control.setup import SetupSide
from l7lb.media.control.states import READS, State, Turn
from l7lb.media.control.tunnel import begin_tunnel
from l7lb.model_media import Mode
from l7lb_protocols.rtsp import http_tunnel
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.facts import RtspFacts
from l7lb_protocols.rtsp.grammar import FROM_CLIENT, VERSION
from l7lb_protocols.rtsp.message import Request, Response, response
from l7lb_protocols.rtsp.reader import Frames
from l7lb_protocols.rtsp.session_id import parse as parse_session
from l7lb_protocols.rtsp.url import read as read_url
from l7lb_protocols.wire import (
    FAILED,
    OUTCOME_CANCELLED,
    OUTCOME_OK,
    OUTCOME_TIMEOUT,
    PHASE_FIRST_BYTE,
    PHASE_HEAD,
    PHASE_SEND,
    READY,
    SERVER,
)

if TYPE_CHECKING:
    from l7lb.media.control.plug import RtspPlug
    from l7lb.net.driver import Driver
    from l7lb_protocols.http.forwarded import ClientInfo

PINS = (b"OPTIONS", b"DESCRIBE", b"ANNOUNCE", b"SETUP")
"""Requests without a session that may go to another server than the one before."""
PUBLIC = b", ".join(sorted(FROM_CLIENT))
QUEUE_GAVE_UP = 503
"""The driver's status when no place became free in time."""


class RtspSession(SetupSide):
    def __init__(self, driver: Driver, plug: RtspPlug, client: ClientInfo) -> None:
        super().__init__(driver, plug, client)
        self._first: bytes | None = b""
        """Bytes that may begin an HTTP tunnel; None: they did not."""
        self._facts: RtspFacts | None = None
        """Of the request for which a server is chosen."""
        self._waiting: Asked | None = None
        """For the server that is being chosen."""
        self._is_going = False
        driver.opener = self

    # ------------------------------------------------------------------ bytes of the client

    def client_data(self, data: bytes) -> None:
        if self.is_over or (self._first is not None and not data):
            return
        if self._first is not None:
            data = self._first + data
            is_tunnel = http_tunnel.may_begin(data)
            if is_tunnel is None or (is_tunnel and not begin_tunnel(self, data)):
                self._first = data
                self.driver.phase(PHASE_HEAD)
                return
            self._first = None
            if is_tunnel:
                return
        self._from_client.feed(data)
        self._go_on()
        self._pace()

    def _go_on(self) -> None:
        """As long as the next event can be dealt with now."""
        if self._is_going:
            return
        self._is_going = True
        try:
            while self._can_read() and self._step():
                pass
        except RtspRefusal as refusal:
            self._break(refusal)
        finally:
            self._is_going = False
        if not self.is_over:
            self.driver.hold(not self._can_read())

    def _can_read(self) -> bool:
        """Neither a server nor ports are waited for, and answers are taken."""
        if self.state not in READS or self.is_closing or self.driver.full:
            return False
        if self._deferred is not None:
            return not self.line.at_server()
        return len(self.line) < self.front.options.pipeline

    def _step(self) -> bool:
        """The next thing to do; False: there is none. Raises RtspRefusal."""
        deferred, self._deferred = self._deferred, None
        if deferred is not None:
            self._route(deferred)
            return True
        event = self._from_client.next()
        if event is not None:
            self._heard(event)
        return event is not None

    def _heard(self, event: object) -> None:
        """Raises RtspRefusal where the connection cannot go on."""
        match event:
            case Frames():
                if not self.is_interleaved:
                    raise RtspRefusal(400, "frames without a session", "RFC 2326 §10.12")
                self.driver.send(SERVER, event.data)
            case Response():
                self._client_answers(event)
            case Request():
                self._request(event)

    def _break(self, refusal: RtspRefusal) -> None:
        """What came cannot be understood: say so behind what was asked before, and close."""
        log.info("bad input", extra=self._fields(str(refusal)))
        self._close_after(response(refusal.status, None), refusal.status)

    def _client_answers(self, said: Response) -> None:
        """To a request of the server; anything else is nobody's."""
        cseq = said.cseq
        if cseq not in self._asked_client:
            return
        self._asked_client.discard(cseq)
        edits: dict[bytes, bytes | None] = {}
        field = said.get(b"session")
        if field is not None:
            found = parse_session(field)
            tagged = self.front.tags.open(found.id)
            edits[b"session"] = None if tagged is None else tagged.id + found.rest
        self.driver.send(SERVER, said.encode(edits))

    # ------------------------------------------------------------------ requests

    def _request(self, request: Request) -> None:
        self.front = self.plug.front(self.driver.service.latest.service)
        asked = Asked(request)
        if not self.line:
            self.driver.begin_exchange()
        self.line.add(asked)
        try:
            self._understand(asked)
        except RtspRefusal as refusal:
            self._refuse(asked, refusal.status, str(refusal))
            return
        self._route(asked)

    def _understand(self, asked: Asked) -> None:
        """Raises RtspRefusal for what is not forwarded to anybody."""
        request = asked.request
        asked.cseq = request.cseq
        if request.version != VERSION:
            raise RtspRefusal(505, request.version.decode(), "RFC 2326 §11.3.14")
        if request.method not in FROM_CLIENT:
            raise RtspRefusal(501, "unknown method", "RFC 2326 §10")
        if request.get(b"proxy-require") is not None:
            raise RtspRefusal(551, "an option that we do not know", "RFC 2326 §12.27")
        asked.target = read_url(request.target)
        field = request.get(b"session")
        if field is not None:
            asked.tagged = self.front.tags.open(parse_session(field).id)
            if asked.tagged is None:
                raise RtspRefusal(454, "the session is not one of ours", "RFC 2326 §11.3.5")

    def _route(self, asked: Asked) -> None:
        """To the server that it belongs to; to another one only when nothing is under way."""
        if self.state is State.PINNED and self._belongs_elsewhere(asked):
            if self.line.at_server():
                self._deferred = asked
                return
            if self.is_interleaved:
                self._refuse(asked, 455, "media of another server comes over this connection")
                return
            self._turn(Turn.GONE)
            self._let_go(OUTCOME_OK)
        if self.state is State.PINNED:
            self._forward(asked)
        else:
            self._choose(asked)

    def _belongs_elsewhere(self, asked: Asked) -> bool:
        if asked.tagged is not None:
            return not self._is_at(*asked.tagged.place)
        path = asked.target.path
        if asked.method not in PINS or path in (b"*", self.pinned_path):
            return False
        if self.held and self.is_interleaved:
            return not self._rules_agree(asked)
        return not path.startswith(self.pinned_path.rstrip(b"/") + b"/")

    def _rules_agree(self, asked: Asked) -> bool:
        """Whether the rules give this request the pool that the connection has."""
        service = self.driver.service.latest.service
        found = service.table.find(self._facts_of(asked))
        if found is None or self._pool is None:
            return False
        return any(pool.name == self._pool.name for pool, _ in service.plans[found.position].pools)

    def _facts_of(self, asked: Asked) -> RtspFacts:
        facts = RtspFacts(asked.method, asked.target, asked.request)
        facts.source = self.driver.source
        facts.sni, facts.tls_name = self.client.sni, self.client.tls_name
        return facts

    # ------------------------------------------------------------------ choosing a server

    def _choose(self, asked: Asked) -> None:
        facts = self._facts = self._facts_of(asked)
        driver = self.driver
        if asked.tagged is not None:
            pool, server = asked.tagged.place
            if not driver.pin(pool):
                self._refuse(asked, 454, f"pool {pool} is not used any more")
                return
            facts.server = server.encode()
        else:
            reply = driver.decide(facts).reply
            if reply is not None:
                self._no_route(asked, reply[0])
                return
            self._ask_holdings(facts)
        self._turn(Turn.CHOOSE)
        self._waiting = asked
        self._dispatched(driver.connect(facts, True))

    def _no_route(self, asked: Asked, status: int) -> None:
        if asked.method == b"OPTIONS" and asked.target.path == b"*":
            asked.settle(200, response(200, asked.cseq, [(b"Public", PUBLIC)]))
            self._flush()
        else:
            self._refuse(asked, status, "no route")

    def _ask_holdings(self, facts: RtspFacts) -> None:
        """A server that has the file on its own disk, where agents say so."""
        holdings = self.office.parts.holdings
        pool = self.driver.only_pool
        if holdings is None or pool is None or pool.pins is not None or facts.path == b"*":
            return
        names = [server.name for server in pool.selection.candidates]
        name = holdings.choose(pool.name, facts.path, names)
        if name is not None:
            facts.server = name.encode()

    def _dispatched(self, code: int) -> None:
        if code == READY:
            self.server_ready()
        elif code == FAILED:
            self._not_chosen(self.driver.failure)

    def server_failed(self, status: int) -> None:
        if status == QUEUE_GAVE_UP:
            self._not_chosen(453)
            return
        self.tries += 1
        self.flags = "S"
        assert self._facts is not None
        code = self.driver.retry(self._facts, False)
        if code == FAILED:
            self._not_chosen(503)
        else:
            self._dispatched(code)

    def _not_chosen(self, status: int) -> None:
        asked, self._waiting = self._waiting, None
        assert asked is not None
        self._turn(Turn.FAILED)
        self.driver.release(OUTCOME_CANCELLED, False)
        self._refuse(asked, status, "no server")
        self._go_on()
        self._pace()

    def server_ready(self) -> None:
        asked, self._waiting = self._waiting, None
        slot, pool = self.driver.slot, self.driver.pool
        assert asked is not None
        assert slot is not None
        assert pool is not None
        self._turn(Turn.CONNECTED)
        self._pool, self._server = pool, slot.server
        self._naming = self.front.naming(slot.server)
        self.pinned_path = asked.target.path if asked.target.path != b"*" else b""
        self.office.sessions.add(self)
        self._forward(asked)
        self._go_on()
        self._pace()

    # ------------------------------------------------------------------ to the server

    def _forward(self, asked: Asked) -> None:
        tagged = asked.tagged
        if tagged is not None:
            self._use(tagged.id, tagged.token)
        if not self.pinned_path and asked.target.path != b"*":
            self.pinned_path = asked.target.path
        if self.choice.mode is Mode.REDIRECT and asked.method in (b"DESCRIBE", b"SETUP"):
            self._redirect(asked)
        elif asked.method == b"SETUP":
            self._set_up_asked(asked)
        else:
            self._send(asked, {})

    def _use(self, session: bytes, token: bytes) -> None:
        """A request names a session: it lives, and has a connection."""
        held = self.held.get(session)
        if held is None:
            held = self.held[session] = Held(session, token)
            held.streams.append(Stream(b"", is_interleaved=False))
            if self.choice.mode is Mode.RELAY:
                held.relay = held.alias
            self.office.book.free(token)
        if held.relay and self.office.parts.relays is not None:
            self.office.tell(self.office.parts.relays.touch(held.relay))

    # ------------------------------------------------------------------ ends

    def client_eof(self) -> None:
        """Nobody asks any more, but what was asked is still answered."""
        self._close_after(b"", 0)

    def client_lost(self) -> None:
        self.flags = "C"
        self._end(OUTCOME_OK if not self.line.open() else OUTCOME_CANCELLED)

    def relayed(self, source: int) -> None:
        """Nothing is relayed unseen here."""

    def expired(self, phase: int) -> None:
        if phase == PHASE_FIRST_BYTE and self.line.at_server():
            self._server_gone(504, OUTCOME_TIMEOUT)
            return
        if phase not in (PHASE_SEND, PHASE_HEAD):
            self._end(OUTCOME_OK)
            return
        self.flags = "X"
        if phase == PHASE_HEAD:
            self._close_after(response(408, None), 408)
        else:
            self._end(OUTCOME_CANCELLED)
