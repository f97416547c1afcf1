"""The director's POP3 dialogue with a server: greeting, CAPA, STLS, XCLIENT, login.

Commands go in one flight where the server announces PIPELINING. Must not know the driver.
"""

from __future__ import annotations

from collections.abc import Callable

from l7lb_protocols.login.events import LoggedIn
from l7lb_protocols.login.origin import Origin
from l7lb_protocols.login.server_side import ServerLogin, ServerSettings, ServerSide
from l7lb_protocols.login.states import ServerInput, ServerState
from l7lb_protocols.pop3 import capabilities, xclient
from l7lb_protocols.pop3.errors import Pop3ServerFault
from l7lb_protocols.pop3.render import command, line
from l7lb_protocols.pop3.responses import (
    CONTINUE,
    OK,
    Response,
    ResponseLimits,
    ResponseReader,
)
from l7lb_protocols.sasl.client import ClientExchange
from l7lb_protocols.sasl.encoding import encode
from l7lb_protocols.sasl.errors import SaslMalformed

LATER = frozenset((b"SYS/TEMP", b"SYS/PERM", b"IN-USE", b"LOGIN-DELAY"))
"""Response codes that say nothing about the secret (RFC 2449 §8.1, RFC 3206)."""
MAX_INITIAL_LINE = 255
"""RFC 5034 §4: an initial response that makes the line longer waits for the challenge."""


class Pop3ServerSide(ServerSide):
    """See ServerSide."""

    def __init__(
        self,
        settings: ServerSettings,
        login: ServerLogin | None,
        origin: Origin | None = None,
        limits: ResponseLimits | None = None,
    ) -> None:
        super().__init__(settings, login, origin)
        self._reader = ResponseReader(limits)
        self._takes_xclient = False
        self._flight: list[bytes] = []
        """Commands of the login still to be sent, each after a positive answer."""
        self._awaited = 0
        """Answers to come until the login is decided."""
        self._exchange: ClientExchange | None = None

    def _feed(self, data: bytes) -> None:
        self._reader.receive(data)

    def _rest(self) -> bytes:
        return self._reader.rest()

    # ------------------------------------------------------------- answers

    def _step(self) -> bool:
        try:
            found = self._reader.next_response(has_body=self.state is ServerState.CAPABILITIES)
        except Pop3ServerFault as problem:
            self._broke(str(problem))
            return True
        if found is None:
            return False
        if found.kind == CONTINUE:
            self._continue(found.text)
        else:
            _RESULTS[self.state](self, found)
        return True

    def _greeting(self, found: Response) -> None:
        if found.kind == OK:
            self._takes_xclient = b"[XCLIENT]" in found.text.upper()
            self._welcomed()
        else:
            self._unavailable("the server refused the connection", found.code)

    def _continue(self, challenge: bytes) -> None:
        if self.state is not ServerState.LOGIN or self._exchange is None:
            self._broke("challenge out of place")
            return
        try:
            self._say(line(encode(self._exchange.respond(challenge))))
        except SaslMalformed as problem:
            self._broke(str(problem))

    def _capabilities_result(self, found: Response) -> None:
        """A server that does not know CAPA knows USER and PASS (RFC 1939)."""
        self.capabilities = found.lines if found.kind == OK else (b"USER",)
        self._learnt()

    def _tls_result(self, found: Response) -> None:
        if found.kind == OK:
            self._tls_granted()
        else:
            self._unavailable("the server refused STLS", found.code)

    def _introduced(self, found: Response) -> None:
        """Whether the server cares for XCLIENT is its own affair."""
        del found
        self._move(ServerInput.LOGIN_SENT)
        self._send_next()

    def _login_result(self, found: Response) -> None:
        self._awaited -= 1
        if found.kind == OK and self._awaited:
            self._move(ServerInput.LOGIN_SENT)
            self._send_next()
        elif found.kind == OK:
            self._logged_in(LoggedIn(found.text, rest=self._rest()))
        elif found.code in LATER:
            self._unavailable("the server refused for now", found.code)
        else:
            self._refused(found.code, found.text)

    # ------------------------------------------------------------- commands

    def _ask_capabilities(self) -> None:
        self._say(command(b"CAPA"))

    def _ask_tls(self) -> None:
        if capabilities.has(self.capabilities or (), b"STLS"):
            self._say(command(b"STLS"))
        else:
            self._unavailable("the server offers no STLS")

    def _leave(self) -> None:
        self._say(command(b"QUIT"))

    def _enter(self, login: ServerLogin) -> None:
        known = self.capabilities or ()
        if not self._prepare(login, known):
            self._unavailable("the server offers no login that fits")
            return
        self._awaited = len(self._flight)
        takes = self._takes_xclient or capabilities.has(known, b"XCLIENT")
        if takes and self.settings.introduce:
            self._move(ServerInput.INTRODUCED)
            self._say(xclient.build(self.origin.next_hop()))
        else:
            self._move(ServerInput.LOGIN_SENT)
            self._send_next()
        if capabilities.has(known, b"PIPELINING"):
            while self._flight:
                self._send_next()

    def _send_next(self) -> None:
        if self._flight:
            self._say(self._flight.pop(0))

    def _prepare(self, login: ServerLogin, known: capabilities.Capabilities) -> bool:
        """Make the commands of the login; False: the server offers none that fits."""
        offered = capabilities.mechanisms(known)
        name = login.plain_name()
        can_user = capabilities.has(known, b"USER") and name is not None
        if can_user and b"PLAIN" not in offered:
            self._flight = [command(b"USER", name or b""), command(b"PASS", login.secret)]
            return True
        self._exchange = login.exchange(offered)
        if self._exchange is None:
            return False
        words = self._exchange.name
        if self._exchange.initial is not None:
            initial = encode(self._exchange.initial) or b"="
            if len(b"AUTH  \r\n" + words + initial) <= MAX_INITIAL_LINE:
                words += b" " + initial
                self._exchange.sent_initial()
        self._flight = [command(b"AUTH", words)]
        return True


_RESULTS: dict[ServerState, Callable[[Pop3ServerSide, Response], None]] = {
    ServerState.GREETING: Pop3ServerSide._greeting,
    ServerState.CAPABILITIES: Pop3ServerSide._capabilities_result,
    ServerState.STARTTLS: Pop3ServerSide._tls_result,
    ServerState.INTRODUCE: Pop3ServerSide._introduced,
    ServerState.LOGIN: Pop3ServerSide._login_result,
}
