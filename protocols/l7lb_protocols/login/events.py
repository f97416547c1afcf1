"""What a dialogue before login tells its driver, in order, and what it is told of a verdict.

Owns the types only. The driver sends, looks up, verifies, waits and closes; a dialogue never does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from l7lb_protocols.login.origin import Origin
from l7lb_protocols.sasl.steps import Credentials, KeysWanted

__all__ = [
    "BadInput",
    "BrokeProtocol",
    "Close",
    "Credentials",
    "Event",
    "Identified",
    "KeysWanted",
    "Learnt",
    "LoggedIn",
    "Refused",
    "Relay",
    "Send",
    "StartTls",
    "Unavailable",
    "Verdict",
    "WrongProof",
]


class Verdict(Enum):
    """Why a client is not let in. Each protocol has its words for it."""

    FAILED = "failed"
    """Unknown account or wrong secret: the client cannot tell which."""
    UNAVAILABLE = "unavailable"
    """Directory or server away: the same secret may work later."""
    IN_USE = "in use"
    """Another session holds the maildrop."""
    LIMIT = "limit"
    """Too many sessions or failures of this account or address."""
    FORBIDDEN = "forbidden"
    """The secret is right, but not for this mailbox or service."""
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Send:
    """Send to the peer of this dialogue."""

    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class StartTls:
    """Send what was said, start TLS and call `tls_started`. Bytes that are in any buffer of the
    driver now came in clear and must be thrown away."""


@dataclass(frozen=True, slots=True)
class Close:
    """Send what was said and close. The dialogue takes no more bytes."""

    reason: str


@dataclass(frozen=True, slots=True)
class BadInput:
    """For the log: the peer sent what was refused. It holds none of the peer's words."""

    reason: str


# ----------------------------------------------------------------- from the client's side only


@dataclass(frozen=True, slots=True)
class WrongProof:
    """SCRAM's proof did not fit: log it, wait as long as the penalty says, and call `refuse`."""

    account: bytes


@dataclass(frozen=True, slots=True)
class Identified:
    """The client named its program, or a trusted peer handed over the client behind it."""

    words: tuple[tuple[bytes, bytes], ...]
    origin: Origin


@dataclass(frozen=True, slots=True)
class Relay:
    """Let in: from now on bytes go through unseen. `rest`: what the client has sent after the
    login, untouched, to be sent to the server first."""

    rest: bytes = field(repr=False)


# ----------------------------------------------------------------- from the server's side only


@dataclass(frozen=True, slots=True)
class Learnt:
    """What the server can; asked without logging in."""

    capabilities: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """Give it to the client's side. `text`: the words of the server's OK, with its response code;
    `untagged`: whole lines that came before it; `rest`: what came after it."""

    text: bytes
    untagged: bytes = b""
    rest: bytes = field(default=b"", repr=False)
    capabilities: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The server does not let this account in."""

    code: bytes
    text: bytes


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The server cannot now, or not at all, do what we need; another one, or later. `code`: the
    response code that said so, such as INUSE."""

    reason: str
    code: bytes = b""


@dataclass(frozen=True, slots=True)
class BrokeProtocol:
    """The server answered nonsense: an error of the server, not of the client."""

    reason: str


Event = (
    Send
    | StartTls
    | Close
    | BadInput
    | WrongProof
    | Identified
    | Relay
    | Learnt
    | LoggedIn
    | Refused
    | Unavailable
    | BrokeProtocol
    | Credentials
    | KeysWanted
)


def add_bytes(events: list[Event], data: bytes) -> None:
    """Bytes that follow one another become one event."""
    last = events[-1] if events else None
    if isinstance(last, Send):
        events[-1] = Send(last.data + data)
    else:
        events.append(Send(data))
