"""Scripts for a session: what happens to it, and, indented below, what it wishes of its driver.

    client GET / HTTP/1.1|Host: a||
        decide GET /
        connect
        to server GET / HTTP/1.1|Host: a||
        phase first-byte

`|` stands for CRLF. `Playbook.play` repeats the events of a script on a recording Wire and compares
the whole transcript, so that a difference reads like a page of the play.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from l7lb_protocols.facts import Facts
from l7lb_protocols.http.forwarded import ClientInfo, ForwardPolicy
from l7lb_protocols.http.scanner import RequestScanner, ResponseScanner
from l7lb_protocols.http.session import HttpSession, HttpSettings
from l7lb_protocols.wire import FAILED, PENDING, READY, SERVER, Decision, Exchange, Wire

SIDES = ("client", "server")
CODES = {READY: "ready", PENDING: "pending", FAILED: "failed"}
OUTCOMES = ("ok", "failed", "timeout", "cancelled")
PHASES = (
    "none",
    "head",
    "body",
    "connect",
    "first-byte",
    "between",
    "keep-alive",
    "tunnel",
    "send",
    "queue",
    "tls",
)
PLAIN = ForwardPolicy(fields=frozenset())
"""Adds no field to what is forwarded."""


def wire_text(data: bytes) -> str:
    return data.decode("latin-1").replace("\r\n", "|").replace("\n", "⏎")


def wire_bytes(text: str) -> bytes:
    return text.replace("|", "\r\n").replace("⏎", "\n").encode("latin-1")


def decision(**fields: object) -> Decision:
    """What the rules say, with these attributes set."""
    said = Decision()
    for name, value in fields.items():
        setattr(said, name, value)
    return said


class BrokenLaw(AssertionError):
    """The session asked for what no session may ask."""


class RecordingWire(Wire):
    """Writes every wish down, answers as told, and holds the session to the law of `wire.Wire`."""

    def __init__(
        self, decision: Decision, connects: Iterable[int] = (), retries: Iterable[int] = ()
    ) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.decision = decision
        self.connects = list(connects)
        self.retries = list(retries)
        self.phase_now = 0
        self.open = True
        self.has_server = False
        self.waits = False
        self.relays: dict[int, int] = {}
        self.decided = 0
        self.logged = 0
        self.connected = 0
        self.released = 0
        self.holds = False
        self.ended: set[int] = set()

    def _note(self, line: str) -> None:
        if not self.open:
            raise BrokenLaw(f"after the end: {line}")
        self.lines.append(line.rstrip())

    def send(self, side: int, data: bytes) -> None:
        self._note(f"to {SIDES[side]} {wire_text(data)}")
        if side == SERVER and not self.has_server:
            raise BrokenLaw("sends to no server")

    def relay(self, source: int, count: int) -> None:
        self._note(f"relay {SIDES[source]} {'to the end' if count < 0 else count}")
        if count == 0:
            raise BrokenLaw("relays nothing")
        self.relays[source] = count

    def end(self, side: int) -> None:
        self._note(f"end {SIDES[side]}")

    def hold(self, on: bool) -> None:
        self._note("hold" if on else "let go")
        if on == self.holds:
            raise BrokenLaw("holds twice, or lets go twice")
        self.holds = on

    def decide(self, facts: Facts) -> Decision:
        if self.decided != self.logged:
            raise BrokenLaw("begins an exchange before the last one is logged")
        self._note(f"decide {facts.method.decode()} {facts.path.decode('latin-1')}")
        self.decided += 1
        return self.decision

    def connect(self, facts: Facts, careful: bool) -> int:
        self._note("connect careful" if careful else "connect")
        self.connected += 1
        return self._taken(self.connects)

    def retry(self, facts: Facts, same: bool) -> int:
        self._note("retry same" if same else "retry other")
        self.has_server = self.waits = False
        self.relays.clear()
        return self._taken(self.retries)

    def _taken(self, codes: list[int]) -> int:
        code = codes.pop(0) if codes else READY
        if self.has_server or self.waits:
            raise BrokenLaw("takes a second server")
        self.has_server = code == READY
        self.waits = code == PENDING
        return code

    def answered(self, status: int, answer: Facts) -> None:
        self._note(f"answered {status}")

    def release(self, outcome: int, reusable: bool) -> None:
        self._note(f"release {OUTCOMES[outcome]}{' keep' if reusable else ''}")
        if self.released >= self.connected:
            raise BrokenLaw("gives back what it has not")
        self.released += 1
        self.has_server = self.waits = False
        self.relays.clear()

    def mirror(self, head: bytes, body: bytes) -> None:
        self._note(f"mirror {wire_text(head + body)}")

    def phase(self, phase: int) -> None:
        self._note(f"phase {PHASES[phase]}")
        self.phase_now = phase

    def log(self, session: Exchange) -> None:
        flags = f" {session.flags}" if session.flags else ""
        what = (session.method + b" " + session.target).decode("latin-1").strip()
        self._note(f"log {session.status} {what}{flags}".replace("  ", " "))
        if self.released != self.connected:
            raise BrokenLaw("logs an exchange that still has a server")
        if what:
            self.logged += 1
        if self.logged > self.decided and what:
            raise BrokenLaw("logs an exchange twice")

    def close(self, linger: bool) -> None:
        self._note("close and linger" if linger else "close")
        self.over()

    def abort(self) -> None:
        self._note("abort")
        self.over()

    def over(self) -> None:
        self.open = False
        if self.decided != self.logged or self.connected != self.released:
            raise BrokenLaw("ends in the middle of an exchange")


class Playbook:
    """One session on a recording Wire. `connects` and `retries`: what the Wire answers, READY when
    they are used up."""

    def __init__(
        self,
        *,
        decision: Decision | None = None,
        connects: Iterable[int] = (),
        retries: Iterable[int] = (),
        policy: ForwardPolicy = PLAIN,
        max_body: int = 0,
        max_pipeline: int = 65536,
        client: ClientInfo | None = None,
    ) -> None:
        self.wire = RecordingWire(decision or Decision(), connects, retries)
        settings = HttpSettings(RequestScanner(), ResponseScanner(), policy, max_body, max_pipeline)
        self.session = HttpSession(self.wire, settings, client or ClientInfo("192.0.2.1"))

    def play(self, script: str) -> None:
        """Raises AssertionError with both transcripts when they differ."""
        wanted = textwrap.dedent(script).strip("\n").rstrip()
        pages = [self.tell(line) for line in wanted.split("\n") if not line.startswith(" ")]
        played = "\n".join(line for page in pages for line in page)
        assert played == wanted

    def tell(self, event: str) -> list[str]:
        """One event; returns it with the wishes that it caused, as in a script."""
        before = len(self.wire.lines)
        self._happen(event)
        return [event, *(f"    {line}" for line in self.wire.lines[before:])]

    def _happen(self, event: str) -> None:
        session = self.session
        verb, _, rest = event.partition(" ")
        if verb == "client":
            session.client_data(wire_bytes(rest))
        elif verb == "server":
            session.server_data(wire_bytes(rest))
        elif verb == "ready":
            self.wire.has_server, self.wire.waits = True, False
            session.server_ready()
        elif verb == "refused":
            self.wire.waits = False
            session.server_failed(int(rest))
        elif verb == "relayed":
            self.wire.relays.pop(SIDES.index(rest), None)
            session.relayed(SIDES.index(rest))
        elif verb == "expired":
            session.expired(PHASES.index(rest))
        else:
            self._end_of_a_side(event)

    def _end_of_a_side(self, event: str) -> None:
        session = self.session
        if event == "client-eof":
            session.client_eof()
        elif event == "client-lost":
            session.client_lost()
            self.wire.over()
        elif event == "server-eof":
            session.server_eof()
        elif event == "server-lost":
            self.wire.has_server = False
            session.server_lost()
        elif event == "drained":
            self.wire.full = False
            session.client_data(b"")
        elif event == "full":
            self.wire.full = True
        else:
            raise ValueError(f"no such event: {event}")
