"""What a server-facing session tells its driver. Plain data; it must not know who acts on it."""

from __future__ import annotations

from dataclasses import dataclass

from l7lb_protocols.smtp.extensions import Extensions
from l7lb_protocols.smtp.replies import Reply
from l7lb_protocols.smtp.verdict import Outcome


@dataclass(frozen=True, slots=True)
class ServerReady:
    """`begin` may be called: after set-up, and after each transaction."""

    extensions: Extensions


@dataclass(frozen=True, slots=True)
class StartTls:
    """Begin TLS with what the socket gives from now on, then call `tls_started`."""


@dataclass(frozen=True, slots=True)
class SenderAnswered:
    reply: Reply


@dataclass(frozen=True, slots=True)
class RecipientAnswered:
    """The server's word on one recipient, in the order of `add`; a positive one is not its end."""

    index: int
    reply: Reply


@dataclass(frozen=True, slots=True)
class DataWanted:
    """The server takes the message, for these recipients: `write` and `finish`."""

    accepted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TransactionEnded:
    """The end of every recipient that was added, in their order. Once for each transaction."""

    outcomes: tuple[Outcome, ...]


@dataclass(frozen=True, slots=True)
class ServerClosed:
    """The connection is of no use any more: send the output and close it.

    `reply` says why: the server's own words, or ours where it had none. `lawful`: it was asked to
    go (QUIT) or went while nothing was under way.
    """

    reply: Reply
    lawful: bool


ClientEvent = (
    ServerReady
    | StartTls
    | SenderAnswered
    | RecipientAnswered
    | DataWanted
    | TransactionEnded
    | ServerClosed
)

VOID_WHEN_CLOSED = (ServerReady, StartTls, DataWanted)
"""What asks for something is not told any more once the connection has failed."""
