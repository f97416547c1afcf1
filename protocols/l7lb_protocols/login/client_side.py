"""The director's dialogue with a client before login: what IMAP and POP3 have in common.

Each call returns the events that it caused, in order. Owns the state, the SASL exchange and the
counters. Must not know any wire format; a protocol's own class adds that. Time, look-ups, penalties
and TLS are the driver's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from l7lb_protocols.login.errors import DialogueMisuse
from l7lb_protocols.login.events import (
    BadInput,
    Close,
    Event,
    LoggedIn,
    Relay,
    StartTls,
    Verdict,
    WrongProof,
    add_bytes,
)
from l7lb_protocols.login.origin import NOBODY, Origin
from l7lb_protocols.login.states import CLIENT_MOVES, ClientInput, ClientState, move
from l7lb_protocols.sasl.encoding import MAX_MESSAGE_BYTES, encode, read_initial, read_response
from l7lb_protocols.sasl.errors import SaslProblem, SaslRejected
from l7lb_protocols.sasl.exchange import ServerExchange
from l7lb_protocols.sasl.keys import ScramKeys
from l7lb_protocols.sasl.offer import exchange, offer
from l7lb_protocols.sasl.steps import Challenge, Credentials, KeysWanted, Step

MAX_RESPONSE_LINE = (MAX_MESSAGE_BYTES + 2) // 3 * 4 + 2
"""Bytes of a line that answers a challenge."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """The same for all clients of one listener."""

    mechanisms: tuple[bytes, ...] = (b"PLAIN", b"LOGIN")
    """Allowed SASL mechanisms, the preferred one first."""
    starttls: bool = False
    """There is a certificate."""
    secrets_in_clear: bool = False
    """Passwords are taken without TLS."""
    capabilities: tuple[bytes, ...] = ()
    """What all servers can."""
    greeting: bytes = b"ready"
    max_bad: int = 5
    """Refused commands before the connection is closed."""
    max_failures: int = 5
    """Logins with a wrong secret, likewise."""
    max_commands: int = 100
    """Commands of any kind before login, likewise."""
    max_pending: int = 65536
    """Bytes that may wait unread before `is_full`."""
    said: dict[tuple[bool, bool], bytes] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )
    """What a protocol tells of itself with and without TLS and certificate, as it was made once."""


@dataclass(frozen=True, slots=True)
class Peer:
    """What the listener knows of this connection."""

    is_tls: bool = False
    certificate: bytes = b""
    """Verified name in the client's certificate; empty without one."""
    is_trusted: bool = False
    """A director or balancer: it is believed who the client behind it is."""


class ClientSide:
    """Subclasses read commands in `_step` and give the words in the `_say_` methods."""

    def __init__(self, settings: ClientSettings, peer: Peer) -> None:
        self.settings = settings
        self.peer = peer
        self.state = ClientState.START
        self.is_tls = peer.is_tls
        self.certificate = peer.certificate
        self.origin = NOBODY
        """As handed over; of an untrusted peer only the hop count is kept: it can but fall."""
        self._exchange: ServerExchange | None = None
        self._events: list[Event] = []
        self._bad = 0
        self._failures = 0
        self._commands = 0

    # ------------------------------------------------------------- the driver's calls

    @property
    def is_full(self) -> bool:
        """Much waits: read the client again when a call has changed that."""
        return self._pending() > self.settings.max_pending

    def greet(self) -> list[Event]:
        """First of all, before or after bytes have come."""
        self._move(ClientInput.GREETED)
        self._say_greeting()
        return self._run()

    def receive(self, data: bytes) -> list[Event]:
        """Bytes of the client. Raises DialogueMisuse after Relay."""
        if self.state is ClientState.RELAY:
            raise DialogueMisuse("bytes after Relay")
        if self.state not in {ClientState.CLOSED, ClientState.TLS}:
            self._feed(data)
        return self._run()

    def tls_started(self, certificate: bytes = b"") -> list[Event]:
        """The handshake that StartTls asked for is done. What was said in clear is forgotten."""
        self._move(ClientInput.TLS_READY)
        self.is_tls = True
        self.certificate = certificate
        self.origin = NOBODY
        return self._run()

    def supply(self, keys: ScramKeys, nonce: bytes) -> list[Event]:
        """The answer to KeysWanted; see `ScramExchange.supply`."""
        self._move(ClientInput.KEYS_GIVEN)
        assert self._exchange is not None
        self._say_challenge(encode(self._exchange.supply(keys, nonce).message))
        return self._run()

    def accept(self, login: LoggedIn) -> list[Event]:
        """The server let the account in. The last event is Relay."""
        self._move(ClientInput.ACCEPTED)
        self._say_accepted(login)
        if login.rest:
            self._say(login.rest)
        self._events.append(Relay(self._rest()))
        return self._run()

    def refuse(self, verdict: Verdict) -> list[Event]:
        """The answer to Credentials, KeysWanted or WrongProof, after the penalty."""
        self._move(ClientInput.REFUSED)
        self._exchange = None
        self._say_verdict(verdict)
        if verdict is Verdict.FAILED:
            self._failures += 1
            if self._failures >= self.settings.max_failures:
                self._bye("too many failed logins", b"Too many failures.")
        return self._run()

    def close(self, text: bytes) -> list[Event]:
        """The driver must end it: a deadline, a shutdown. `text` goes to the client."""
        if self.state not in {ClientState.CLOSED, ClientState.RELAY}:
            self._bye(text.decode("ascii", "replace"), text)
        return self._run()

    # ------------------------------------------------------------- for subclasses

    def mechanisms(self) -> tuple[bytes, ...]:
        """SASL mechanisms on offer now."""
        return offer(
            self.settings.mechanisms,
            secret_safe=self.takes_secrets,
            certificate=self.certificate,
        )

    @property
    def takes_secrets(self) -> bool:
        return self.is_tls or self.settings.secrets_in_clear

    @property
    def can_start_tls(self) -> bool:
        return self.settings.starttls and not self.is_tls

    def _authenticate(self, mechanism: bytes, initial: bytes | None) -> None:
        """Begin an exchange that is on offer; `initial` as on the wire."""
        self._exchange = exchange(mechanism, self.certificate)
        try:
            step = self._exchange.begin(None if initial is None else read_initial(initial))
        except SaslProblem as problem:
            self._give_up(problem)
        else:
            self._take(step)

    def _respond(self, line: bytes) -> None:
        """A line that answers a challenge."""
        assert self._exchange is not None
        try:
            step = self._exchange.respond(read_response(line))
        except SaslRejected as problem:
            self._exchange = None
            self._move(ClientInput.CREDENTIALS)
            self._events.append(WrongProof(problem.account))
        except SaslProblem as problem:
            self._give_up(problem)
        else:
            self._take(step)

    def _take(self, step: Step) -> None:
        if isinstance(step, Challenge):
            self._move(ClientInput.CHALLENGED)
            self._say_challenge(encode(step.message))
        elif isinstance(step, KeysWanted):
            self._move(ClientInput.KEYS_WANTED)
            self._events.append(step)
        else:
            self._credentials(step)

    def _credentials(self, found: Credentials) -> None:
        self._exchange = None
        self._move(ClientInput.CREDENTIALS)
        self._events.append(found)

    def _give_up(self, problem: SaslProblem) -> None:
        self._exchange = None
        self._move(ClientInput.GAVE_UP)
        self._count_bad(str(problem), problem.reason.encode())

    def _start_tls(self) -> None:
        """The client was told to go on. What it sent after the command is thrown away: it may be
        somebody else's (CVE-2011-0411)."""
        self._move(ClientInput.TLS_ASKED)
        if self._rest():
            self._events.append(BadInput("bytes before TLS thrown away"))
        self._events.append(StartTls())

    def _count_bad(self, reason: str, text: bytes) -> None:
        """Answer a refused command, and close after too many."""
        self._events.append(BadInput(reason))
        self._say_bad(text)
        self._bad += 1
        if self._bad >= self.settings.max_bad:
            self._bye("too many refused commands", b"Too many bad commands.")

    def _count_command(self) -> bool:
        """False: that was one too many."""
        self._commands += 1
        if self._commands > self.settings.max_commands:
            self._bye("too many commands before login", b"Too many commands.")
            return False
        return True

    def _bye(self, reason: str, text: bytes) -> None:
        self._say_bye(text)
        self._end(reason)

    def _end(self, reason: str) -> None:
        self._move(ClientInput.CLOSED)
        self._exchange = None
        self._rest()
        self._events.append(Close(reason))

    def _identified(self, origin: Origin) -> None:
        """Keep what may be believed."""
        hops = min(self.origin.hops_left, origin.hops_left)
        believed = origin if self.peer.is_trusted else NOBODY
        self.origin = believed.with_hops(hops)

    def _move(self, what: ClientInput) -> None:
        self.state = move(CLIENT_MOVES, self.state, what)

    def _say(self, data: bytes) -> None:
        add_bytes(self._events, data)

    def _run(self) -> list[Event]:
        while self.state in {ClientState.COMMAND, ClientState.RESPONSE} and self._step():
            pass
        events, self._events = self._events, []
        return events

    # ------------------------------------------------------------- the protocol's own

    def _feed(self, data: bytes) -> None:
        raise NotImplementedError

    def _pending(self) -> int:
        """Bytes received and not yet read."""
        raise NotImplementedError

    def _rest(self) -> bytes:
        """Take all bytes not yet read."""
        raise NotImplementedError

    def _step(self) -> bool:
        """Serve one command, or one answer to a challenge. False: more bytes are needed."""
        raise NotImplementedError

    def _say_greeting(self) -> None:
        raise NotImplementedError

    def _say_challenge(self, text: bytes) -> None:
        raise NotImplementedError

    def _say_accepted(self, login: LoggedIn) -> None:
        raise NotImplementedError

    def _say_verdict(self, verdict: Verdict) -> None:
        raise NotImplementedError

    def _say_bad(self, text: bytes) -> None:
        raise NotImplementedError

    def _say_bye(self, text: bytes) -> None:
        raise NotImplementedError
