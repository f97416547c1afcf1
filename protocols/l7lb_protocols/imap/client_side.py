"""The director's IMAP dialogue with a client before login (RFC 9051 §6.1, §6.2; RFC 3501).

Owns which commands there are before login, and the words of the answers. Must not know the driver.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from l7lb_protocols.imap import capabilities, identity
from l7lb_protocols.imap.commands import Command, CommandLimits, CommandReader, LiteralAsked
from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.grammar import Word
from l7lb_protocols.imap.render import continuation, line, tagged, untagged, untagged_list
from l7lb_protocols.login.client_side import MAX_RESPONSE_LINE, ClientSettings, ClientSide, Peer
from l7lb_protocols.login.events import Identified, LoggedIn, Verdict
from l7lb_protocols.login.states import ClientState
from l7lb_protocols.sasl.errors import SaslProblem
from l7lb_protocols.sasl.names import check_secret, prepare_name
from l7lb_protocols.sasl.steps import Credentials

GREETINGS = 64
"""Kept ready: all clients of a listener hear the same."""

VERDICTS: dict[Verdict, tuple[bytes, bytes]] = {
    Verdict.FAILED: (b"AUTHENTICATIONFAILED", b"Authentication failed."),
    Verdict.UNAVAILABLE: (b"UNAVAILABLE", b"Not possible now, try again later."),
    Verdict.IN_USE: (b"INUSE", b"The mailbox is in use."),
    Verdict.LIMIT: (b"LIMIT", b"Too many sessions or failures."),
    Verdict.FORBIDDEN: (b"AUTHORIZATIONFAILED", b"Not allowed."),
    Verdict.EXPIRED: (b"EXPIRED", b"The password has expired."),
}
"""Response codes of RFC 5530 and RFC 9051 §7.1."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """How many arguments a command has, and whether literals make sense in it."""

    least: int
    most: int
    serve: Callable[[ImapClientSide, Command], None]
    literals: bool = False


class ImapClientSide(ClientSide):
    """`limits`: of one command. `product`: what the answer to ID says; empty is NIL."""

    def __init__(
        self,
        settings: ClientSettings,
        peer: Peer,
        limits: CommandLimits | None = None,
        product: identity.Identity = (),
    ) -> None:
        super().__init__(settings, peer)
        self._reader = CommandReader(limits)
        self._product = product
        self._tag = b""

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
            found = self._reader.next_command()
        except ImapRefusal as problem:
            self._refused(problem)
            return True
        if isinstance(found, LiteralAsked):
            self._literal(found)
        elif found is not None:
            self._command(found)
        return found is not None

    def _refused(self, problem: ImapRefusal) -> None:
        self._tag = problem.tag
        if problem.is_fatal:
            self._count_bad(str(problem), problem.reason.encode())
            if self.state is not ClientState.CLOSED:
                self._bye(problem.reason, b"Closing.")
        elif self._count_command():
            self._count_bad(str(problem), problem.reason.encode())

    def _literal(self, asked: LiteralAsked) -> None:
        """Ask for the bytes only where they can lead to something."""
        self._tag = asked.tag
        rule = _COMMANDS.get(asked.name)
        if rule is None or not rule.literals:
            self._reader.abandon()
            if self._count_command():
                self._count_bad("literal in a wrong command", b"No literal here.")
        elif asked.name == b"LOGIN" and not self.takes_secrets:
            self._reader.abandon()
            if self._count_command():
                self._privacy_required()
        else:
            self._say(continuation(b"OK"))

    def _command(self, command: Command) -> None:
        self._tag = command.tag
        if not self._count_command():
            return
        rule = _COMMANDS.get(command.name)
        if rule is None:
            self._count_bad("command unknown before login", b"Not a command before login.")
        elif not rule.least <= len(command.arguments) <= rule.most:
            self._count_bad("wrong number of arguments", b"Wrong number of arguments.")
        else:
            rule.serve(self, command)

    # ------------------------------------------------------------- commands

    def _capability(self, command: Command) -> None:
        self._say(untagged(b"CAPABILITY", self._capabilities()))
        self._ok(command)

    def _noop(self, command: Command) -> None:
        self._ok(command)

    def _logout(self, command: Command) -> None:
        self._say(untagged(b"BYE", b"Logging out."))
        self._ok(command)
        self._end("logout")

    def _id(self, command: Command) -> None:
        try:
            words = identity.parse(command.arguments)
            origin = identity.origin(words)
        except ImapRefusal as problem:
            self._count_bad(str(problem), problem.reason.encode())
            return
        self._identified(origin)
        self._events.append(Identified(identity.own_words(words), self.origin))
        self._say(untagged_list(b"ID", identity.argument(self._product)))
        self._ok(command)

    def _starttls(self, command: Command) -> None:
        if not self.can_start_tls:
            self._count_bad("STARTTLS not on offer", b"STARTTLS is not possible here.")
            return
        self._say(tagged(command.tag, b"OK", b"Begin TLS."))
        self._start_tls()

    def _login(self, command: Command) -> None:
        name, secret = command.arguments
        if not isinstance(name, Word) or not isinstance(secret, Word):
            self._count_bad("list for a string", b"LOGIN wants two strings.")
        elif not self.takes_secrets:
            self._privacy_required()
        else:
            try:
                found = Credentials(
                    b"LOGIN", prepare_name(name.value), b"", check_secret(secret.value)
                )
            except SaslProblem as problem:
                self._count_bad(str(problem), problem.reason.encode())
            else:
                self._credentials(found)

    def _authenticate_command(self, command: Command) -> None:
        words = [word for word in command.arguments if isinstance(word, Word)]
        if len(words) < len(command.arguments) or any(word.is_string for word in words):
            self._count_bad("string for an atom", b"AUTHENTICATE wants atoms.")
            return
        mechanism = words[0].value.upper()
        if mechanism in self.mechanisms():
            self._authenticate(mechanism, words[1].value if len(words) > 1 else None)
        elif mechanism in self.settings.mechanisms and not self.takes_secrets:
            self._privacy_required()
        else:
            self._say(tagged(command.tag, b"NO", b"Mechanism is not on offer.", b"CANNOT"))

    # ------------------------------------------------------------- words

    def _capabilities(self) -> bytes:
        said, key = self.settings.said, (self.is_tls, bool(self.certificate))
        if key not in said:
            offer = capabilities.Offer(
                self.mechanisms(), self.can_start_tls, not self.takes_secrets
            )
            said[key] = capabilities.advertise(self.settings.capabilities, offer)
        return said[key]

    def _ok(self, command: Command) -> None:
        self._say(tagged(command.tag, b"OK", command.name + b" completed."))

    def _privacy_required(self) -> None:
        self._say(tagged(self._tag, b"NO", b"Passwords only with TLS.", b"PRIVACYREQUIRED"))

    def _say_greeting(self) -> None:
        self._say(_greeting(self.settings.greeting, self._capabilities()))

    def _say_challenge(self, text: bytes) -> None:
        self._say(continuation(text))

    def _say_accepted(self, login: LoggedIn) -> None:
        self._say(login.untagged + self._tag + b" OK " + line(login.text))

    def _say_verdict(self, verdict: Verdict) -> None:
        code, text = VERDICTS[verdict]
        self._say(tagged(self._tag, b"NO", text, code))

    def _say_bad(self, text: bytes) -> None:
        if self._tag:
            self._say(tagged(self._tag, b"BAD", text))
        else:
            self._say(untagged(b"BAD", text))

    def _say_bye(self, text: bytes) -> None:
        self._say(untagged(b"BYE", text))


@lru_cache(GREETINGS)
def _greeting(words: bytes, shown: bytes) -> bytes:
    return untagged(b"OK", words, b"CAPABILITY " + shown)


_COMMANDS: dict[bytes, _Rule] = {
    b"CAPABILITY": _Rule(0, 0, ImapClientSide._capability),
    b"NOOP": _Rule(0, 0, ImapClientSide._noop),
    b"LOGOUT": _Rule(0, 0, ImapClientSide._logout),
    b"ID": _Rule(1, 1, ImapClientSide._id, literals=True),
    b"STARTTLS": _Rule(0, 0, ImapClientSide._starttls),
    b"LOGIN": _Rule(2, 2, ImapClientSide._login, literals=True),
    b"AUTHENTICATE": _Rule(1, 2, ImapClientSide._authenticate_command),
}
"""All others, ENABLE among them, are refused before login."""
