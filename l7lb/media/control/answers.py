"""What the server says: answers, frames, and requests of its own; edited and passed to the client.

Session ids get their tag here, and a SETUP's answer the ports that the client shall see.
"""

from __future__ import annotations

from l7lb.media.control.base import RtspBase, local_address, log
from l7lb.media.control.held import GRACE_S, Held, Stream
from l7lb.media.control.latching import Latching, Watch
from l7lb.media.control.line import Asked
from l7lb.media.control.states import State, Turn
from l7lb.media.control.transports import from_relay, hidden
from l7lb.media.ports import FlowPath, RelayPeers, RelayStream
from l7lb.model_media import Mode
from l7lb.persistence.published import value_of
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.facts import RtspFacts
from l7lb_protocols.rtsp.grammar import FROM_SERVER
from l7lb_protocols.rtsp.message import Request, Response, response
from l7lb_protocols.rtsp.reader import Frames
from l7lb_protocols.rtsp.session_id import SessionField
from l7lb_protocols.rtsp.session_id import parse as parse_session
from l7lb_protocols.rtsp.transport import encode as encode_transports
from l7lb_protocols.rtsp.transport import parse as parse_transports
from l7lb_protocols.wire import (
    CLIENT,
    OUTCOME_FAILED,
    OUTCOME_OK,
    SERVER,
)

ASKED_LIMIT = 16
"""Requests of a server that its client has not answered."""
KERNEL_MODES = frozenset((Mode.DIRECT, Mode.NAT))
LATCH_GRACE_S = 10
"""Beyond the session's own timeout."""
PUBLISHES = (b"ANNOUNCE", b"RECORD")
Edits = dict[bytes, bytes | None]


class AnswerSide(RtspBase):
    # ------------------------------------------------------------------ bytes

    def server_data(self, data: bytes) -> None:
        self._from_server.feed(data)
        try:
            while self._server is not None and (event := self._from_server.next()) is not None:
                match event:
                    case Frames():
                        self.driver.send(CLIENT, event.data)
                    case Response():
                        self._answered(event)
                    case Request():
                        self._asked_by_server(event)
        except RtspRefusal as refusal:
            log.warning("the server speaks nonsense", extra=self._fields(str(refusal)))
            self._server_gone(502, OUTCOME_FAILED)
            return
        self._pace()
        self._go_on()

    def _go_on(self) -> None:
        """Read on what waited for an answer."""
        raise NotImplementedError

    # ------------------------------------------------------------------ answers

    def _answered(self, said: Response) -> None:
        asked = self.line.find(said.cseq)
        if asked is None:
            log.info("answer to nothing", extra=self._fields(f"CSeq {said.cseq}"))
            return
        if said.status < 200:
            return  # an interim answer would leave its turn
        edits, body = self._edits(asked, said)
        self._take_effect(asked, said, edits)
        asked.settle(said.status, said.encode(edits, body))
        if said.status >= 500:
            self.flags = "S"
        self.driver.answered(said.status, RtspFacts(asked.method, asked.target, asked.request))
        self._flush()

    def _edits(self, asked: Asked, said: Response) -> tuple[Edits, bytes]:
        assert self._naming is not None
        scheme = asked.request.target.partition(b"://")[0]
        prefix = scheme + b"://" + asked.target.authority
        if not asked.target.authority:
            return {}, said.body
        return self._naming.edits(said, prefix), self._naming.body(said, prefix)

    def _take_effect(self, asked: Asked, said: Response, edits: Edits) -> None:
        """What an answer changes. Raises RtspRefusal where it makes no sense."""
        field = said.get(b"session")
        found = parse_session(field) if field is not None else None
        is_good = 200 <= said.status < 300
        if found is not None:
            held = self._held(asked, found)
            edits[b"session"] = self._seal(held, found)
            if is_good and asked.method == b"SETUP":
                self._set_up(asked, said, held, edits)
        if asked.relay is not None and not is_good:
            self._close_relay(asked)
        if said.status == 454 and asked.tagged is not None:
            self.held.pop(asked.tagged.id, None)
        if is_good and asked.method == b"TEARDOWN":
            self._torn_down(asked)
        if is_good and asked.method in PUBLISHES and self.driver.slot is not None:
            self.driver.slot.learn(value_of(asked.target.path))
        if is_good and asked.method == b"PLAY":
            self._played(asked)

    def _held(self, asked: Asked, found: SessionField) -> Held:
        """The session as this connection knows it; a new one where it knows none."""
        held = self.held.get(found.id)
        if held is None:
            tagged = asked.tagged
            known = tagged is not None and tagged.id == found.id
            token = tagged.token if tagged is not None and known else self.office.token()
            held = Held(found.id, token)
            if asked.method == b"SETUP" or known:
                self.held[found.id] = held
        if b"timeout" in found.rest.lower():
            held.timeout_s = found.timeout_s
        return held

    def _seal(self, held: Held, found: SessionField) -> bytes:
        assert self._pool is not None
        assert self._server is not None
        place = (self._pool.name, self._server.name)
        return self.front.tags.seal(found.id, place, held.token) + found.rest

    # ------------------------------------------------------------------ SETUP, PLAY, TEARDOWN

    def _set_up(self, asked: Asked, said: Response, held: Held, edits: Edits) -> None:
        field = said.get(b"transport")
        if field is None:
            raise RtspRefusal(502, "a SETUP was answered without Transport", "RFC 2326 §12.39")
        chosen = parse_transports(field)[0]
        stream = Stream(asked.target.path, chosen.is_tcp)
        relay, local = asked.relay, local_address(self.driver.client)
        if relay is not None and chosen.is_udp:
            server_ports = chosen.ports(b"server_port") or (0, 0)
            told = RelayPeers(asked.client_ports, server_ports, held.alias)
            relays = self.office.parts.relays
            assert relays is not None
            self.office.tell(relays.peers(relay, told))
            self.office.tell(relays.touch(relay.session, timeout_s=held.timeout_s + GRACE_S))
            held.relay, stream.relay_stream = relay.session, relay.stream
            chosen = from_relay(chosen, relay, asked.client_ports, local)
        elif relay is not None:
            self._close_relay(asked)
        else:
            stream.client_ports = chosen.ports(b"client_port") or asked.client_ports
            stream.server_ports = chosen.ports(b"server_port") or (0, 0)
            chosen = hidden(chosen, self.own_names, local)
        held.streams = [each for each in held.streams if each.path != stream.path]
        held.streams.append(stream)
        edits[b"transport"] = encode_transports([chosen])

    @property
    def own_names(self) -> frozenset[str]:
        assert self._server is not None
        return self.front.own_names(self._server)

    def _close_relay(self, asked: Asked) -> None:
        """Ports that were opened for nothing."""
        relay, asked.relay = asked.relay, None
        if relay is not None:
            self._give_back(relay)

    def _give_back(self, relay: RelayStream) -> None:
        if self.office.parts.relays is not None:
            self.office.tell(self.office.parts.relays.close(relay.session, relay.stream))

    def _played(self, asked: Asked) -> None:
        held = self.held.get(asked.tagged.id) if asked.tagged is not None else None
        options, parts = self.front.options, self.office.parts
        if held is None:
            return
        if held.relay and parts.relays is not None:
            self.office.plays(held.relay, self.driver.source, options.tcp_only_s)
            self.office.tell(parts.relays.touch(held.relay, silent_s=options.silent_s))
        elif self.choice.mode in KERNEL_MODES and parts.kernel is not None:
            self._set_quiet(not self.is_interleaved)
            watch = Watch(self._paths(held), options.silent_s, int(held.timeout_s) + LATCH_GRACE_S)
            if watch.paths and held.listening is None:
                held.latching = Latching(parts.kernel, watch)
                listening = self._listen_for_player(held.latching)
                held.listening = self.office.spawn(listening)

    def _paths(self, held: Held) -> list[FlowPath]:
        """Of RTP and RTCP of each stream over UDP."""
        assert self._pool is not None
        assert self._server is not None
        endpoint = self._server.endpoint
        address = endpoint[1] if endpoint is not None else ""
        is_direct = self.choice.mode is Mode.DIRECT
        agent = self._pool.spec.media.agent_port if is_direct else 0
        return [
            FlowPath(self.driver.source, client_port, address[0], server_port, agent)
            for stream in held.streams
            for client_port, server_port in zip(
                stream.client_ports, stream.server_ports, strict=True
            )
            if client_port and server_port and not isinstance(address, str)
        ]

    async def _listen_for_player(self, latching: Latching) -> None:
        source, refuse_s = self.driver.source, self.front.options.tcp_only_s
        if await latching.listen():
            await latching.renew()
        else:
            log.info("no UDP from a player", extra=self._fields(source))
            self.office.tcp_only.add(source, refuse_s)

    def _torn_down(self, asked: Asked) -> None:
        """One stream, where its own URL was named and others are left; else the session."""
        tagged, relays = asked.tagged, self.office.parts.relays
        if tagged is None:
            return
        held = self.held.get(tagged.id)
        left = [] if held is None else [s for s in held.streams if s.path != asked.target.path]
        if held is not None and left and len(left) < len(held.streams):
            for stream in held.streams:
                if stream not in left and held.relay and relays is not None:
                    self.office.tell(relays.close(held.relay, stream.relay_stream))
            held.streams = left
            return
        self.held.pop(tagged.id, None)
        self.office.book.free(tagged.token)
        if held is not None:
            self._unlatch(held)
        if relays is not None and (held is None or held.relay):
            name = held.relay if held is not None else ""
            self.office.tell(relays.close(name or Held(tagged.id, tagged.token).alias))

    def _unlatch(self, held: Held) -> None:
        held.stop_listening()
        kernel = self.office.parts.kernel
        if held.latching is not None and kernel is not None:
            for path in held.latching.mapped:
                self.office.tell(kernel.unlatch(path))

    # ------------------------------------------------------------------ requests of the server

    def _asked_by_server(self, request: Request) -> None:
        cseq = request.cseq
        if request.method not in FROM_SERVER or len(self._asked_client) >= ASKED_LIMIT:
            status = 501 if request.method not in FROM_SERVER else 453
            self.driver.send(SERVER, response(status, cseq))
            return
        edits: Edits = {}
        field = request.get(b"session")
        if field is not None:
            found = parse_session(field)
            held = self.held.get(found.id)
            if held is None:
                self.driver.send(SERVER, response(454, cseq))
                return
            edits[b"session"] = self._seal(held, found)
        self._asked_client.add(cseq)
        self.driver.send(CLIENT, request.encode(edits))

    # ------------------------------------------------------------------ the server's end

    def server_eof(self) -> None:
        self._server_gone(502, OUTCOME_FAILED if self.line.at_server() else OUTCOME_OK)

    def server_lost(self) -> None:
        self._server_gone(502, OUTCOME_FAILED if self.line.at_server() else OUTCOME_OK)

    def _server_gone(self, status: int, outcome: int) -> None:
        """Sessions over UDP live on without a connection (RFC 2326 §1.1); the next request finds
        their server by its tag. Media over this connection has ended with it."""
        if self.state not in (State.PINNED, State.SETTING_UP):
            return
        was_interleaved = self.is_interleaved
        if self._setting_up is not None:
            self._deferred, self._setting_up = self._setting_up[0], None
        for asked in self.line.at_server():
            self._close_relay(asked)
            asked.settle(status, response(status, asked.cseq))
            self.flags = "S"
        self._flush()
        if was_interleaved:
            self._end(outcome)
        if self.is_over:
            return
        self._turn(Turn.GONE)
        self._let_go(outcome)
        self._pace()
        self._go_on()
