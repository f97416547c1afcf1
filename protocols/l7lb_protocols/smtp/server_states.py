"""The states of a client-facing session and every move between them, as one table.

What is not in the table does not happen: from a client it is answered 503, from our own side it is
Misuse. It must not know bytes.

    NEW ─▶ HELLO ─▶ READY ─▶ SENDER_ASKED ─▶ SENDER ─▶ FIRST_ASKED ─▶ RECIPIENTS ─▶ DATA_ASKED
                    │ ▲                                 MORE_ASKED ◀─▶ ┘                │
                    │ └───── VERDICT_ASKED ◀──────────── DATA ◀─────────────────────────┘
                    ├─▶ TLS ─▶ HELLO
                    └─▶ AUTH_ASKED ◀─▶ AUTH_LINE
"""

from __future__ import annotations

from enum import Enum, auto


class State(Enum):
    NEW = auto()
    """The greeting was not sent."""
    HELLO = auto()
    """No EHLO yet, or none since TLS or XCLIENT."""
    READY = auto()
    TLS = auto()
    """220 was said to STARTTLS; what comes is not for us until `tls_started`."""
    AUTH_ASKED = auto()
    """The mechanism has the turn."""
    AUTH_LINE = auto()
    """The client has the turn, in Base64."""
    SENDER_ASKED = auto()
    SENDER = auto()
    """The sender holds; no recipient yet."""
    FIRST_ASKED = auto()
    RECIPIENTS = auto()
    """At least one recipient holds."""
    MORE_ASKED = auto()
    DATA_ASKED = auto()
    DATA = auto()
    VERDICT_ASKED = auto()
    """The whole message has come."""
    CLOSED = auto()


class Input(Enum):
    GREET = auto()
    HELLO = auto()
    STARTTLS = auto()
    SECURED = auto()
    XCLIENT = auto()
    AUTH = auto()
    CHALLENGE = auto()
    RESPONSE = auto()
    CANCEL = auto()
    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    END = auto()
    """The end of the message."""
    SPOILT = auto()
    """The end of a message that is refused for what it is."""
    ACCEPT = auto()
    REFUSE = auto()
    RESET = auto()
    STAY = auto()
    """NOOP, VRFY, HELP."""
    CLOSE = auto()


S = State
G = Input

TABLE: dict[tuple[State, Input], State] = {
    (S.NEW, G.GREET): S.HELLO,
    (S.HELLO, G.HELLO): S.READY,
    (S.HELLO, G.XCLIENT): S.HELLO,
    (S.HELLO, G.RESET): S.HELLO,
    (S.HELLO, G.STAY): S.HELLO,
    (S.READY, G.HELLO): S.READY,
    (S.READY, G.STARTTLS): S.TLS,
    (S.READY, G.XCLIENT): S.HELLO,
    (S.READY, G.AUTH): S.AUTH_ASKED,
    (S.READY, G.MAIL): S.SENDER_ASKED,
    (S.READY, G.RESET): S.READY,
    (S.READY, G.STAY): S.READY,
    (S.TLS, G.SECURED): S.HELLO,
    (S.AUTH_ASKED, G.CHALLENGE): S.AUTH_LINE,
    (S.AUTH_ASKED, G.ACCEPT): S.READY,
    (S.AUTH_ASKED, G.REFUSE): S.READY,
    (S.AUTH_LINE, G.RESPONSE): S.AUTH_ASKED,
    (S.AUTH_LINE, G.CANCEL): S.READY,
    (S.SENDER_ASKED, G.ACCEPT): S.SENDER,
    (S.SENDER_ASKED, G.REFUSE): S.READY,
    (S.SENDER, G.HELLO): S.READY,
    (S.SENDER, G.RCPT): S.FIRST_ASKED,
    (S.SENDER, G.RESET): S.READY,
    (S.SENDER, G.STAY): S.SENDER,
    (S.FIRST_ASKED, G.ACCEPT): S.RECIPIENTS,
    (S.FIRST_ASKED, G.REFUSE): S.SENDER,
    (S.RECIPIENTS, G.HELLO): S.READY,
    (S.RECIPIENTS, G.RCPT): S.MORE_ASKED,
    (S.RECIPIENTS, G.DATA): S.DATA_ASKED,
    (S.RECIPIENTS, G.RESET): S.READY,
    (S.RECIPIENTS, G.STAY): S.RECIPIENTS,
    (S.MORE_ASKED, G.ACCEPT): S.RECIPIENTS,
    (S.MORE_ASKED, G.REFUSE): S.RECIPIENTS,
    (S.DATA_ASKED, G.ACCEPT): S.DATA,
    (S.DATA_ASKED, G.REFUSE): S.READY,
    (S.DATA, G.END): S.VERDICT_ASKED,
    (S.DATA, G.SPOILT): S.READY,
    (S.VERDICT_ASKED, G.ACCEPT): S.READY,
    (S.VERDICT_ASKED, G.REFUSE): S.READY,
    **{(state, G.CLOSE): S.CLOSED for state in State},
}

READS_COMMANDS = frozenset((S.HELLO, S.READY, S.SENDER, S.RECIPIENTS))
READS_LINES = READS_COMMANDS | {S.AUTH_LINE}
READS = READS_LINES | {S.DATA}
"""In all other states what the client sends waits."""
QUESTIONS = frozenset((S.SENDER_ASKED, S.FIRST_ASKED, S.MORE_ASKED, S.DATA_ASKED, S.VERDICT_ASKED))
"""`answer` is wanted."""

COMMANDS: dict[bytes, Input] = {
    b"EHLO": G.HELLO,
    b"HELO": G.HELLO,
    b"LHLO": G.HELLO,
    b"STARTTLS": G.STARTTLS,
    b"XCLIENT": G.XCLIENT,
    b"AUTH": G.AUTH,
    b"MAIL": G.MAIL,
    b"RCPT": G.RCPT,
    b"DATA": G.DATA,
    b"RSET": G.RESET,
    b"NOOP": G.STAY,
    b"VRFY": G.STAY,
    b"HELP": G.STAY,
    b"QUIT": G.CLOSE,
}

OUT_OF_TURN: dict[State, str] = {
    S.HELLO: "say hello first",
    S.READY: "MAIL first",
    S.SENDER: "a message is under way",
    S.RECIPIENTS: "a message is under way",
}
"""Why a command is answered 503, where no handler knows better."""
