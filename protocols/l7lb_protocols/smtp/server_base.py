"""Ground of a client-facing session: what waits, what is to be sent, what is counted.

It moves along the table of `server_states` and ends sessions; it must not know any command.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from l7lb_protocols.smtp.data_reader import DataLimits
from l7lb_protocols.smtp.errors import Misuse, SmtpRefusal
from l7lb_protocols.smtp.extensions import EVERYTHING, NONE, Extensions, Own
from l7lb_protocols.smtp.lines import COMMAND_LIMIT, LineBuffer
from l7lb_protocols.smtp.parameters import Recipient, Sender
from l7lb_protocols.smtp.replies import Reply, refusal_reply, reply
from l7lb_protocols.smtp.server_events import (
    VOID_WHEN_CLOSED,
    Closed,
    EarlyTalk,
    Refused,
    ServerEvent,
    TransactionReset,
)
from l7lb_protocols.smtp.server_states import READS, TABLE, Input, State


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """`name`: our host name. `own`: what we add to what servers keep; its `auth` is offered under
    TLS only, unless `plain_auth`. Limits: recipients of a message, errors, refused recipients and
    idle commands (NOOP and such, between messages) of a session, octets that wait for their turn.
    """

    name: bytes
    lmtp: bool = False
    own: Own = field(default_factory=Own)
    require_tls: bool = False
    require_auth: bool = False
    plain_auth: bool = False
    max_recipients: int = 1000
    max_errors: int = 20
    max_refused: int = 100
    max_idle: int = 100
    max_pending: int = 65536
    command_limit: int = COMMAND_LIMIT
    data: DataLimits = field(default_factory=DataLimits)


PENDING_FACTOR = 16
"""A driver that does not heed `wants_pause` for so long loses the session."""


class ServerBase:
    """See `server_session.ServerSession`."""

    def __init__(self, settings: ServerSettings, *, secure: bool = False) -> None:
        self.settings = settings
        self.secure = secure
        """TLS is on."""
        self.trusted = False
        """XCLIENT is taken from this client: set by whoever knows its address."""
        self.kept: Extensions = EVERYTHING
        """What the servers keep (`extensions.kept_by_all`); heard from the next EHLO on."""
        self.offered: Extensions = NONE
        self.state = State.NEW
        self.hello = b""
        self.account = b""
        """Who logged in, or whom a trusted front logged in."""
        self.sender: Sender | None = None
        self.recipients: list[Recipient] = []
        self.errors = 0
        self.refused = 0
        self.idle = 0
        self.draining = False
        self._buffer = LineBuffer()
        self._output: list[bytes] = []
        self._events: list[ServerEvent] = []
        self._early: set[str] = set()

    @property
    def wants_pause(self) -> bool:
        """So much waits that the client should not be read; look again after each answer."""
        return self.state not in READS and len(self._buffer) >= self.settings.max_pending

    def output(self) -> bytes:
        """What to send, before any of the events is acted on. Taken once."""
        data = b"".join(self._output)
        self._output.clear()
        return data

    def shutdown(self) -> list[ServerEvent]:
        """421 and the end, at once (RFC 5321 §3.8)."""
        return self._end(421, b"4.3.2", "service is shutting down", "shutdown")

    def expired(self) -> list[ServerEvent]:
        """421 and the end: the client was silent too long (RFC 5321 §4.5.3.2)."""
        return self._end(421, b"4.4.2", "timeout, closing", "timeout")

    def refuse(self, answer: Reply) -> list[ServerEvent]:
        """Say `answer` and close, whatever the state: for whom early talk or a limit decides."""
        if self.state is not State.CLOSED:
            self._say(answer)
            self._close("refused")
        return self._taken()

    def eof(self) -> list[ServerEvent]:
        """The client has gone, or sends no more: unfinished commands mean nothing."""
        if self.state is not State.CLOSED:
            self._close("client left")
        return self._taken()

    def drain(self) -> list[ServerEvent]:
        """421 as soon as no transaction is under way."""
        self.draining = True
        self._end_if_idle()
        return self._taken()

    def _end_if_idle(self) -> None:
        if self.draining and self.state in (State.HELLO, State.READY):
            self._say(reply(421, b"4.3.2", self._named("service is shutting down")))
            self._close("shutdown")

    def _end(self, code: int, enhanced: bytes, text: str, reason: str) -> list[ServerEvent]:
        if self.state is not State.CLOSED:
            self._say(reply(code, enhanced, self._named(text)))
            self._close(reason)
        return self._taken()

    def _named(self, text: str) -> bytes:
        return self.settings.name + b" " + text.encode()

    def _taken(self) -> list[ServerEvent]:
        events = self._events
        self._events = []
        return events

    def _say(self, answer: Reply) -> None:
        self._output.append(answer.encode())

    def _move(self, given: Input) -> None:
        """Raises Misuse: our side has the turn, or believes so wrongly."""
        try:
            self.state = TABLE[self.state, given]
        except KeyError:
            raise Misuse(f"{given.name} in state {self.state.name}") from None

    def _require(self, given: Input) -> None:
        if (self.state, given) not in TABLE:
            raise Misuse(f"{given.name} in state {self.state.name}")

    def _early_talk(self, place: str) -> None:
        if place not in self._early:
            self._early.add(place)
            self._events.append(EarlyTalk(place))

    def _refuse(self, verb: bytes, refusal: SmtpRefusal, *, counted: bool = True) -> None:
        """Answer a refused line, and end the session that made too many of them. A temporary
        refusal is no fault of the client."""
        answer = refusal_reply(refusal)
        self._say(answer)
        self.errors += counted and answer.is_permanent
        self._events.append(Refused(verb, answer, self.errors))
        if refusal.fatal:
            self._close(refusal.reason)
        elif self.errors >= self.settings.max_errors:
            self._say(reply(421, b"4.7.0", self._named("too many errors")))
            self._close("too many errors")

    def _forget(self, *, told: bool) -> None:
        """The transaction is over; `told`: the driver knows already."""
        if self.sender is not None and not told:
            self._events.append(TransactionReset())
        self.sender = None
        self.recipients = []

    def _close(self, reason: str) -> None:
        self._forget(told=False)
        self._buffer.take()
        self._move(Input.CLOSE)
        self._events = [e for e in self._events if not isinstance(e, VOID_WHEN_CLOSED)]
        self._events.append(Closed(reason))
