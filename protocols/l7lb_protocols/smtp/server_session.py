"""One client of SMTP or LMTP: bytes in, events out, answers in, bytes out.

    session = ServerSession(ServerSettings(b"mx.example.org"))
    events = session.greet()
    loop: send session.output(), act on events; events = session.receive(data) or session.answer(…)

Every method returns events; what is to be sent lies in `output`. Commands are obeyed in order:
while a question is open, later ones wait. It must not know sockets, time, directory or servers.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace

from l7lb_protocols.smtp.auth import Challenge, Done, Step
from l7lb_protocols.smtp.commands import (
    Command,
    base64_decode,
    parse_auth,
    parse_command,
    parse_hello,
)
from l7lb_protocols.smtp.errors import Misuse, SmtpRefusal
from l7lb_protocols.smtp.extensions import NONE, Extensions, keyword_lines, offer
from l7lb_protocols.smtp.lines import AUTH_LIMIT
from l7lb_protocols.smtp.replies import Reply, reply
from l7lb_protocols.smtp.server_base import PENDING_FACTOR, ServerSettings
from l7lb_protocols.smtp.server_events import (
    AuthAsked,
    AuthCancelled,
    HelloSaid,
    ServerEvent,
    TlsWanted,
    XclientTaken,
)
from l7lb_protocols.smtp.server_states import (
    COMMANDS,
    OUT_OF_TURN,
    READS_LINES,
    TABLE,
    Input,
    State,
)
from l7lb_protocols.smtp.server_transaction import OK, ServerTransaction
from l7lb_protocols.smtp.xclient import ATTRIBUTES, parse_xclient

__all__ = ["ServerSession", "ServerSettings"]

STAYING = {
    b"NOOP": reply(250, b"2.0.0", "ok"),
    b"VRFY": reply(252, b"2.5.2", "cannot verify, but will take mail"),
    b"HELP": reply(214, b"2.0.0", "see RFC 5321"),
}


class ServerSession(ServerTransaction):
    """Raises Misuse, and nothing else, when a method is called out of turn; `receive` never."""

    def greet(self, answer: Reply | None = None) -> list[ServerEvent]:
        """Say 220, or a refusal (554, 421: then the session ends)."""
        self._require(Input.GREET)
        self._say(answer or reply(220, b"", self._named(self._protocol)))
        self._move(Input.GREET)
        if answer is not None and not answer.is_positive:
            self._close("refused")
        return self._went_on()

    @property
    def _protocol(self) -> str:
        return "LMTP" if self.settings.lmtp else "ESMTP"

    def receive(self, data: bytes) -> list[ServerEvent]:
        """Bytes from the client, in pieces of any size. After Closed, and between TlsWanted and
        `tls_started`, they are thrown away (RFC 3207 §6)."""
        if self.state is State.CLOSED or not data:
            return []
        if self.state is State.TLS:
            self._early_talk("STARTTLS")
            return self._taken()
        if self.state is State.NEW:
            self._early_talk("greeting")
        if self.state is State.DATA:
            data = data[self._message(data) :]
        self._buffer.push(data)
        return self._went_on()

    def answer(self, answer: Reply) -> list[ServerEvent]:
        """Accept (2xx) or refuse (4xx, 5xx) what was asked by SenderAsked, RecipientAsked,
        DataAsked or VerdictAsked; a verdict goes to every recipient of an LMTP session."""
        if self.state is State.VERDICT_ASKED and self.settings.lmtp:
            return self.answer_each([answer] * len(self.recipients))
        self._answered(answer)
        return self._went_on()

    def accept(self) -> list[ServerEvent]:
        """`answer` with the usual words."""
        return self.answer(OK.get(self.state, OK[State.VERDICT_ASKED]))

    def answer_each(self, answers: Sequence[Reply]) -> list[ServerEvent]:
        """LMTP's verdict: one final reply for each accepted recipient, in their order."""
        self._verdicts(answers)
        return self._went_on()

    def auth_step(self, step: Step) -> list[ServerEvent]:
        """What the mechanism said to AuthAsked."""
        if self.state is not State.AUTH_ASKED:
            raise Misuse("no mechanism was asked")
        if isinstance(step, Challenge):
            self._move(Input.CHALLENGE)
            self._output.append(b"334 " + b64encode(step.data) + b"\r\n")
        elif isinstance(step, Done):
            self._move(Input.ACCEPT)
            self.account = step.account
            self._say(reply(235, b"2.7.0", "authenticated"))
        else:
            self._move(Input.REFUSE)
            self._auth_failed(step.temporary)
        return self._went_on()

    def tls_started(self) -> list[ServerEvent]:
        """TLS is on: all that was said before is forgotten (RFC 3207 §4.2)."""
        self._move(Input.SECURED)
        self.secure = True
        self._restart()
        return self._went_on()

    def _went_on(self) -> list[ServerEvent]:
        """Obey what waits until a question is open, a line is not whole, or all is over."""
        self._end_if_idle()
        while self.state in READS_LINES and self._next_line():
            self._end_if_idle()
        too_much = len(self._buffer) > self.settings.max_pending * PENDING_FACTOR
        if too_much and self.state is not State.CLOSED:
            self._refuse(b"", SmtpRefusal(421, b"4.7.0", "too much sent ahead", fatal=True))
        return self._taken()

    def _next_line(self) -> bool:
        in_auth = self.state is State.AUTH_LINE
        try:
            line = self._buffer.line(AUTH_LIMIT if in_auth else self.settings.command_limit)
        except SmtpRefusal as refusal:
            self._refuse(b"", refusal)
            return False
        if line is None:
            return False
        if in_auth:
            self._auth_line(line)
        else:
            self._command_line(line)
        return True

    def _command_line(self, line: bytes) -> None:
        verb = b""
        if len(self._buffer) and not self.offered.pipelining:
            self._early_talk("command")
        try:
            command = parse_command(line)
            verb = command.verb
            self._command(command)
        except SmtpRefusal as refusal:
            behind = verb in (b"RCPT", b"DATA") and refusal.code in (503, 554)
            self._refuse(verb, refusal, counted=not (behind and self._is_pipelined_failure(verb)))

    def _is_pipelined_failure(self, verb: bytes) -> bool:
        """RCPT behind a refused MAIL, DATA behind refused recipients: lawful (RFC 2920 §3.1)."""
        return self._sender_refused or (verb == b"DATA" and self.state is State.SENDER)

    def _command(self, command: Command) -> None:
        verb, argument = command.verb, command.argument
        if (self.state, COMMANDS[verb]) not in TABLE:
            raise self._out_of_turn(verb)
        if verb in STAYING or verb == b"RSET":
            self._stay(verb)
        elif verb == b"MAIL":
            self._mail(argument)
        elif verb == b"RCPT":
            self._rcpt(argument)
        elif verb == b"DATA":
            self._data()
        elif verb == b"QUIT":
            self._say(reply(221, b"2.0.0", self._named("closing")))
            self._close("quit")
        elif verb == b"STARTTLS":
            self._starttls()
        elif verb == b"AUTH":
            self._auth(argument)
        elif verb == b"XCLIENT":
            self._xclient(argument)
        else:
            self._hello(verb, argument)

    def _out_of_turn(self, verb: bytes) -> SmtpRefusal:
        if verb == b"DATA" and self.state is State.SENDER:
            code = 503 if self.settings.lmtp else 554
            return SmtpRefusal(code, b"5.5.1", "no valid recipients", "RFC 5321 §3.3")
        return SmtpRefusal(503, b"5.5.1", OUT_OF_TURN[self.state], "RFC 5321 §4.1.4")

    def _stay(self, verb: bytes) -> None:
        self.idle += 1
        if self.idle > self.settings.max_idle:
            raise SmtpRefusal(421, b"4.7.0", "too many idle commands", fatal=True)
        if verb == b"RSET":
            self._move(Input.RESET)
            self._forget(told=False)
            self._sender_refused = False
        self._say(STAYING.get(verb, STAYING[b"NOOP"]))

    def _hello(self, verb: bytes, argument: bytes) -> None:
        """RFC 5321 §4.1.4: a second one resets. LMTP knows LHLO alone, SMTP the others."""
        if (verb == b"LHLO") is not self.settings.lmtp:
            raise SmtpRefusal(500, b"5.5.1", f"this is {self._protocol}", "RFC 2033 §4.1")
        self.idle += 1
        if self.idle > self.settings.max_idle:
            raise SmtpRefusal(421, b"4.7.0", "too many idle commands", fatal=True)
        self.hello = parse_hello(argument)
        self._forget(told=False)
        self._sender_refused = False
        self._move(Input.HELLO)
        lines: list[bytes] = []
        self.offered = NONE
        if verb != b"HELO":
            self.offered = self._offer()
            lines = keyword_lines(self.offered)
        self._say(reply(250, b"", self.settings.name, *lines))
        self._events.append(HelloSaid(verb, self.hello))

    def _offer(self) -> Extensions:
        own = self.settings.own
        may_log_in = (self.secure or self.settings.plain_auth) and not self.account
        here = replace(
            own,
            starttls=own.starttls and not self.secure,
            auth=own.auth if may_log_in else frozenset(),
            xclient=frozenset(ATTRIBUTES) if self.trusted else frozenset(),
        )
        return offer(self.kept, here)

    def _starttls(self) -> None:
        if not self.offered.starttls:
            raise SmtpRefusal(502, b"5.5.1", "STARTTLS was not offered", "RFC 3207 §4")
        if len(self._buffer):
            self._buffer.take()
            self._early_talk("STARTTLS")
        self._say(reply(220, b"2.0.0", "ready to start TLS"))
        self._move(Input.STARTTLS)
        self._events.append(TlsWanted())

    def _restart(self) -> None:
        self.hello = b""
        self.account = b""
        self.offered = NONE
        self._sender_refused = False

    def _xclient(self, argument: bytes) -> None:
        if not self.trusted:
            raise SmtpRefusal(550, b"5.7.0", "XCLIENT is not for you", "XCLIENT")
        attributes = parse_xclient(argument)
        if attributes.get(b"TTL", b"1").strip(b"0") == b"":
            raise SmtpRefusal(554, b"5.4.6", "too many hops: proxies in a loop", "XCLIENT", True)
        self._move(Input.XCLIENT)
        self._restart()
        self.account = attributes.get(b"LOGIN", b"")
        self._say(reply(220, b"", self._named(self._protocol)))
        self._events.append(XclientTaken(attributes))

    def _auth(self, argument: bytes) -> None:
        if self.account:
            raise SmtpRefusal(503, b"5.5.1", "authenticated already", "RFC 4954 §4")
        if not self.offered.auth:
            if self.settings.own.auth and not self.secure:
                raise SmtpRefusal(530, b"5.7.0", "STARTTLS first", "RFC 4954 §4")
            raise SmtpRefusal(502, b"5.5.1", "AUTH was not offered", "RFC 4954 §4")
        mechanism, response = parse_auth(argument)
        if mechanism not in self.offered.auth:
            raise SmtpRefusal(504, b"5.5.4", "mechanism was not offered", "RFC 4954 §4")
        self._mechanism = mechanism
        self._move(Input.AUTH)
        self._events.append(AuthAsked(mechanism, response))

    def _auth_line(self, line: bytes) -> None:
        try:
            if line == b"*":
                raise SmtpRefusal(501, b"5.7.0", "authentication cancelled", "RFC 4954 §4")
            response = base64_decode(line)
        except SmtpRefusal as refusal:
            self._move(Input.CANCEL)
            self._events.append(AuthCancelled())
            self._refuse(b"AUTH", refusal)
            return
        self._move(Input.RESPONSE)
        self._events.append(AuthAsked(self._mechanism, response))

    def _auth_failed(self, temporary: bool) -> None:
        if temporary:
            self._refuse(b"AUTH", SmtpRefusal(454, b"4.7.0", "cannot authenticate now"))
        else:
            self._refuse(b"AUTH", SmtpRefusal(535, b"5.7.8", "authentication failed"))
