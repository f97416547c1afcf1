"""The mail transaction of a client-facing session: MAIL, RCPT, DATA and their answers.

Every decision is somebody else's: the session asks by an event and waits for `answer`.
"""

from __future__ import annotations

from collections.abc import Sequence

from l7lb_protocols.smtp.data_reader import DataReader
from l7lb_protocols.smtp.errors import Misuse, SmtpRefusal
from l7lb_protocols.smtp.extensions import check_offered, check_recipient_offered
from l7lb_protocols.smtp.parameters import Recipient, parse_recipient, parse_sender
from l7lb_protocols.smtp.replies import Reply, refusal_reply, reply
from l7lb_protocols.smtp.server_base import ServerBase, ServerSettings
from l7lb_protocols.smtp.server_events import (
    DataAsked,
    MessagePiece,
    MessageRefused,
    RecipientAsked,
    SenderAsked,
    VerdictAsked,
)
from l7lb_protocols.smtp.server_states import QUESTIONS, Input, State

OK = {
    State.SENDER_ASKED: reply(250, b"2.1.0", "sender ok"),
    State.FIRST_ASKED: reply(250, b"2.1.5", "recipient ok"),
    State.MORE_ASKED: reply(250, b"2.1.5", "recipient ok"),
    State.DATA_ASKED: reply(250, b"", "go on"),
    State.VERDICT_ASKED: reply(250, b"2.0.0", "message accepted"),
}
"""What `accept` says; to DATA it becomes START."""
START = reply(354, b"", "end data with <CR><LF>.<CR><LF>")


class ServerTransaction(ServerBase):
    """See `server_session.ServerSession`."""

    def __init__(self, settings: ServerSettings, *, secure: bool = False) -> None:
        super().__init__(settings, secure=secure)
        self._asked: Recipient | None = None
        self._reader = DataReader(settings.data)
        self._spoilt: SmtpRefusal | None = None
        self._sender_refused = False
        """So RCPT and DATA that were pipelined behind MAIL are no errors of the client."""

    def _mail(self, argument: bytes) -> None:
        settings = self.settings
        self._sender_refused = True
        if settings.require_tls and not self.secure:
            raise SmtpRefusal(530, b"5.7.0", "STARTTLS first", "RFC 3207 §4")
        if settings.require_auth and not self.account:
            raise SmtpRefusal(530, b"5.7.0", "authentication required", "RFC 4954 §6")
        sender = parse_sender(argument)
        check_offered(sender, self.offered)
        self._sender_refused = False
        self.sender = sender
        self._move(Input.MAIL)
        self._events.append(SenderAsked(sender))

    def _rcpt(self, argument: bytes) -> None:
        assert self.sender is not None
        if len(self.recipients) >= self.settings.max_recipients:
            raise SmtpRefusal(452, b"4.5.3", "too many recipients", "RFC 5321 §4.5.3.1.10")
        recipient = parse_recipient(argument, self.sender.parameters.smtputf8)
        check_recipient_offered(recipient, self.offered)
        self._asked = recipient
        self._move(Input.RCPT)
        self._events.append(RecipientAsked(recipient, len(self.recipients)))

    def _data(self) -> None:
        """Nothing may stand behind DATA before 354 (RFC 2920 §3.1): it might be commands if DATA
        is refused, and message if not."""
        assert self.sender is not None
        if len(self._buffer):
            raise _ahead()
        self._move(Input.DATA)
        self._events.append(DataAsked(self.sender, tuple(self.recipients)))

    def _answered(self, answer: Reply) -> None:
        """The answer to the open question. Raises Misuse if none is open."""
        if self.state not in QUESTIONS or answer.is_intermediate:
            raise Misuse("no question waits for such an answer")
        given = Input.ACCEPT if answer.is_positive else Input.REFUSE
        if self.state is State.DATA_ASKED and len(self._buffer):
            self._refuse(b"DATA", _ahead())
            return
        if self.state is State.DATA_ASKED and given is Input.ACCEPT:
            self._start_message()
            return
        self._say(answer)
        asked = self.state
        self._move(given)
        if self.state is State.READY:
            self._sender_refused = asked is State.SENDER_ASKED
            self._forget(told=True)
            if asked is State.VERDICT_ASKED:
                self.idle = 0
        elif asked is not State.SENDER_ASKED:
            self._recipient_answered(answer)

    def _recipient_answered(self, answer: Reply) -> None:
        assert self._asked is not None
        if answer.is_positive:
            self.recipients.append(self._asked)
        elif answer.is_permanent:
            self.refused += 1
            if self.refused >= self.settings.max_refused:
                self._say(reply(421, b"4.7.0", self._named("too many unknown recipients")))
                self._close("too many refused recipients")
        self._asked = None

    def _start_message(self) -> None:
        self._say(START)
        self._move(Input.ACCEPT)
        self._reader = DataReader(self.settings.data)
        self._spoilt = None

    def _message(self, data: bytes) -> int:
        """Part of the message; returns how much of `data` it was."""
        reader = self._reader
        try:
            used = reader.feed(data)
        except SmtpRefusal as refusal:
            self._spoil(refusal)
            self._say_each([refusal_reply(refusal)])
            self._close(refusal.reason)
            return len(data)
        self._events.extend(map(MessagePiece, reader.pieces))
        if reader.problem is not None:
            self._spoil(reader.problem)
        if reader.done:
            self._message_ended()
        return used

    def _spoil(self, refusal: SmtpRefusal) -> None:
        """Told at once, so that nobody works for nothing; answered at the message's end."""
        if self._spoilt is None:
            self._spoilt = refusal
            self._events.append(MessageRefused(refusal_reply(refusal), refusal.reason))

    def _message_ended(self) -> None:
        if self._spoilt is None:
            self._move(Input.END)
            reader = self._reader
            self._events.append(VerdictAsked(reader.size, reader.watch.hops, reader.watch.is_ascii))
            return
        self._say_each([refusal_reply(self._spoilt)])
        self._move(Input.SPOILT)
        self._forget(told=True)
        if self._spoilt.fatal:
            self._close(self._spoilt.reason)

    def _forget(self, *, told: bool) -> None:
        super()._forget(told=told or (self.state is State.DATA and self._spoilt is not None))

    def _say_each(self, answers: Sequence[Reply]) -> None:
        """In LMTP one reply for each recipient that was accepted (RFC 2033 §4.2)."""
        count = len(self.recipients) if self.settings.lmtp else 1
        for answer in answers if len(answers) == count else list(answers) * count:
            self._say(answer)

    def _verdicts(self, answers: Sequence[Reply]) -> None:
        """Raises Misuse unless there is one final reply for each recipient of an LMTP session."""
        wrong = any(answer.is_intermediate for answer in answers)
        if self.state is not State.VERDICT_ASKED or not self.settings.lmtp or wrong:
            raise Misuse("no question waits for such answers")
        if len(answers) != len(self.recipients):
            raise Misuse("one answer for each recipient is wanted")
        self._say_each(answers)
        self._move(Input.ACCEPT)
        self._forget(told=True)
        self.idle = 0


def _ahead() -> SmtpRefusal:
    reason = "message sent before the reply to DATA"
    return SmtpRefusal(503, b"5.5.0", reason, "RFC 2920 §3.1", True)
