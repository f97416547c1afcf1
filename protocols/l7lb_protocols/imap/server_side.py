"""The director's IMAP dialogue with a server: greeting, capabilities, STARTTLS, ID, login.

ID and the login go in one flight when nothing has to be waited for. Must not know the driver.
"""

from __future__ import annotations

from collections.abc import Callable

from l7lb_protocols.imap import capabilities, identity
from l7lb_protocols.imap.errors import ImapServerFault
from l7lb_protocols.imap.grammar import Word
from l7lb_protocols.imap.render import Literals, command, untagged
from l7lb_protocols.imap.responses import (
    CONTINUE,
    UNTAGGED,
    Response,
    ResponseLimits,
    ResponseReader,
)
from l7lb_protocols.login.events import LoggedIn
from l7lb_protocols.login.origin import Origin
from l7lb_protocols.login.server_side import ServerLogin, ServerSettings, ServerSide
from l7lb_protocols.login.states import ServerInput, ServerState
from l7lb_protocols.sasl.client import ClientExchange
from l7lb_protocols.sasl.encoding import encode
from l7lb_protocols.sasl.errors import SaslMalformed

LATER = frozenset((b"UNAVAILABLE", b"INUSE", b"LIMIT", b"SERVERBUG", b"CONTACTADMIN"))
"""Response codes of a NO that say nothing about the secret (RFC 5530)."""


class ImapServerSide(ServerSide):
    """`words`: what the client said of itself in ID, to be passed on."""

    def __init__(
        self,
        settings: ServerSettings,
        login: ServerLogin | None,
        origin: Origin | None = None,
        words: identity.Identity = (),
        limits: ResponseLimits | None = None,
    ) -> None:
        super().__init__(settings, login, origin)
        self._words = words
        self._reader = ResponseReader(limits)
        self._numbers = 0
        self._tag = b""
        """Of the answer that comes next."""
        self._login_tag = b""
        self._pieces: list[bytes] = []
        """Of the login, each to be sent after a continuation request."""
        self._exchange: ClientExchange | None = None
        self._untagged = b""

    def _feed(self, data: bytes) -> None:
        self._reader.receive(data)

    def _rest(self) -> bytes:
        return self._reader.rest()

    # ------------------------------------------------------------- answers

    def _step(self) -> bool:
        try:
            found = self._reader.next_response()
        except ImapServerFault as problem:
            self._broke(str(problem))
            return True
        if found is None:
            return False
        if self.state is ServerState.GREETING:
            self._greeting(found)
        elif found.tag == UNTAGGED:
            self._data(found)
        elif found.tag == CONTINUE:
            self._continue(found.text)
        elif found.tag != self._tag:
            self._broke("answer with a tag that we did not send")
        else:
            _RESULTS[self.state](self, found)
        return True

    def _greeting(self, found: Response) -> None:
        if found.tag != UNTAGGED or found.kind not in {b"OK", b"BYE", b"PREAUTH"}:
            self._broke("greeting is none")
        elif found.kind == b"PREAUTH":
            self._broke("PREAUTH greeting: whose mailbox that is nobody knows")
        elif found.kind == b"BYE":
            self._unavailable("the server said BYE")
        else:
            self._learn(found)
            self._welcomed()

    def _data(self, found: Response) -> None:
        if found.kind == b"BYE":
            self._unavailable("the server said BYE")
        elif found.kind in {b"PREAUTH", b"BAD"}:
            self._broke("untagged " + found.kind.decode("ascii"))
        elif self._learn(found):
            pass
        elif self.state is ServerState.LOGIN:
            self._untagged += found.raw
            if len(self._untagged) > self._reader.limits.max_response:
                self._broke("too much untagged data before the login")

    def _learn(self, found: Response) -> bool:
        """Whether it was the capabilities."""
        if found.kind == b"CAPABILITY":
            self.capabilities = capabilities.parse(found.text)
        elif found.code == b"CAPABILITY":
            self.capabilities = capabilities.parse(found.code_text)
        else:
            return False
        return True

    def _continue(self, challenge: bytes) -> None:
        if self.state is ServerState.LOGIN and self._pieces:
            self._say(self._pieces.pop(0))
        elif self.state is ServerState.LOGIN and self._exchange is not None:
            try:
                self._say(encode(self._exchange.respond(challenge)) + b"\r\n")
            except SaslMalformed as problem:
                self._broke(str(problem))
        else:
            self._broke("continuation request out of place")

    def _capabilities_result(self, found: Response) -> None:
        if found.kind != b"OK" or self.capabilities is None:
            self._broke("no answer to CAPABILITY")
        else:
            self._learnt()

    def _tls_result(self, found: Response) -> None:
        if found.kind == b"OK":
            self._tls_granted()
        else:
            self._unavailable("the server refused STARTTLS")

    def _introduced(self, found: Response) -> None:
        """Whether the server cares for ID is its own affair."""
        self._move(ServerInput.LOGIN_SENT)
        self._tag = self._login_tag
        self.capabilities = None
        del found

    def _login_result(self, found: Response) -> None:
        if found.kind == b"OK":
            self._success(found)
        elif found.kind == b"BAD":
            self._broke("the server answered BAD to the login")
        elif found.code in LATER:
            self._unavailable("the server refused for now", found.code)
        else:
            self._refused(found.code, found.text)

    def _success(self, found: Response) -> None:
        if self._pieces:
            self._broke("OK before the login was sent")
            return
        text, untagged_lines = found.text, self._untagged
        seen = self.capabilities
        if found.code == b"CAPABILITY":
            seen = capabilities.parse(found.code_text)
            shown = b" ".join(capabilities.after_login(seen))
            text = b"[CAPABILITY " + shown + b"] " + text
        else:
            text = found.raw[len(found.tag) + 4 : -2]
            if seen is not None:
                shown = b" ".join(capabilities.after_login(seen))
                untagged_lines += untagged(b"CAPABILITY", shown)
        self._logged_in(LoggedIn(text, untagged_lines, self._rest(), seen))

    # ------------------------------------------------------------- commands

    def _next_tag(self) -> bytes:
        self._numbers += 1
        return b"L%d" % self._numbers

    def _ask(self, name: bytes) -> None:
        self._tag = self._next_tag()
        self._say(command(self._tag, name)[0])

    def _ask_capabilities(self) -> None:
        self._ask(b"CAPABILITY")

    def _ask_tls(self) -> None:
        if capabilities.has(self.capabilities or (), b"STARTTLS"):
            self._ask(b"STARTTLS")
        else:
            self._unavailable("the server offers no STARTTLS")

    def _leave(self) -> None:
        self._ask(b"LOGOUT")

    def _enter(self, login: ServerLogin) -> None:
        known = self.capabilities or ()
        self._login_tag = b""
        hello = self._introduction() if capabilities.has(known, b"ID") else b""
        if not self._prepare(login, known):
            self._unavailable("the server offers no login that fits")
            return
        self.capabilities = None
        if hello:
            self._move(ServerInput.INTRODUCED)
            self._say(hello)
        else:
            self._move(ServerInput.LOGIN_SENT)
            self._tag = self._login_tag
        self._say(self._pieces.pop(0))

    def _introduction(self) -> bytes:
        if not self.settings.introduce:
            return b""
        self._tag = self._next_tag()
        return identity.command(self._tag, self._words, self.origin)

    def _prepare(self, login: ServerLogin, known: capabilities.Capabilities) -> bool:
        """Make the pieces of the login; False: the server offers none that fits."""
        self._login_tag = self._next_tag()
        name = login.plain_name()
        can_plain = b"PLAIN" in capabilities.mechanisms(known)
        can_login = not capabilities.has(known, b"LOGINDISABLED") and name is not None
        if can_login and not can_plain:
            pair = (Word(name or b"", True), Word(login.secret, True))
            self._pieces = list(command(self._login_tag, b"LOGIN", pair, _literals(known)))
            return True
        self._exchange = login.exchange(capabilities.mechanisms(known))
        if self._exchange is None:
            return False
        start = self._login_tag + b" AUTHENTICATE " + self._exchange.name
        if self._exchange.initial is not None and capabilities.has(known, b"SASL-IR"):
            start += b" " + (encode(self._exchange.initial) or b"=")
            self._exchange.sent_initial()
        self._pieces = [start + b"\r\n"]
        return True


def _literals(known: capabilities.Capabilities) -> Literals:
    if capabilities.has(known, b"LITERAL+"):
        return Literals.PLUS
    return Literals.MINUS if capabilities.has(known, b"LITERAL-") else Literals.ASK


_RESULTS: dict[ServerState, Callable[[ImapServerSide, Response], None]] = {
    ServerState.CAPABILITIES: ImapServerSide._capabilities_result,
    ServerState.STARTTLS: ImapServerSide._tls_result,
    ServerState.INTRODUCE: ImapServerSide._introduced,
    ServerState.LOGIN: ImapServerSide._login_result,
}
