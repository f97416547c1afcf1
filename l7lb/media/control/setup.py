"""The way for media of one session: how the server is connected to, and what a SETUP may use.

Opens a relay's ports before a SETUP goes on, and sockets with the player's address where the
server answers it by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from l7lb.errors import L7lbError, RelayAway
from l7lb.media.control.answers import KERNEL_MODES, AnswerSide
from l7lb.media.control.base import local_address
from l7lb.media.control.line import Asked
from l7lb.media.control.states import State, Turn
from l7lb.media.control.transports import Terms, pair_of, towards_server, usable
from l7lb.media.ports import Choice, RelayAsk
from l7lb.model_media import Mode
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.message import response
from l7lb_protocols.rtsp.session_id import parse as parse_session
from l7lb_protocols.rtsp.transport import Transport, encode
from l7lb_protocols.rtsp.transport import parse as parse_transports
from l7lb_protocols.wire import SERVER

if TYPE_CHECKING:
    from l7lb.net.opening import Opened
    from l7lb.pool.pool import Pool
    from l7lb.pool.server import Server


class SetupSide(AnswerSide):
    # ------------------------------------------------------------------ the connection

    def open_socket(self, pool: Pool, server: Server, done: Opened) -> None:
        """The driver is about to connect: where the server answers the player itself, it must see
        the player's address."""
        self.choice = self.office.choose(
            self.front.service, pool.spec, server.spec, self.driver.source
        )
        if self.choice.mode in KERNEL_MODES and not pool.spec.send_proxy:
            self.office.spawn(self._open_transparent(done))
        else:
            done(None)

    async def _open_transparent(self, done: Opened) -> None:
        kernel, sock = self.office.parts.kernel, None
        try:
            if kernel is None:
                self.choice = Choice(None, "the media-kernel process is not there")
            else:
                sock = await kernel.transparent_socket(self.driver.source)
        except L7lbError as error:
            self.choice = Choice(None, str(error))
        done(sock)

    # ------------------------------------------------------------------ requests

    def _send(self, asked: Asked, edits: dict[bytes, bytes | None]) -> None:
        if asked.tagged is not None:
            rest = parse_session(asked.request.get(b"session") or b"").rest
            edits[b"session"] = asked.tagged.id + rest
        asked.is_forwarded = True
        self.driver.send(SERVER, asked.request.encode(edits))
        self._pace()

    def _redirect(self, asked: Asked) -> None:
        """Mode `redirect`: the client goes to the server by itself (RFC 2326 §11.3)."""
        assert self._server is not None
        authority = str(self._server.spec.address).encode()
        scheme, _, rest = asked.request.target.partition(b"://")
        path = rest[len(asked.target.authority) :] if asked.target.authority else b""
        location = scheme + b"://" + authority + (path or b"/")
        asked.settle(302, response(302, asked.cseq, [(b"Location", location)]))
        self._flush()

    def _set_up_asked(self, asked: Asked) -> None:
        try:
            offered = parse_transports(asked.request.get(b"transport") or b"")
            kept = usable(offered, self._terms())
        except RtspRefusal as refusal:
            self._refuse(asked, refusal.status, str(refusal))
            return
        ports = pair_of(kept)
        asked.client_ports = ports or (0, 0)
        if self.choice.mode is Mode.RELAY and ports is not None:
            self._turn(Turn.OPEN_PORTS)
            ask = self._relay_ask(asked)
            self._setting_up = (asked, ask)
            self.office.spawn(self._with_relay(asked, kept, ask))
        else:
            self._send(asked, {b"transport": encode(kept)})

    def _terms(self) -> Terms:
        mode, reason = self.choice.mode, self.choice.reason
        if self.office.tcp_only.holds(self.driver.source):
            mode, reason = None, "no UDP has reached this client"
        return Terms(self.driver.source, mode, self.front.options.interleaved, reason)

    async def _with_relay(self, asked: Asked, kept: list[Transport], ask: RelayAsk) -> None:
        """Open ports, then go on where the request stopped, unless the server, or the client, has
        gone meanwhile."""
        relays = self.office.parts.relays
        try:
            if relays is None:
                raise RelayAway("there is no relay")
            relay = await relays.open(ask)
        except L7lbError as error:
            if self._goes_on(ask):
                self._without_relay(asked, kept, error)
            return
        if not self._goes_on(ask):
            self._give_back(relay)
            return
        asked.relay = relay
        self._send(asked, {b"transport": encode(towards_server(kept, relay))})
        self._go_on()
        self._pace()

    def _goes_on(self, ask: RelayAsk) -> bool:
        """False: this was asked for a server, or a client, that has gone meanwhile."""
        waiting = self._setting_up
        if waiting is None or waiting[1] is not ask or self.state is not State.SETTING_UP:
            return False
        self._setting_up = None
        self._turn(Turn.PORTS_OPEN)
        return True

    def _relay_ask(self, asked: Asked) -> RelayAsk:
        server = self._server
        assert server is not None
        address = server.endpoint[1] if server.endpoint is not None else ""
        tagged = asked.tagged
        held = self.held.get(tagged.id) if tagged is not None else None
        return RelayAsk(
            client=self.driver.source,
            server=address[0] if not isinstance(address, str) else "",
            client_local=local_address(self.driver.client),
            server_local=local_address(self.driver.server),
            session=held.relay if held is not None else "",
            timeout_s=held.timeout_s if held is not None else 60.0,
        )

    def _without_relay(self, asked: Asked, kept: list[Transport], error: L7lbError) -> None:
        """What else was offered, or the relay's own reason."""
        others = [each for each in kept if not each.is_udp]
        if others:
            self._send(asked, {b"transport": encode(others)})
        else:
            status = getattr(error, "status", 461)
            self._refuse(asked, 453 if status == 453 else 461, str(error))
        self._go_on()
        self._pace()
