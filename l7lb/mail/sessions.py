"""The live sessions of one worker: by account, by server, and how they are let go.

Owns the index and the pace of farewells. Must not know protocols: a session is what can be ended.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Protocol

from l7lb.mail.assignments import UNKNOWN, Assignment, Key
from l7lb.ports import Clock

WINDOW_S = 1.0
FEW = 10
"""So many sessions of one server may end in a second before it looks like the server's end."""


class Live(Protocol):
    """A session that has an account and a server."""

    key: Key
    assignment: Assignment
    is_fixed: bool
    """Does the directory name its server?"""

    @property
    def is_locked(self) -> bool:
        """Does it hang on a lock?"""

    def moved_bytes(self) -> int:
        """Relayed since this was last asked, both ways."""

    def end(self, reason: str) -> None:
        """Let the client go now; `leave` follows."""


class Sessions:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_key: dict[Key, list[Live]] = {}
        self._by_server: dict[tuple[str, str], set[Live]] = defaultdict(set)
        self._ended: dict[tuple[str, str], deque[float]] = {}
        self._new: dict[Key, str] = {}
        self._young: dict[Key, str] = {}

    def __len__(self) -> int:
        return sum(map(len, self._by_key.values()))

    @property
    def keys(self) -> Iterable[Key]:
        """Of all accounts that have one."""
        return self._by_key

    def of(self, key: Key) -> list[Live]:
        return [*self._by_key.get(key, ())]

    def enter(self, session: Live) -> None:
        self._by_key.setdefault(session.key, []).append(session)
        server = session.assignment.server
        self._by_server[session.key[0], server].add(session)
        if session.is_fixed or session.assignment.kicks == UNKNOWN:
            self._new[session.key] = server

    def leave(self, session: Live) -> None:
        """Safe to call for one that has left."""
        present = self._by_key.get(session.key, [])
        if session not in present:
            return
        present.remove(session)
        if not present:
            del self._by_key[session.key]
        place = (session.key[0], session.assignment.server)
        self._by_server[place].discard(session)
        if not self._by_server[place]:
            del self._by_server[place]

    def lasting(self) -> dict[Key, str]:
        """Accounts that may have come in without a record, with their server: those from before
        the last call that are still here, each once."""
        lasting = {key: server for key, server in self._young.items() if key in self._by_key}
        self._young, self._new = self._new, {}
        return lasting

    def not_recorded(self, lasting: dict[Key, str]) -> None:
        """They come again with the next `lasting`."""
        self._young.update(lasting)

    def of_account(self, account: str) -> list[Live]:
        """In all pools. It looks at every account: not for every session."""
        return [each for key, live in self._by_key.items() if key[1] == account for each in live]

    def assigned(self, key: Key, assignment: Assignment) -> None:
        """The account's record is this now: sessions that stand against it end."""
        for session in self.of(key):
            held = session.assignment
            if held.server != assignment.server:
                session.end("the account has moved")
            elif held.kicks == UNKNOWN:
                session.assignment = assignment
            elif held.kicks < assignment.kicks:
                session.end("kicked")

    def movable(self, pool: str, server: str) -> list[Key]:
        """Accounts with a session there that may be given another server."""
        there = self._by_server.get((pool, server), ())
        return list({each.key for each in there if not each.is_fixed})

    def end_all(self, reason: str, chosen: Iterable[Live]) -> None:
        for session in [*chosen]:
            session.end(reason)

    def delay_s(self, pool: str, server: str, spread_s: float, chance: float) -> float:
        """How long to keep a client whose server has just closed: one of many waits, so that they
        do not all come back at once. `chance`: evenly from [0, 1)."""
        now_s = self._clock.now()
        ended = self._ended.setdefault((pool, server), deque(maxlen=FEW))
        is_many = len(ended) == FEW and now_s - ended[0] < WINDOW_S
        ended.append(now_s)
        return spread_s * chance if is_many else 0.0
