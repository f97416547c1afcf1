"""One connection to a server of SMTP or LMTP: transactions with an end for every recipient.

    session = ClientSession(ClientSettings(b"director.example.org", lmtp=True))
    on ServerReady: begin(sender), add(recipient) for each, data()
    on DataWanted: write(piece) …, finish()
    on TransactionEnded: one Outcome for each recipient; ServerReady follows if it may be used again

Commands are sent ahead of their replies if the server offers PIPELINING, one by one if not.
It must not know sockets, time, or other servers.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from l7lb_protocols.smtp.client_base import ClientBase, ClientSettings, Login, Tls
from l7lb_protocols.smtp.client_events import (
    ClientEvent,
    DataWanted,
    RecipientAnswered,
    SenderAnswered,
    TransactionEnded,
)
from l7lb_protocols.smtp.client_states import Call, Phase, Wait
from l7lb_protocols.smtp.commands import command_line, mail_line, rcpt_line
from l7lb_protocols.smtp.data_writer import DataWriter
from l7lb_protocols.smtp.errors import BadReply, SmtpRefusal
from l7lb_protocols.smtp.extensions import COMING, Content, fit_recipient, fit_sender
from l7lb_protocols.smtp.parameters import Recipient, Sender
from l7lb_protocols.smtp.replies import Reply, refusal_reply, reply
from l7lb_protocols.smtp.verdict import Outcome, Status, outcome

__all__ = ["ClientSession", "ClientSettings", "Login", "Tls"]


@dataclass(slots=True)
class Transaction:
    """`refused`: the reply to MAIL, if it was none to build on. `outcomes`: None while open."""

    refused: Reply | None = None
    outcomes: list[Outcome | None] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    writer: DataWriter = field(default_factory=DataWriter)


class ClientSession(ClientBase):
    """Raises Misuse, and nothing else, when a method is called out of turn."""

    def __init__(self, settings: ClientSettings, *, secure: bool = False) -> None:
        super().__init__(settings, secure=secure)
        self._transaction: Transaction | None = None
        self._queue: deque[tuple[Wait, int, bytes]] = deque()

    def begin(self, sender: Sender, content: Content = COMING) -> list[ClientEvent]:
        """MAIL, with what this server can take of it; a message that it cannot take is refused
        here, in its name."""
        self._call(Call.BEGIN)
        self.phase = Phase.ENVELOPE
        self._transaction = Transaction()
        try:
            self._queue.append(
                (Wait.MAIL, 0, mail_line(fit_sender(sender, self.extensions, content)))
            )
        except SmtpRefusal as refusal:
            self._sender_answered(self._transaction, refusal_reply(refusal))
        return self._pumped()

    def add(self, recipient: Recipient) -> list[ClientEvent]:
        """RCPT. RecipientAnswered follows for each, in order."""
        self._call(Call.ADD)
        current = self._current()
        index = len(current.outcomes)
        current.outcomes.append(None)
        try:
            line = rcpt_line(fit_recipient(recipient, self.extensions))
        except SmtpRefusal as refusal:
            line = b""
            current.outcomes[index] = outcome(refusal_reply(refusal))
        self._queue.append((Wait.RCPT, index, line))
        return self._pumped()

    def data(self) -> list[ClientEvent]:
        """No more recipients: DATA, unless none holds; then TransactionEnded follows by itself."""
        self._call(Call.DATA)
        self.phase = Phase.ASKED
        self._queue.append((Wait.DATA, 0, command_line(b"DATA")))
        return self._pumped()

    def write(self, piece: bytes) -> list[ClientEvent]:
        """Part of the message, without added dots. Raises Misuse for a bare CR or LF: `abort`."""
        self._call(Call.WRITE)
        self._output.append(self._current().writer.write(piece))
        return []

    def finish(self) -> list[ClientEvent]:
        """The message is whole. From now on only the server knows whether it is delivered."""
        self._call(Call.FINISH)
        current = self._current()
        self._output.append(current.writer.end())
        self.phase = Phase.FINAL
        for index in current.accepted if self.settings.lmtp else [-1]:
            self._waits.append((Wait.FINAL, index))
        return self._taken()

    def reset(self) -> list[ClientEvent]:
        """Take the transaction back before `data`; its recipients end temporarily refused."""
        self._call(Call.RESET)
        self._queue.clear()
        self._settle(reply(451, b"4.3.0", "taken back"), Status.TEMPORARY)
        self._end(reset=True)
        return self._pumped()

    def _current(self) -> Transaction:
        assert self._transaction is not None
        return self._transaction

    def _pumped(self) -> list[ClientEvent]:
        self._pump()
        return self._taken()

    def _pump(self) -> None:
        """Send what may be sent now. DATA is the last of a group (RFC 2920 §3.1)."""
        while self._queue and (self.extensions.pipelining or not self._waits):
            wait, index, line = self._queue[0]
            if not self._may_send(wait, index):
                break
            self._queue.popleft()
            if wait is Wait.RCPT and self._answered_here(index):
                continue
            if wait is Wait.DATA and self._nobody_left():
                self._end(reset=True)
                continue
            self._send(wait, line, index)

    def _may_send(self, wait: Wait, index: int) -> bool:
        """What we answer ourselves must not overtake what the server is still to answer."""
        current = self._transaction
        local = current is not None and (
            current.refused is not None
            or (wait is Wait.RCPT and current.outcomes[index] is not None)
        )
        return not (local and self._waits)

    def _answered_here(self, index: int) -> bool:
        """A recipient that the server is not asked for."""
        current = self._current()
        if current.refused is not None:
            current.outcomes[index] = outcome(current.refused)
        found = current.outcomes[index]
        if found is None:
            return False
        self._events.append(RecipientAnswered(index, found.reply))
        return True

    def _nobody_left(self) -> bool:
        return not self._waits and not self._current().accepted

    def _transaction_reply(self, wait: Wait, index: int, answer: Reply) -> None:
        current = self._transaction
        if current is None:
            pass  # taken back while the reply was under way
        elif wait is Wait.MAIL:
            self._sender_answered(current, answer)
        elif wait is Wait.RCPT:
            self._recipient_answered(current, index, answer)
        elif wait is Wait.DATA:
            self._data_answered(current, answer)
        else:
            self._final(current, index, answer)
        self._pump()

    def _sender_answered(self, current: Transaction, answer: Reply) -> None:
        if not answer.is_positive:
            current.refused = answer
        self._events.append(SenderAnswered(answer))

    def _recipient_answered(self, current: Transaction, index: int, answer: Reply) -> None:
        """Without a sender every recipient was refused, whatever the server says now."""
        if current.refused is not None:
            answer = current.refused
        if answer.is_positive:
            current.accepted.append(index)
        else:
            current.outcomes[index] = outcome(answer)
        self._events.append(RecipientAnswered(index, answer))

    def _data_answered(self, current: Transaction, answer: Reply) -> None:
        if not answer.is_intermediate:
            self._settle(answer)
            self._end(reset=True)
        elif current.accepted:
            self.phase = Phase.DATA
            self._events.append(DataWanted(tuple(current.accepted)))
        elif self.settings.lmtp:
            raise BadReply("354 for no recipient", "RFC 2033 §4.2")
        else:  # RFC 2920 §3.1: an empty message, which the server refuses
            self._output.append(current.writer.end())
            self.phase = Phase.FINAL
            self._waits.append((Wait.FINAL, -1))

    def _final(self, current: Transaction, index: int, answer: Reply) -> None:
        if index >= 0:
            current.outcomes[index] = outcome(answer)
        else:
            self._settle(answer)
        if not self._waits:
            self._end(reset=False)

    def _settle(self, answer: Reply, status: Status | None = None, uncertain: bool = False) -> None:
        """`answer` is the end of all that are still open."""
        current = self._current()
        found = outcome(answer)
        end = Outcome(status or found.status, answer, uncertain)
        current.outcomes = [known or end for known in current.outcomes]

    def _end(self, *, reset: bool) -> None:
        current = self._current()
        self._transaction = None
        ends = tuple(end for end in current.outcomes if end is not None)
        assert len(ends) == len(current.outcomes)
        self._events.append(TransactionEnded(ends))
        if reset:
            self.phase = Phase.RESET
            self._queue.append((Wait.RSET, 0, command_line(b"RSET")))
        else:
            self._ready()

    def _unasked(self, answer: Reply) -> None:
        """A server may break a message off, but then the rest of it must not be sent."""
        if self.phase is not Phase.DATA or answer.is_positive or answer.is_intermediate:
            raise BadReply("a reply that was not asked for")
        self._settle(answer)
        self._fail(answer)

    def _fail(self, answer: Reply, *, uncertain: bool = False) -> None:
        if self._transaction is not None:
            unsure = uncertain and self.phase is Phase.FINAL
            self._settle(answer, Status.TEMPORARY, unsure)
            ends = self._transaction.outcomes
            self._transaction = None
            self._queue.clear()
            self._events.append(TransactionEnded(tuple(end for end in ends if end is not None)))
        self._close(answer, lawful=False)
