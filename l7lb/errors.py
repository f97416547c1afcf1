"""The error tree. Each error says whose fault it is, in which phase, whether a retry is safe,
and (for HTTP) which status to answer with.

L7lbError
├── ConfigError            the rules file: every problem found, each with its place
├── ControlError           the control socket: what was asked cannot be done
├── DirectoryError         the directory of accounts; `smtp` is the reply to give
│   ├── DirectoryAway      cannot be asked now: a later try may succeed
│   ├── DirectoryConfused  it answered, but what it said makes no sense: an administrator must act
│   ├── DirectoryRefused   it says no to a change, or to us
│   ├── NoSuchAccount      a change to an account that is not there
│   └── AccountExists      a name or an address that is taken
├── MailboxError           the mail server's mailboxes; `code` is IMAP's response code
│   ├── MailboxAway        not now: not the owner any more, storage busy or full; try later
│   ├── MailboxRefused     a name that cannot be, or what INBOX does not allow
│   ├── NoSuchMailbox      no mailbox, or no message, of that name
│   └── MailboxExists      a name that is taken
├── MediaError             packets of media cannot go the way that was asked for
│   ├── MediaAway          the process that would see to it does not answer
│   └── MediaRefused       it says no; the message is its words
├── MigrationError         moving an account's mail stopped; nothing is lost, it can be resumed
│   ├── MigrationRefused   not as things are: the message says what to do first
│   └── CopyDiffers        the copy is not what it was copied from
├── RelayError             the relay of media packets; `status` is RTSP's (RFC 2326 §11)
│   ├── RelayAway          no answer from its process: a later try may succeed
│   └── RelayRefused       it says no: no ports left, no such session; `code` says which
└── SessionError           one session failed; the cluster goes on
    ├── ConnectFailed      no connection to the server          side server, nothing sent
    ├── ServerFailed       the server broke off or spoke nonsense
    ├── NoServer           no usable server, or the queue is full or too slow
    └── PhaseTimeout       a deadline passed
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from l7lb.model import Place


class Side(StrEnum):
    CLIENT = "client"
    SERVER = "server"
    US = "us"


class Phase(StrEnum):
    TLS = "tls"
    HEAD = "head"
    BODY = "body"
    QUEUE = "queue"
    CONNECT = "connect"
    FIRST_BYTE = "first-byte"
    BETWEEN_BYTES = "between-bytes"
    KEEP_ALIVE = "keep-alive"
    SEND = "send"
    TUNNEL = "tunnel"


class L7lbError(Exception):
    """Root of all errors that l7lb raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a rules file."""

    place: Place
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ConfigError(L7lbError):
    """A rules file that cannot be used. `problems` is in file order and never empty."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = problems


class ControlError(L7lbError):
    """The control API refuses; `status` is the HTTP status to answer with."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


class DirectoryError(L7lbError):
    """The directory of accounts did not do what was asked. Messages hold no secret."""

    smtp = (451, "4.3.0")
    """Status and enhanced status (RFC 3463) for a mail client that waits for it."""
    retry_safe = False


class DirectoryAway(DirectoryError):
    """No server answers, all are busy, or time is up. Says nothing about the account."""

    smtp = (451, "4.4.3")
    retry_safe = True


class DirectoryConfused(DirectoryError):
    """Two entries for one name, or an entry that cannot be read."""

    smtp = (451, "4.3.5")


class DirectoryRefused(DirectoryError):
    """Rights, schema, a bad name: the same request would be refused again."""

    smtp = (550, "5.7.0")


class NoSuchAccount(DirectoryError):
    smtp = (550, "5.1.1")


class AccountExists(DirectoryError):
    smtp = (550, "5.3.0")


class MailboxError(L7lbError):
    """A mailbox did not do what was asked; nothing was changed. Messages are for clients."""

    code = b"CANNOT"
    """RFC 5530 §3."""


class MailboxAway(MailboxError):
    """A later try may succeed, here or at another server."""

    code = b"UNAVAILABLE"


class MailboxRefused(MailboxError):
    """The same request would be refused again."""


class NoSuchMailbox(MailboxError):
    code = b"NONEXISTENT"


class MailboxExists(MailboxError):
    code = b"ALREADYEXISTS"


class MediaError(L7lbError):
    """Another mode, or TCP, may still serve the player."""

    retry_safe = False


class MediaAway(MediaError):
    """What was asked may have been done: all of its verbs may be repeated."""

    retry_safe = True


class MediaRefused(MediaError):
    """The same question would be refused again."""


class MigrationError(L7lbError):
    """The account's mail is where its record says; the same command goes on."""


class MigrationRefused(MigrationError):
    """Nothing was changed by what raised it."""


class CopyDiffers(MigrationError):
    """Counts or digests are not equal; the copy was thrown away."""


class RelayError(L7lbError):
    """The relay of media packets did not do what was asked."""

    status = 500
    """For an RTSP client, RFC 2326 §11.3."""


class RelayAway(RelayError):
    """Its process does not run, or does not answer in time; whether it did it is not known."""

    status = 503


class RelayRefused(RelayError):
    """Nothing was changed. `code` is one of `l7lb.media.relay.verbs.Refusal`."""

    def __init__(self, message: str, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class SessionError(L7lbError):
    """One session failed."""

    side = Side.US
    status = 502

    def __init__(self, message: str, phase: Phase, *, retry_safe: bool = False) -> None:
        super().__init__(message)
        self.phase = phase
        self.retry_safe = retry_safe


class ConnectFailed(SessionError):
    side = Side.SERVER

    def __init__(self, message: str) -> None:
        super().__init__(message, Phase.CONNECT, retry_safe=True)


class ServerFailed(SessionError):
    side = Side.SERVER


class NoServer(SessionError):
    status = 503

    def __init__(self, message: str) -> None:
        super().__init__(message, Phase.QUEUE, retry_safe=True)


class PhaseTimeout(SessionError):
    """`side` is set for the instance: whoever kept us waiting."""

    def __init__(self, phase: Phase, side: Side, *, retry_safe: bool = False) -> None:
        super().__init__(f"timeout in phase {phase} of the {side}", phase, retry_safe=retry_safe)
        self.side = side
        self.status = 408 if side is Side.CLIENT else 504
