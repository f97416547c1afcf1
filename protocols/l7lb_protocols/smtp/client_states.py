"""The states of a server-facing session, and which replies each one takes, as tables.

Two things move: the connection's phase, and a line of commands that wait for their replies in the
order in which they were sent (RFC 2920). It must not know bytes.

    SETUP ─▶ READY ─▶ ENVELOPE ─▶ ASKED ─▶ DATA ─▶ FINAL ─▶ READY
     │ ▲       │          └──────────┴──▶ RESET ─▶ READY
     ▼ │       └─▶ LEAVING
     TLS                                             all ─▶ CLOSED
"""

from __future__ import annotations

from enum import Enum, auto


class Phase(Enum):
    SETUP = auto()
    """Greeting, hello, TLS, XCLIENT, AUTH: one command at a time."""
    TLS = auto()
    """The server said 220 to STARTTLS; wait for `tls_started`."""
    READY = auto()
    ENVELOPE = auto()
    """From `begin` until `data` or `reset`."""
    ASKED = auto()
    """DATA stands in line or was sent."""
    DATA = auto()
    """The message is being sent."""
    FINAL = auto()
    """The end of the message was sent."""
    RESET = auto()
    """RSET, so that the connection can be used again."""
    LEAVING = auto()
    """QUIT."""
    CLOSED = auto()


class Wait(Enum):
    """What the next reply answers."""

    GREETING = auto()
    HELLO = auto()
    STARTTLS = auto()
    XCLIENT = auto()
    AUTH = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    FINAL = auto()
    RSET = auto()
    QUIT = auto()


P = Phase
W = Wait

LAWFUL: dict[Wait, frozenset[int]] = {
    W.GREETING: frozenset((2, 4, 5)),
    W.HELLO: frozenset((2, 4, 5)),
    W.STARTTLS: frozenset((2, 4, 5)),
    W.XCLIENT: frozenset((2, 4, 5)),
    W.AUTH: frozenset((2, 3, 4, 5)),
    W.MAIL: frozenset((2, 4, 5)),
    W.RCPT: frozenset((2, 4, 5)),
    W.DATA: frozenset((3, 4, 5)),
    W.FINAL: frozenset((2, 4, 5)),
    W.RSET: frozenset((2, 4, 5)),
    W.QUIT: frozenset((2, 4, 5)),
}
"""First digits of the replies that make sense (RFC 5321 §4.3.2); others are nonsense."""


class Call(Enum):
    """What our own side may do."""

    BEGIN = auto()
    ADD = auto()
    DATA = auto()
    WRITE = auto()
    FINISH = auto()
    RESET = auto()
    SECURED = auto()
    QUIT = auto()
    ABORT = auto()


C = Call

CALLS: dict[Phase, frozenset[Call]] = {
    P.SETUP: frozenset((C.ABORT,)),
    P.TLS: frozenset((C.SECURED, C.ABORT)),
    P.READY: frozenset((C.BEGIN, C.QUIT, C.ABORT)),
    P.ENVELOPE: frozenset((C.ADD, C.DATA, C.RESET, C.ABORT)),
    P.ASKED: frozenset((C.ABORT,)),
    P.DATA: frozenset((C.WRITE, C.FINISH, C.ABORT)),
    P.FINAL: frozenset((C.ABORT,)),
    P.RESET: frozenset((C.ABORT,)),
    P.LEAVING: frozenset((C.ABORT,)),
    P.CLOSED: frozenset((C.ABORT,)),
}
"""Anything else is Misuse."""
