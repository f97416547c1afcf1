"""What a client-facing session tells its driver. Plain data; it must not know who acts on it.

Those that end in Asked are questions: the session reads no further until it has the answer. At most
one is open, and it is the last of its list.
"""

from __future__ import annotations

from dataclasses import dataclass

from l7lb_protocols.smtp.parameters import Recipient, Sender
from l7lb_protocols.smtp.replies import Reply
from l7lb_protocols.smtp.xclient import Attributes


@dataclass(frozen=True, slots=True)
class HelloSaid:
    """The client's name; any transaction before it is gone."""

    verb: bytes
    name: bytes


@dataclass(frozen=True, slots=True)
class TlsWanted:
    """Send the output, begin TLS with what the socket gives from now on, call `tls_started`."""


@dataclass(frozen=True, slots=True)
class AuthAsked:
    """`mechanism` begins (`response`: the initial one, or None) or goes on; see `auth_step`."""

    mechanism: bytes
    response: bytes | None


@dataclass(frozen=True, slots=True)
class AuthCancelled:
    """The client gave up or sent nonsense: forget the mechanism."""


@dataclass(frozen=True, slots=True)
class XclientTaken:
    """What the trusted front said counts from now on; the session starts anew."""

    attributes: Attributes


@dataclass(frozen=True, slots=True)
class SenderAsked:
    sender: Sender


@dataclass(frozen=True, slots=True)
class RecipientAsked:
    """`index`: its place among those accepted, if it is."""

    recipient: Recipient
    index: int


@dataclass(frozen=True, slots=True)
class DataAsked:
    """Shall the message come? A positive answer, of any text, becomes 354."""

    sender: Sender
    recipients: tuple[Recipient, ...]


@dataclass(frozen=True, slots=True)
class MessagePiece:
    """Part of the message, dots taken off, all lines ended by CRLF; a piece may end anywhere."""

    data: bytes


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """The message is refused for what it is: throw away all that came of it. The session answers
    the client by itself; the transaction is over."""

    reply: Reply
    reason: str


@dataclass(frozen=True, slots=True)
class VerdictAsked:
    """The message is whole: `size` octets, `hops` Received fields, `is_ascii` throughout."""

    size: int
    hops: int
    is_ascii: bool


@dataclass(frozen=True, slots=True)
class TransactionReset:
    """The client took the transaction back, or left: forget it. After VerdictAsked: nobody hears
    the answer any more, and the client will send the message again."""


@dataclass(frozen=True, slots=True)
class EarlyTalk:
    """The client spoke out of turn; `place`: `greeting`, `STARTTLS` or `command` (pipelined
    though PIPELINING was not offered). Once for each place and session."""

    place: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A line or an order of commands was refused: for the log. `errors`: so many so far."""

    verb: bytes
    reply: Reply
    errors: int


@dataclass(frozen=True, slots=True)
class Closed:
    """Send the output and close. Nothing comes after it."""

    reason: str


ServerEvent = (
    HelloSaid
    | TlsWanted
    | AuthAsked
    | AuthCancelled
    | XclientTaken
    | SenderAsked
    | RecipientAsked
    | DataAsked
    | MessagePiece
    | MessageRefused
    | VerdictAsked
    | TransactionReset
    | EarlyTalk
    | Refused
    | Closed
)

VOID_WHEN_CLOSED = (TlsWanted, AuthAsked, SenderAsked, RecipientAsked, DataAsked, VerdictAsked)
"""What asks for something is not told any more once the session has ended."""
