"""A slot: one counted session on a server, given back exactly once."""

from __future__ import annotations

from enum import Enum

from l7lb.pool.server import Server


class Outcome(Enum):
    """How a session on a server ended. A slot must be released with one of these."""

    OK = "ok"
    CONNECT_FAILED = "connect-failed"
    """No connection was made: refused, unreachable, TLS failed, or too slow to connect."""
    FAILED = "failed"
    """Broke off, spoke nonsense, or answered 502, 503 or 504."""
    TIMEOUT = "timeout"
    """Connected, but its answer did not come in time."""
    CANCELLED = "cancelled"
    """The client went away: says nothing of the server."""


class Home:
    """The pool that a slot goes back to."""

    def give_back(self, server: Server, outcome: Outcome) -> None:
        """The session has ended."""
        raise NotImplementedError

    def measured(self, server: Server, taken_s: float) -> None:
        """The response of a session that began at `taken_s` has begun."""
        raise NotImplementedError

    def learn(self, server: Server, value: bytes) -> None:
        """The response set the application's own cookie."""
        raise NotImplementedError


class Slot:
    """Held while a request, or a whole tunnel, is with `server`."""

    __slots__ = ("_home", "_taken_s", "server", "set_cookie")

    def __init__(self, home: Home, server: Server, set_cookie: bytes, taken_s: float) -> None:
        self.server = server
        self.set_cookie = set_cookie
        """Value of a Set-Cookie field for the response, without Secure; empty: none is due."""
        self._home: Home | None = home
        self._taken_s = taken_s

    @property
    def set_cookie_secure(self) -> bytes:
        """As `set_cookie`, for a client that came over TLS."""
        return self.set_cookie + b"; Secure" if self.set_cookie else b""

    @property
    def is_open(self) -> bool:
        return self._home is not None

    def first_byte(self) -> None:
        """The response begins: a latency sample. The first call counts."""
        if self._taken_s and self._home is not None:
            self._home.measured(self.server, self._taken_s)
            self._taken_s = 0.0

    def learn(self, value: bytes) -> None:
        """The response set the application's own cookie to `value`."""
        if self._home is not None:
            self._home.learn(self.server, value)

    def release(self, outcome: Outcome) -> None:
        """Give the slot back. Only the first call does anything."""
        home = self._home
        if home is not None:
            self._home = None
            home.give_back(self.server, outcome)
