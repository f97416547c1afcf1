"""What a session may ask of its driver, and what the driver tells the session.

A session is one client's dialogue. It acts only through `Wire`; the driver owns sockets, pools and
clocks. Tests give a session a recording Wire: the playbook.
Compiled when a compiler is there (wire.pxd): then both sides call each other as C functions.
"""

from __future__ import annotations

from collections.abc import Callable

from l7lb_protocols.facts import Facts

CLIENT = 0
SERVER = 1

READY = 1
"""connect: the server connection is there, send at once."""
PENDING = 0
"""connect: wait for `server_ready` or `server_failed`."""
FAILED = 2
"""connect: no server; see `Wire.failure`."""

# Phases: one deadline runs at a time (model.Timeouts names them).
PHASE_NONE = 0
PHASE_HEAD = 1
PHASE_BODY = 2
PHASE_CONNECT = 3
PHASE_FIRST_BYTE = 4
PHASE_BETWEEN = 5
PHASE_KEEP_ALIVE = 6
PHASE_TUNNEL = 7
PHASE_SEND = 8
PHASE_QUEUE = 9
PHASE_TLS = 10

# Outcome of one exchange for the server's record.
OUTCOME_OK = 0
OUTCOME_FAILED = 1
OUTCOME_TIMEOUT = 2
OUTCOME_CANCELLED = 3

Fields = list[tuple[bytes, bytes]]


class Decision:
    """What the rules say about one request. Shared by all requests of a plain route: read only."""

    def __init__(self) -> None:
        self.reply: tuple[int, Fields, bytes] | None = None
        """Answer this (status, fields, body) and ask no server."""
        self.path = b""
        """Forward this path with query in place of the client's."""
        self.host = b""
        """Forward this Host in place of the client's."""
        self.edit_request: Callable[[Fields], Fields] | None = None
        self.edit_response: Callable[[Fields], Fields] | None = None
        self.allow_connect = False
        self.mirror = False
        """Hand a copy of the request to `Wire.mirror`."""


class Wire:
    """Given to a session by its driver. No call blocks or raises for reasons of the network."""

    def __init__(self) -> None:
        self.failure = 503
        """HTTP status that says why `connect` or `retry` returned FAILED."""
        self.set_cookie = b""
        """Value of a Set-Cookie field that the response must carry; empty: none."""
        self.draining = False
        """The director is going down: end the dialogue after this exchange."""
        self.full = False
        """Much waits for a client that does not take it: begin no further exchange.
        `client_data(b"")` comes when it has gone."""

    def send(self, side: int, data: bytes) -> None:
        """Send now or queue; while much is queued the other side is not read."""
        raise NotImplementedError

    def relay(self, source: int, count: int) -> None:
        """Pass on the next `count` bytes (-1: until EOF) from `source` unseen, then call
        `relayed(source)`."""
        raise NotImplementedError

    def end(self, side: int) -> None:
        """Send what is queued and then the end of our output on this side; go on reading."""
        raise NotImplementedError

    def hold(self, on: bool) -> None:
        """Do not read the client (True), or read it again."""
        raise NotImplementedError

    def decide(self, facts: Facts) -> Decision:
        """Ask the rules. Starts the exchange: its clock and its counters."""
        raise NotImplementedError

    def connect(self, facts: Facts, careful: bool) -> int:
        """Take a server by the last decision: READY, PENDING or FAILED. `careful`: the request
        cannot be sent twice, so an idle connection is looked at before it is used."""
        raise NotImplementedError

    def retry(self, facts: Facts, same: bool) -> int:
        """As `connect`, after a failure: on a fresh connection to the same server, or on another
        server within the budget."""
        raise NotImplementedError

    def answered(self, status: int, answer: Facts) -> None:
        """The final response's head is there; `answer.cookie(name)` is what it sets."""
        raise NotImplementedError

    def release(self, outcome: int, reusable: bool) -> None:
        """Give the server connection back."""
        raise NotImplementedError

    def start_tls(self, side: int) -> None:
        """Begin TLS on this side with what comes from now on; `secured` or `client_lost` or
        `server_lost` follows, never from within."""
        raise NotImplementedError

    def mirror(self, head: bytes, body: bytes) -> None:
        """Send a copy to the route's mirror pool; never waits, never fails."""
        raise NotImplementedError

    def phase(self, phase: int) -> None:
        """Start the deadline of this phase in place of the one that runs."""
        raise NotImplementedError

    def log(self, session: Exchange) -> None:
        """The exchange has ended: count it and write the access log."""
        raise NotImplementedError

    def close(self, linger: bool) -> None:
        """Send what is queued and close. `linger`: the client may still be sending: end our side
        only and throw away what comes for a while, lest a reset eat the answer."""
        raise NotImplementedError

    def abort(self) -> None:
        """Close so that the client sees that the answer is not whole."""
        raise NotImplementedError


class Exchange:
    """What the log wants to know of an exchange; the driver knows the times and the sizes."""

    def __init__(self) -> None:
        self.method = b""
        self.target = b""
        self.host = b""
        self.minor = 1
        self.status = 0
        """0: no response was sent."""
        self.agent: bytes | None = None
        self.referer: bytes | None = None
        self.request_id = b""
        self.tries = 0
        self.flags = ""
        """C the client left, S the server broke off, T it ended too early, B it broke the protocol,
        R the request was refused, X a deadline passed."""


class Session(Exchange):
    """One client's dialogue, called by the driver."""

    def begin(self) -> None:
        """The client is there. A protocol in which the server speaks first greets it."""

    def secured(self, side: int, name: bytes) -> None:
        """TLS has begun as `start_tls` asked. `name`: the client's by its verified certificate."""
        raise NotImplementedError

    def client_data(self, data: bytes) -> None:
        raise NotImplementedError

    def client_eof(self) -> None:
        raise NotImplementedError

    def client_lost(self) -> None:
        raise NotImplementedError

    def server_ready(self) -> None:
        raise NotImplementedError

    def server_failed(self, status: int) -> None:
        raise NotImplementedError

    def server_data(self, data: bytes) -> None:
        raise NotImplementedError

    def server_eof(self) -> None:
        raise NotImplementedError

    def server_lost(self) -> None:
        raise NotImplementedError

    def relayed(self, source: int) -> None:
        raise NotImplementedError

    def expired(self, phase: int) -> None:
        """The deadline has passed; PHASE_NONE: end at once, for the director does."""
        raise NotImplementedError
