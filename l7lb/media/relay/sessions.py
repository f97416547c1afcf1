"""All sessions of a relay process, by token and by alias: verbs in, answers and news out.

Owns who is alive and for how long, and the totals of each server. Must not know sockets of verbs,
or how packets are moved.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from l7lb.media.relay.packets import Mover, Side
from l7lb.media.relay.spec import RelaySpec
from l7lb.media.relay.stream import KINDS, End, Ground, Stream, open_stream
from l7lb.media.relay.verbs import (
    Close,
    Counters,
    Event,
    News,
    Open,
    Opened,
    Peers,
    Refusal,
    RelayRefusal,
    Touch,
)
from l7lb.ports import Clock

SERVERS = 1024
"""Whose totals are kept; beyond, those of the one that ended longest ago are forgotten."""
TOKEN_BYTES = 12
TIMEOUT_S = 60.0
"""Where none is told, RFC 2326 §12.37."""


@dataclass(slots=True, eq=False)
class Session:
    token: str
    server: str
    timeout_s: float
    touched_s: float
    alias: str = ""
    streams: dict[int, Stream] = field(default_factory=dict)
    opened: int = 0
    """Streams so far: numbers are not given twice."""
    look_s: float = 0.0
    """It cannot be due before."""
    silent_since_s: float = 0.0
    silent_at_s: float = 0.0
    """Told by then when nothing has come since; 0: not asked."""

    def heard_s(self) -> float:
        """When a packet of the client came last; 0: none did."""
        return max((stream.client.last_s() for stream in self.streams.values()), default=0.0)

    def is_due(self, now_s: float) -> bool:
        if self.look_s > now_s:
            return False
        self.look_s = max(self.touched_s, self.heard_s()) + self.timeout_s
        return self.look_s <= now_s


@dataclass(slots=True)
class Totals:
    """Of ended sessions."""

    sessions: int = 0
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)

    def add(self, counts: tuple[int, int, int, int]) -> None:
        a, b, c, d = self.counts
        self.counts = (a + counts[0], b + counts[1], c + counts[2], d + counts[3])


class Sessions:
    def __init__(
        self, spec: RelaySpec, mover: Mover, clock: Clock, tell: Callable[[News], None]
    ) -> None:
        self._spec = spec
        self._mover = mover
        self._clock = clock
        self._tell = tell
        self._ground = Ground(spec, clock)
        self._sessions: dict[str, Session] = {}
        self._aliases: dict[str, Session] = {}
        self._owners: dict[int, tuple[Session, int, End, int]] = {}
        """By descriptor: whose side it is."""
        self._ended: dict[str, Totals] = {}

    # ------------------------------------------------------------------ verbs

    def open(self, ask: Open) -> Opened:
        """Raises RelayRefusal, as all verbs do."""
        session = self._find(ask.session) if ask.session else self._new(ask)
        if len(session.streams) >= self._spec.streams:
            raise RelayRefusal(Refusal.TOO_MANY, f"{self._spec.streams} streams in one session")
        stream = open_stream(ask, self._ground, self._mover)
        number = session.opened
        session.opened += 1
        session.streams[number] = stream
        session.touched_s = self._clock.now()
        self._sessions[session.token] = session
        for end in stream.ends():
            for kind, side in enumerate(end.sides):
                self._owners[side.fd] = (session, number, end, kind)
        return Opened(session.token, number, stream.client.ports, stream.server.ports)

    def peers(self, ask: Peers) -> dict[str, object]:
        session = self._find(ask.session)
        stream = session.streams.get(ask.stream)
        if stream is None:
            raise RelayRefusal(Refusal.NO_SESSION, f"no stream {ask.stream} in this session")
        if ask.alias:
            self._name(session, ask.alias)
        stream.client.aim(ask.client_ports)
        stream.server.aim(ask.server_ports)
        if ask.ssrc is not None:
            for end in stream.ends():
                end.reports.ssrc = ask.ssrc
        return {}

    def touch(self, ask: Touch) -> dict[str, object]:
        session = self._find(ask.session)
        session.touched_s = self._clock.now()
        if ask.timeout_s:
            session.timeout_s, session.look_s = ask.timeout_s, 0.0
        if ask.silent_s:
            session.silent_since_s = session.touched_s
            session.silent_at_s = session.touched_s + ask.silent_s
        return {}

    def close(self, ask: Close) -> dict[str, object]:
        session = self._find(ask.session)
        if ask.stream < 0:
            return self._end(session)
        stream = session.streams.get(ask.stream)
        if stream is None:
            raise RelayRefusal(Refusal.NO_SESSION, f"no stream {ask.stream} in this session")
        figures = self._figures(session)
        self._close_stream(session, ask.stream)
        if not session.streams:
            self._end(session)
        return figures

    def counters(self, ask: Counters) -> dict[str, object]:
        if ask.session:
            return self._figures(self._find(ask.session))
        chosen = [s for s in self._sessions.values() if not ask.server or s.server == ask.server]
        ended = [t for host, t in self._ended.items() if not ask.server or host == ask.server]
        total = Totals()
        for session in chosen:
            for stream in session.streams.values():
                total.add(stream.totals())
        for each in ended:
            total.sessions += each.sessions
            total.add(each.counts)
        names = ("client_packets", "client_octets", "server_packets", "server_octets")
        return {
            "sessions": len(chosen),
            "ended": total.sessions,
            "pairs": self._ground.used,
            **dict(zip(names, total.counts, strict=True)),
        }

    # ------------------------------------------------------------------ what packets did

    def noted(self, side: Side) -> None:
        """`side` was latched, or has a report."""
        found = self._owners.get(side.fd)
        if found is None:
            return
        session, number, end, kind = found
        if side.report:
            data, side.report = side.report, b""
            if end.reports.read(data, side.last_s):
                news = News(Event.GOODBYE, session.token, session.alias, number, end.name)
                self._tell(news)
        if side.latched and kind not in end.known:
            end.known.add(kind)
            self._tell(
                News(
                    Event.LATCHED,
                    session.token,
                    session.alias,
                    number,
                    f"{end.name}-{KINDS[kind]}",
                    side.port,
                    end.told[kind],
                )
            )

    def sweep(self) -> None:
        """Each second: who has gone, who hears nothing."""
        now_s = self._clock.now()
        for session in list(self._sessions.values()):
            if session.silent_at_s and session.silent_at_s <= now_s:
                self._check_silence(session)
            if session.is_due(now_s):
                alias = session.alias
                counters = self._end(session)
                self._tell(News(Event.TIMED_OUT, session.token, alias, counters=counters))

    def close_all(self) -> None:
        for session in list(self._sessions.values()):
            self._end(session)

    # ------------------------------------------------------------------ inside

    def _find(self, name: str) -> Session:
        session = self._sessions.get(name) or self._aliases.get(name)
        if session is None:
            raise RelayRefusal(Refusal.NO_SESSION, "no such session")
        return session

    def _new(self, ask: Open) -> Session:
        if len(self._sessions) >= self._spec.sessions:
            raise RelayRefusal(Refusal.TOO_MANY, f"{self._spec.sessions} sessions")
        token = secrets.token_hex(TOKEN_BYTES)
        timeout_s = ask.timeout_s or TIMEOUT_S
        return Session(token, ask.server, timeout_s, self._clock.now())

    def _name(self, session: Session, alias: str) -> None:
        """The newest bearer of an alias has it."""
        self._forget_alias(session)
        session.alias = alias
        self._aliases[alias] = session

    def _forget_alias(self, session: Session) -> None:
        if self._aliases.get(session.alias) is session:
            del self._aliases[session.alias]

    def _figures(self, session: Session) -> dict[str, object]:
        now_s = self._clock.now()
        return {
            "session": session.token,
            "alias": session.alias,
            "server": session.server,
            "touched_s": round(now_s - session.touched_s, 3),
            "streams": {
                str(number): stream.figures(now_s) for number, stream in session.streams.items()
            },
        }

    def _end(self, session: Session) -> dict[str, object]:
        figures = self._figures(session)
        for number in list(session.streams):
            self._close_stream(session, number)
        del self._sessions[session.token]
        self._forget_alias(session)
        self._totals(session.server).sessions += 1
        return figures

    def _close_stream(self, session: Session, number: int) -> None:
        stream = session.streams.pop(number)
        self._totals(session.server).add(stream.totals())
        for side in stream.sides():
            del self._owners[side.fd]
        stream.close(self._ground, self._mover)

    def _totals(self, server: str) -> Totals:
        found = self._ended.pop(server, None) or Totals()
        if len(self._ended) >= SERVERS:
            del self._ended[next(iter(self._ended))]
        self._ended[server] = found
        return found

    def _check_silence(self, session: Session) -> None:
        session.silent_at_s = 0.0
        if session.heard_s() < session.silent_since_s:
            self._tell(News(Event.SILENT, session.token, session.alias))
