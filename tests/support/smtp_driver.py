"""A driver without sockets for the client-facing SMTP session: answers every question at once."""

from __future__ import annotations

from collections.abc import Callable

from l7lb_protocols.smtp.auth import Challenge, Done, Failed, Step
from l7lb_protocols.smtp.extensions import Own
from l7lb_protocols.smtp.replies import Reply
from l7lb_protocols.smtp.reply_reader import ReplyReader
from l7lb_protocols.smtp.server_events import (
    AuthAsked,
    Closed,
    DataAsked,
    MessagePiece,
    MessageRefused,
    RecipientAsked,
    SenderAsked,
    ServerEvent,
    TlsWanted,
    TransactionReset,
    VerdictAsked,
)
from l7lb_protocols.smtp.server_session import ServerSession, ServerSettings

QUESTIONS = (SenderAsked, RecipientAsked, DataAsked, VerdictAsked)
NAME = b"mx.example.org"


class TwoSteps:
    """A mechanism as a colleague would write one: asks once, and takes `sesame`."""

    def __init__(self) -> None:
        self._asked = False

    def step(self, response: bytes | None) -> Step:
        if response is None and not self._asked:
            self._asked = True
            return Challenge(b"word?")
        return Done(b"ann") if response == b"sesame" else Failed()


class AutomaticServer:
    """`refuse(event)` may give another answer than yes; None: yes."""

    def __init__(
        self,
        settings: ServerSettings | None = None,
        *,
        lmtp: bool = False,
        refuse: Callable[[ServerEvent], Reply | None] = lambda event: None,
    ) -> None:
        own = Own(starttls=True, auth=frozenset((b"PLAIN", b"TWO")))
        self.session = ServerSession(
            settings or ServerSettings(NAME, lmtp=lmtp, own=own, plain_auth=True)
        )
        self.session.trusted = settings is None
        self.refuse = refuse
        self.events: list[ServerEvent] = []
        self.messages: list[bytes] = []
        self.sent = b""
        self._part: list[bytes] = []
        self._mechanism = TwoSteps()
        self._act(self.session.greet())

    @property
    def closed(self) -> int:
        return sum(isinstance(event, Closed) for event in self.events)

    def receive(self, data: bytes) -> bytes:
        """What is said to `data`."""
        before = len(self.sent)
        self._act(self.session.receive(data))
        return self.sent[before:]

    def end(self) -> None:
        self._act(self.session.eof())
        assert self.closed == 1
        assert not self.session.receive(b"NOOP\r\n")
        reader = ReplyReader(max_line=20000)
        reader.push(self.sent)
        while reader.next() is not None:
            pass
        assert reader.is_clean

    def _act(self, events: list[ServerEvent]) -> None:
        while True:
            self.sent += self.session.output()
            if not events:
                return
            event = events.pop(0)
            self.events.append(event)
            events += self._answer(event)

    def _answer(self, event: ServerEvent) -> list[ServerEvent]:
        if isinstance(event, QUESTIONS):
            return self._decide(event)
        if isinstance(event, TlsWanted):
            return self.session.tls_started()
        if isinstance(event, AuthAsked):
            if not any(isinstance(one, AuthAsked) for one in self.events[-2:-1]):
                self._mechanism = TwoSteps()
            return self.session.auth_step(self._mechanism.step(event.response))
        if isinstance(event, MessagePiece):
            self._part.append(event.data)
        elif isinstance(event, MessageRefused | TransactionReset):
            self._part.clear()
        return []

    def _decide(self, event: ServerEvent) -> list[ServerEvent]:
        if isinstance(event, VerdictAsked):
            message = b"".join(self._part)
            self._part.clear()
            assert len(message) == event.size
            self.messages.append(message)
        answer = self.refuse(event)
        return self.session.accept() if answer is None else self.session.answer(answer)
