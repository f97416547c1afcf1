"""Ground of a server-facing session: greeting, hello, TLS, XCLIENT, login; replies in order.

It ends in ServerReady or ServerClosed; it must not know what a transaction is.
"""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from l7lb_protocols.smtp.client_events import (
    VOID_WHEN_CLOSED,
    ClientEvent,
    ServerClosed,
    ServerReady,
    StartTls,
)
from l7lb_protocols.smtp.client_states import CALLS, LAWFUL, Call, Phase, Wait
from l7lb_protocols.smtp.commands import auth_plain_line, command_line
from l7lb_protocols.smtp.errors import BadReply, Misuse
from l7lb_protocols.smtp.extensions import NONE, Extensions, parse_extensions
from l7lb_protocols.smtp.replies import Reply, reply
from l7lb_protocols.smtp.reply_reader import ReplyReader
from l7lb_protocols.smtp.xclient import Attributes, xclient_lines


class Tls(Enum):
    """STARTTLS towards the server."""

    NEVER = "never"
    MAY = "may"
    MUST = "must"


@dataclass(frozen=True, slots=True)
class Login:
    """AUTH PLAIN, else LOGIN; `owner`: act for this account (a master user's login, which LOGIN
    cannot say)."""

    account: bytes
    password: bytes = field(repr=False)
    owner: bytes = b""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """`name`: our host name. `attributes`: what XCLIENT tells a server that takes it. `login` is
    used under TLS only, unless `plain_auth`."""

    name: bytes
    lmtp: bool = False
    tls: Tls = Tls.NEVER
    attributes: Attributes | None = None
    login: Login | None = None
    plain_auth: bool = False


class ClientBase:
    """See `client_session.ClientSession`."""

    def __init__(self, settings: ClientSettings, *, secure: bool = False) -> None:
        self.settings = settings
        self.secure = secure
        self.phase = Phase.SETUP
        self.extensions: Extensions = NONE
        self._reader = ReplyReader()
        self._waits: deque[tuple[Wait, int]] = deque(((Wait.GREETING, 0),))
        self._output: list[bytes] = []
        self._events: list[ClientEvent] = []
        self._xclient: list[bytes] | None = None
        self._logged_in = False
        self._credentials: list[bytes] = []
        self._helo = False

    def output(self) -> bytes:
        """What to send, before any of the events is acted on. Taken once."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def receive(self, data: bytes) -> list[ClientEvent]:
        """Bytes from the server, in pieces of any size. Never raises for what a server says:
        nonsense ends the session, every open recipient temporarily refused."""
        if self.phase is Phase.CLOSED or not data:
            return []
        self._reader.push(data)
        try:
            if self.phase is Phase.TLS:
                raise BadReply("bytes behind the reply to STARTTLS", "RFC 3207 §6")
            while self.phase not in (Phase.CLOSED, Phase.TLS):
                answer = self._reader.next()
                if answer is None:
                    break
                self._take(answer)
        except BadReply as problem:
            self._fail(reply(451, b"4.5.0", f"server: {problem.reason}"), uncertain=True)
        return self._taken()

    def eof(self) -> list[ClientEvent]:
        """The server has gone."""
        if self.phase in (Phase.READY, Phase.LEAVING):
            self._close(reply(221, b"2.0.0", "server left"), lawful=True)
        else:
            self._fail(reply(451, b"4.4.2", "connection to the server lost"), uncertain=True)
        return self._taken()

    def expired(self) -> list[ClientEvent]:
        """The server was silent too long."""
        self._fail(reply(451, b"4.4.2", "the server does not answer"), uncertain=True)
        return self._taken()

    def abort(self) -> list[ClientEvent]:
        """End at once; a message that was not finished must not be taken for a whole one."""
        self._fail(reply(451, b"4.3.0", "given up"), uncertain=True)
        return self._taken()

    def tls_started(self) -> list[ClientEvent]:
        """TLS is on: what the server said before is forgotten (RFC 3207 §4.2)."""
        self._call(Call.SECURED)
        self.secure = True
        self.extensions = NONE
        self.phase = Phase.SETUP
        self._say_hello()
        return self._taken()

    def quit(self) -> list[ClientEvent]:
        self._call(Call.QUIT)
        self.phase = Phase.LEAVING
        self._send(Wait.QUIT, command_line(b"QUIT"))
        return self._taken()

    def _call(self, call: Call) -> None:
        if call not in CALLS[self.phase]:
            raise Misuse(f"{call.name} in phase {self.phase.name}")

    def _taken(self) -> list[ClientEvent]:
        events = self._events
        self._events = []
        return events

    def _send(self, wait: Wait, line: bytes, index: int = 0) -> None:
        self._output.append(line)
        self._waits.append((wait, index))

    def _take(self, answer: Reply) -> None:
        """One reply. 421 means the end wherever it comes (RFC 5321 §3.8)."""
        if answer.code == 421:
            if self.phase in (Phase.READY, Phase.LEAVING):
                self._close(answer, lawful=True)
            else:
                self._fail(answer)
            return
        if not self._waits:
            self._unasked(answer)
            return
        wait, index = self._waits.popleft()
        if answer.code // 100 not in LAWFUL[wait]:
            raise BadReply(f"{answer.code} makes no sense here", "RFC 5321 §4.3.2")
        handler = _SETUP.get(wait)
        if handler is None:
            self._transaction_reply(wait, index, answer)
        else:
            handler(self, answer)

    def _unasked(self, answer: Reply) -> None:
        """A reply while none is waited for."""
        raise NotImplementedError

    def _transaction_reply(self, wait: Wait, index: int, answer: Reply) -> None:
        raise NotImplementedError

    def _fail(self, answer: Reply, *, uncertain: bool = False) -> None:
        """The connection is lost; `uncertain`: without the server's own word."""
        raise NotImplementedError

    def _close(self, answer: Reply, *, lawful: bool) -> None:
        if self.phase is not Phase.CLOSED:
            self.phase = Phase.CLOSED
            self._waits.clear()
            self._events = [e for e in self._events if not isinstance(e, VOID_WHEN_CLOSED)]
            self._events.append(ServerClosed(answer, lawful))

    def _greeted(self, answer: Reply) -> None:
        if answer.is_positive:
            self._say_hello()
        else:
            self._fail(answer)

    def _say_hello(self) -> None:
        verb = b"LHLO" if self.settings.lmtp else b"HELO" if self._helo else b"EHLO"
        self._send(Wait.HELLO, command_line(verb, self.settings.name))

    def _hello_answered(self, answer: Reply) -> None:
        """A server that knows no EHLO is asked by HELO (RFC 5321 §3.2), and offers nothing."""
        if answer.is_positive:
            self.extensions = NONE if self._helo else parse_extensions(answer)
            self._next_step()
        elif answer.is_permanent and not self._helo and not self.settings.lmtp:
            self._helo = True
            self._say_hello()
        else:
            self._fail(answer)

    def _next_step(self) -> None:
        """What is still to be done before mail can go."""
        settings = self.settings
        if not self.secure and settings.tls is not Tls.NEVER and self._starts_tls():
            return
        if self._xclient is None and settings.attributes:
            self._xclient = xclient_lines(settings.attributes, self.extensions.xclient)
        if self._xclient:
            self._send(Wait.XCLIENT, self._xclient.pop(0))
        elif settings.login is not None and not self._logged_in:
            self._log_in(settings.login)
        else:
            self._ready()

    def _starts_tls(self) -> bool:
        """Whether that is what happens now: TLS, or the end for want of it."""
        if self.extensions.starttls:
            self._send(Wait.STARTTLS, command_line(b"STARTTLS"))
            return True
        if self.settings.tls is Tls.MUST:
            self._fail(reply(451, b"4.7.4", "the server offers no TLS"))
            return True
        return False

    def _starttls_answered(self, answer: Reply) -> None:
        if answer.is_positive:
            self.phase = Phase.TLS
            if not self._reader.is_clean:
                raise BadReply("bytes behind the reply to STARTTLS", "RFC 3207 §6")
            self._events.append(StartTls())
        else:
            self._fail(answer)

    def _xclient_answered(self, answer: Reply) -> None:
        """The server starts anew: nothing that it offered holds until the next hello."""
        if not answer.is_positive:
            self._fail(answer)
        elif self._xclient:
            self._send(Wait.XCLIENT, self._xclient.pop(0))
        else:
            self._say_hello()

    def _log_in(self, login: Login) -> None:
        offered = self.extensions.auth
        if not (self.secure or self.settings.plain_auth):
            self._fail(reply(451, b"4.7.0", "no login at the server without TLS"))
        elif b"PLAIN" in offered:
            self._send(Wait.AUTH, auth_plain_line(login.account, login.password, login.owner))
        elif b"LOGIN" in offered and not login.owner:
            self._credentials = [login.account, login.password]
            self._send(Wait.AUTH, command_line(b"AUTH", b"LOGIN"))
        else:
            self._fail(reply(451, b"4.7.0", "the server offers no login that we know"))

    def _auth_answered(self, answer: Reply) -> None:
        """What a challenge says does not matter to LOGIN."""
        if answer.is_intermediate and self._credentials:
            self._send(Wait.AUTH, b64encode(self._credentials.pop(0)) + b"\r\n")
        elif answer.is_positive and not self._credentials:
            self._logged_in = True
            self._next_step()
        elif answer.is_intermediate or answer.is_positive:
            raise BadReply("that is not how PLAIN and LOGIN go", "RFC 4954 §4")
        else:
            self._fail(answer)

    def _ready(self) -> None:
        self.phase = Phase.READY
        self._events.append(ServerReady(self.extensions))

    def _reset_answered(self, answer: Reply) -> None:
        if answer.is_positive:
            self._ready()
        else:
            self._fail(answer)

    def _left(self, answer: Reply) -> None:
        self._close(answer, lawful=True)


_SETUP: dict[Wait, Callable[[ClientBase, Reply], None]] = {
    Wait.GREETING: ClientBase._greeted,
    Wait.HELLO: ClientBase._hello_answered,
    Wait.STARTTLS: ClientBase._starttls_answered,
    Wait.XCLIENT: ClientBase._xclient_answered,
    Wait.AUTH: ClientBase._auth_answered,
    Wait.RSET: ClientBase._reset_answered,
    Wait.QUIT: ClientBase._left,
}
