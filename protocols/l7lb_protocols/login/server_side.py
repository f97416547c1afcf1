"""The director's dialogue with a server until login: what IMAP and POP3 have in common.

Each call returns the events that it caused, in order; exactly one of Learnt, LoggedIn, Refused,
Unavailable and BrokeProtocol is the last. Owns the state. Must not know any wire format, nor how
the server was chosen; deadlines are the driver's, which calls `lost` when one has passed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from l7lb_protocols.login.events import (
    BrokeProtocol,
    Event,
    Learnt,
    LoggedIn,
    Refused,
    StartTls,
    Unavailable,
    add_bytes,
)
from l7lb_protocols.login.origin import NOBODY, Origin
from l7lb_protocols.login.states import SERVER_MOVES, ServerInput, ServerState, move
from l7lb_protocols.sasl.client import ClientExchange, ExternalClient, LoginClient, PlainClient

_OVER = frozenset({ServerState.DONE, ServerState.FAILED})


@dataclass(frozen=True, slots=True)
class ServerLogin:
    """Who logs in: the user with their secret, or a master user on their behalf."""

    account: bytes
    secret: bytes = field(default=b"", repr=False)
    authorize_as: bytes = b""
    """The user, when `account` is a master user."""
    external: bool = False
    """By the director's own certificate; `account` plays no part then."""
    separator: bytes = b""
    """Servers without SASL PLAIN may take `user separator master` as a name; empty: do not try."""

    def plain_name(self) -> bytes | None:
        """The name for a login without authorization identity; None: not possible."""
        if self.external:
            return None
        if not self.authorize_as:
            return self.account
        if not self.separator:
            return None
        return self.authorize_as + self.separator + self.account

    def exchange(self, offered: tuple[bytes, ...]) -> ClientExchange | None:
        """By a mechanism that the server offers; None: none fits. Raises ValueError for NUL."""
        if self.external:
            return ExternalClient(self.authorize_as) if b"EXTERNAL" in offered else None
        if b"PLAIN" in offered:
            return PlainClient(self.account, self.secret, self.authorize_as)
        name = self.plain_name()
        if b"LOGIN" in offered and name is not None:
            return LoginClient(name, self.secret)
        return None


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The same for all connections to the servers of one pool."""

    starttls: bool = False
    """TLS must be started in the dialogue; without it there is no login."""
    introduce: bool = True
    """Hand the client's origin over where the server can take it."""
    max_answers: int = 100
    """Responses in all before the login is done."""


class ServerSide:
    """`login` None: learn the capabilities and leave."""

    def __init__(
        self, settings: ServerSettings, login: ServerLogin | None, origin: Origin | None = None
    ) -> None:
        self.settings = settings
        self.login = login
        self.origin = origin or NOBODY
        self.state = ServerState.GREETING
        self.is_tls = False
        self.capabilities: tuple[bytes, ...] | None = None
        self._events: list[Event] = []
        self._answers = 0

    # ------------------------------------------------------------- the driver's calls

    @property
    def is_over(self) -> bool:
        """The last event has been given."""
        return self.state in _OVER

    def receive(self, data: bytes) -> list[Event]:
        """Bytes of the server. After the last event they are ignored: they are the relay's."""
        if self.state is ServerState.TLS:
            self._broke("bytes in clear after STARTTLS")
        elif not self.is_over:
            self._feed(data)
            self._run()
        return self._taken()

    def tls_started(self) -> list[Event]:
        """The handshake that StartTls asked for is done. What was learnt in clear is forgotten."""
        self._move(ServerInput.TLS_READY)
        self.is_tls = True
        self.capabilities = None
        self._ask_capabilities()
        return self._taken()

    def lost(self, reason: str) -> list[Event]:
        """The connection has ended, TLS failed, or a deadline passed."""
        if not self.is_over:
            self._unavailable(reason)
        return self._taken()

    # ------------------------------------------------------------- for subclasses

    def _run(self) -> None:
        while not self.is_over and self.state is not ServerState.TLS and self._step():
            self._answers += 1
            if self._answers > self.settings.max_answers and not self.is_over:
                self._broke("too many answers before the login")

    def _welcomed(self) -> None:
        """The greeting is there."""
        if self.login is not None and self.origin.is_loop:
            self._unavailable("the connection goes round in a ring of directors")
        elif self.capabilities is None:
            self._move(ServerInput.CAPABILITIES_ASKED)
            self._ask_capabilities()
        else:
            self._learnt()

    def _learnt(self) -> None:
        """The capabilities are known."""
        if self.settings.starttls and not self.is_tls:
            self._move(ServerInput.TLS_ASKED)
            self._ask_tls()
        elif self.login is None:
            self._move(ServerInput.SUCCEEDED)
            self._leave()
            self._events.append(Learnt(self.capabilities or ()))
        else:
            self._enter(self.login)

    def _tls_granted(self) -> None:
        """The server goes on with TLS; it may have said nothing after that (CVE-2011-0411)."""
        if self._rest():
            self._broke("bytes in clear after STARTTLS")
            return
        self._move(ServerInput.TLS_GRANTED)
        self._events.append(StartTls())

    def _logged_in(self, login: LoggedIn) -> None:
        self._move(ServerInput.SUCCEEDED)
        self._events.append(login)

    def _refused(self, code: bytes, text: bytes) -> None:
        self._move(ServerInput.FAILED)
        self._events.append(Refused(code, text))

    def _unavailable(self, reason: str, code: bytes = b"") -> None:
        self._move(ServerInput.FAILED)
        self._events.append(Unavailable(reason, code))

    def _broke(self, reason: str) -> None:
        self._move(ServerInput.FAILED)
        self._events.append(BrokeProtocol(reason))

    def _move(self, what: ServerInput) -> None:
        self.state = move(SERVER_MOVES, self.state, what)

    def _say(self, data: bytes) -> None:
        add_bytes(self._events, data)

    def _taken(self) -> list[Event]:
        events, self._events = self._events, []
        return events

    # ------------------------------------------------------------- the protocol's own

    def _feed(self, data: bytes) -> None:
        raise NotImplementedError

    def _rest(self) -> bytes:
        """Take all bytes not yet read."""
        raise NotImplementedError

    def _step(self) -> bool:
        """Take one answer. False: more bytes are needed."""
        raise NotImplementedError

    def _ask_capabilities(self) -> None:
        raise NotImplementedError

    def _ask_tls(self) -> None:
        """Ask, or fail when the server cannot."""
        raise NotImplementedError

    def _enter(self, login: ServerLogin) -> None:
        """Hand the origin over and log in."""
        raise NotImplementedError

    def _leave(self) -> None:
        raise NotImplementedError
