"""The director's POP3 dialogue with a client before login (RFC 1939 §4, RFC 2595, RFC 5034).

Owns which commands there are before login, and the words of the answers. APOP is not offered: it
needs the password in clear. Must not know the driver.
"""

from __future__ import annotations

from collections.abc import Callable

from l7lb_protocols.login.client_side import MAX_RESPONSE_LINE, ClientSettings, ClientSide, Peer
from l7lb_protocols.login.events import Identified, LoggedIn, Verdict
from l7lb_protocols.login.states import ClientState
from l7lb_protocols.pop3 import capabilities, xclient
from l7lb_protocols.pop3.commands import MAX_LINE_BYTES, Command, CommandReader
from l7lb_protocols.pop3.errors import Pop3Refusal
from l7lb_protocols.pop3.render import body, continuation, err, ok
from l7lb_protocols.sasl.errors import SaslProblem
from l7lb_protocols.sasl.names import check_secret, prepare_name
from l7lb_protocols.sasl.steps import Credentials

VERDICTS: dict[Verdict, tuple[bytes, bytes]] = {
    Verdict.FAILED: (b"AUTH", b"Authentication failed."),
    Verdict.UNAVAILABLE: (b"SYS/TEMP", b"Not possible now, try again later."),
    Verdict.IN_USE: (b"IN-USE", b"The maildrop is in use."),
    Verdict.LIMIT: (b"SYS/TEMP", b"Too many sessions or failures."),
    Verdict.FORBIDDEN: (b"SYS/PERM", b"Not allowed."),
    Verdict.EXPIRED: (b"AUTH", b"The password has expired."),
}
"""Response codes of RFC 2449 §8.1 and RFC 3206."""


class Pop3ClientSide(ClientSide):
    """`max_line`: of a command, in bytes with CRLF."""

    def __init__(
        self, settings: ClientSettings, peer: Peer, max_line: int = MAX_LINE_BYTES
    ) -> None:
        super().__init__(settings, peer)
        self._reader = CommandReader(max_line)
        self._user = b""

    def _feed(self, data: bytes) -> None:
        self._reader.receive(data)

    def _pending(self) -> int:
        return len(self._reader)

    def _rest(self) -> bytes:
        return self._reader.rest()

    # ------------------------------------------------------------- reading

    def _step(self) -> bool:
        try:
            if self.state is ClientState.RESPONSE:
                line = self._reader.next_line(MAX_RESPONSE_LINE)
                if line is not None:
                    self._respond(line)
                return line is not None
            command = self._reader.next_command()
        except Pop3Refusal as problem:
            self._refused(problem)
            return True
        if command is not None and self._count_command():
            self._serve(command)
        return command is not None

    def _refused(self, problem: Pop3Refusal) -> None:
        self._user = b""
        if problem.is_fatal or self._count_command():
            self._count_bad(str(problem), problem.reason.encode())
        if problem.is_fatal and self.state is not ClientState.CLOSED:
            self._bye(problem.reason, b"Closing.")

    def _serve(self, command: Command) -> None:
        serve = _COMMANDS.get(command.name)
        wants_none = command.name in _WITHOUT_ARGUMENT
        if serve is None:
            self._count_bad("command unknown before login", b"Not a command before login.")
        elif wants_none and command.argument is not None:
            self._count_bad("argument out of place", b"No argument here.")
        elif not wants_none and command.argument is None and command.name != b"AUTH":
            self._count_bad("argument missing", b"Argument missing.")
        else:
            serve(self, command)

    # ------------------------------------------------------------- commands

    def _capa(self, command: Command) -> None:
        del command
        offer = capabilities.Offer(self.mechanisms(), self.can_start_tls, self.takes_secrets)
        lines = capabilities.advertise(self.settings.capabilities, offer)
        self._say(body(b"Capabilities follow.", lines))

    def _noop(self, command: Command) -> None:
        del command
        self._say(ok(b"Nothing done."))

    def _quit(self, command: Command) -> None:
        del command
        self._say(ok(b"Bye."))
        self._end("logout")

    def _stls(self, command: Command) -> None:
        del command
        if not self.can_start_tls:
            self._count_bad("STLS not on offer", b"STLS is not possible here.")
            return
        self._user = b""
        self._say(ok(b"Begin TLS."))
        self._start_tls()

    def _user_command(self, command: Command) -> None:
        """Whether the account exists is not to be seen here."""
        self._user = b""
        if not self.takes_secrets:
            self._say(err(b"Passwords only with TLS."))
            return
        try:
            self._user = prepare_name(command.argument or b"")
        except SaslProblem as problem:
            self._count_bad(str(problem), problem.reason.encode())
        else:
            self._say(ok(b"Go on."))

    def _pass(self, command: Command) -> None:
        user, self._user = self._user, b""
        if not user:
            self._count_bad("PASS without USER", b"USER first.")
            return
        try:
            found = Credentials(b"USER", user, b"", check_secret(command.argument or b""))
        except SaslProblem as problem:
            self._count_bad(str(problem), problem.reason.encode())
        else:
            self._credentials(found)

    def _auth(self, command: Command) -> None:
        """Without argument, as old clients ask: which mechanisms there are."""
        self._user = b""
        words = command.words()
        if not words:
            self._say(body(b"Mechanisms follow.", self.mechanisms()))
        elif len(words) > 2:
            self._count_bad("wrong number of arguments", b"Wrong number of arguments.")
        elif words[0].upper() in self.mechanisms():
            self._authenticate(words[0].upper(), words[1] if len(words) > 1 else None)
        else:
            self._say(err(b"Mechanism is not on offer."))

    def _xclient(self, command: Command) -> None:
        if not self.peer.is_trusted:
            self._count_bad("XCLIENT of a peer that is not trusted", b"Not allowed.")
            return
        try:
            origin = xclient.parse(command.argument or b"")
        except Pop3Refusal as problem:
            self._count_bad(str(problem), problem.reason.encode())
            return
        self._identified(origin)
        self._events.append(Identified((), self.origin))
        self._say(ok(b"Noted."))

    # ------------------------------------------------------------- words

    def _say_greeting(self) -> None:
        hint = b"[XCLIENT] " if self.peer.is_trusted else b""
        self._say(ok(hint + self.settings.greeting))

    def _say_challenge(self, text: bytes) -> None:
        self._say(continuation(text))

    def _say_accepted(self, login: LoggedIn) -> None:
        self._say(ok(login.text))

    def _say_verdict(self, verdict: Verdict) -> None:
        code, text = VERDICTS[verdict]
        self._say(err(text, code))

    def _say_bad(self, text: bytes) -> None:
        self._say(err(text))

    def _say_bye(self, text: bytes) -> None:
        self._say(err(text))


_COMMANDS: dict[bytes, Callable[[Pop3ClientSide, Command], None]] = {
    b"CAPA": Pop3ClientSide._capa,
    b"NOOP": Pop3ClientSide._noop,
    b"QUIT": Pop3ClientSide._quit,
    b"STLS": Pop3ClientSide._stls,
    b"USER": Pop3ClientSide._user_command,
    b"PASS": Pop3ClientSide._pass,
    b"AUTH": Pop3ClientSide._auth,
    b"XCLIENT": Pop3ClientSide._xclient,
}
"""All others, APOP among them, are refused before login."""
_WITHOUT_ARGUMENT = frozenset((b"CAPA", b"NOOP", b"QUIT", b"STLS"))
