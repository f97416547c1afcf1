"""What is asked of a relay process, and what it says: plain values for both ends.

Owns the words and their bounds; `wire` turns them into datagrams.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

Ports = tuple[int, int]
"""RTP and RTCP."""


class Refusal(StrEnum):
    """Why not; the caller gives RTSP's status for it."""

    BAD_REQUEST = "bad-request"
    NO_PORTS = "no-ports"
    """All are in use or resting, or the process has no more descriptors: 453."""
    TOO_MANY = "too-many"
    """Sessions, or streams of one: 453."""
    NO_SESSION = "no-session"
    """Ended, timed out, or never was: 454."""
    NO_ADDRESS = "no-address"
    """A local address is not this machine's: 500."""


class RelayRefusal(Exception):
    """Nothing was changed."""

    def __init__(self, code: Refusal, text: str) -> None:
        super().__init__(text)
        self.code = code


# --------------------------------------------------------------------------- requests


@dataclass(frozen=True, slots=True)
class Open:
    """One more stream: of a new session, or of the one that is named. Answered by Opened.

    Addresses are IP addresses as text; each pair, peer and local, is of one family.
    """

    client: str
    """The control connection's peer: packets are taken from this address only."""
    server: str
    client_local: str
    """Ours towards the client: the one that it dialled."""
    server_local: str
    session: str = ""
    timeout_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Peers:
    """What SETUP and its answer told of one stream. 0: not told.

    `alias` is a second name for the session, for whoever knows it by RTSP's Session id.
    """

    session: str
    stream: int
    client_ports: Ports = (0, 0)
    server_ports: Ports = (0, 0)
    ssrc: int | None = None
    """Of the one that sends: whom reports speak of."""
    alias: str = ""


@dataclass(frozen=True, slots=True)
class Touch:
    """A request came on the control connection.

    `silent_s`: it was PLAY; tell when nothing has come from the client by then.
    """

    session: str
    timeout_s: float = 0.0
    """New timeout; 0: as it is."""
    silent_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Close:
    """One stream, or with -1 the whole session. Answered by its counters."""

    session: str
    stream: int = -1


@dataclass(frozen=True, slots=True)
class Counters:
    """Of a session, of all sessions with a server, or with neither of the whole process."""

    session: str = ""
    server: str = ""


@dataclass(frozen=True, slots=True)
class Hear:
    """News from now on."""


Request = Open | Peers | Touch | Close | Counters | Hear

# --------------------------------------------------------------------------- answers, news


@dataclass(frozen=True, slots=True)
class Opened:
    session: str
    stream: int
    client_ports: Ports
    """Ours towards the client: `server_port` in the answer that it gets."""
    server_ports: Ports
    """Ours towards the server: `client_port` in the SETUP that it gets."""


class Event(StrEnum):
    LATCHED = "latched"
    """A first packet has decided where a side's packets go."""
    SILENT = "silent"
    """Nothing from the client in the time that was given: UDP does not reach it, or us."""
    GOODBYE = "goodbye"
    """RTCP said BYE."""
    TIMED_OUT = "timed-out"
    """No packet of the client and no request for its timeout; the session is closed."""


@dataclass(frozen=True, slots=True)
class News:
    event: Event
    session: str
    alias: str = ""
    stream: int = -1
    side: str = ""
    """`client-rtp`, `client-rtcp`, `server-rtp`, `server-rtcp`; of a goodbye `client`, `server`."""
    port: int = 0
    """Latched."""
    told: int = 0
    """The port that had been told; another one was latched where a NAT stands between."""
    counters: dict[str, object] = field(default_factory=dict)
    """Of a session that timed out."""
