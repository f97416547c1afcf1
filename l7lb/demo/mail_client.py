"""Mail programs of the demo: one sends, one reads by IMAP, one by POP3.

They block, as the standard library's do; scenes run them in threads. A message is known by its
subject, a mail server by the name that it gives itself once the client is in.
"""

import errno
import imaplib
import poplib
import re
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email import message_from_bytes
from typing import Self

from l7lb.demo.mail_rules import DOMAIN, PASSWORD

DEADLINE_S = 30.0
SENDER = f"shop@{DOMAIN}"
FOR_GOOD = 500
LATER = re.compile(r"\[(UNAVAILABLE|INUSE|IN-USE|SYS/TEMP|LIMIT)\]|-ERR EOF", re.IGNORECASE)
ENDED = (
    imaplib.IMAP4.abort,
    smtplib.SMTPServerDisconnected,
    EOFError,
    ConnectionResetError,
    BrokenPipeError,
)
SAID = (smtplib.SMTPRecipientsRefused, smtplib.SMTPResponseException)
NOBODY = (errno.ECONNREFUSED, errno.EHOSTUNREACH)
SERVER = re.compile(rb'"server" "([^"]*)"')


class MailFailed(Exception):
    """Refused for good, or not answered. The text says what happened."""


class Unreachable(MailFailed):
    """Nobody took the connection and greeted, so nothing was asked."""


class NotNow(Exception):
    """Refused for now, or the session ended: a mail program comes again."""


@dataclass(frozen=True, slots=True)
class Inbox:
    server: str
    subjects: tuple[str, ...]


def send(address: tuple[str, int], recipients: Sequence[str], subject: str) -> None:
    """One message to all of them. Raises `MailFailed` when any is refused."""
    try:
        refused = offer(address, recipients, subject)
    except NotNow as error:
        raise MailFailed(str(error)) from error
    if refused:
        raise MailFailed(f"smtp: {refused}")


def offer(
    address: tuple[str, int],
    recipients: Sequence[str],
    subject: str,
    greeting_s: float = DEADLINE_S,
) -> dict[str, str]:
    """One message to all of them; returns who was refused for now, and why.

    Raises `NotNow` when nobody can say who has it, and `MailFailed` when any is refused for good.
    """
    refused: dict[str, tuple[int, bytes | str]]
    try:
        with told_apart("smtp", Unreachable):
            client = smtplib.SMTP(*address, local_hostname=DOMAIN, timeout=greeting_s)
        with told_apart("smtp"), client:
            assert client.sock is not None
            client.sock.settimeout(DEADLINE_S)
            refused = {**client.sendmail(SENDER, recipients, text(subject, recipients))}
    except smtplib.SMTPRecipientsRefused as error:
        refused = {**error.recipients}
    except smtplib.SMTPResponseException as error:
        refused = dict.fromkeys(recipients, (error.smtp_code, error.smtp_error))
    if any(code >= FOR_GOOD for code, _ in refused.values()):
        raise MailFailed(f"smtp: {refused}")
    return {name: f"{code} {words!r}" for name, (code, words) in refused.items()}


def text(subject: str, recipients: Sequence[str]) -> str:
    to = ", ".join(recipients)
    return f"From: {SENDER}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nYour order is on its way.\r\n"


class ImapReader:
    """One session. Every method raises `NotNow` or `MailFailed`."""

    def __init__(
        self,
        address: tuple[str, int],
        user: str,
        password: str = PASSWORD,
        greeting_s: float = DEADLINE_S,
    ) -> None:
        with told_apart("imap", Unreachable):
            self._client = imaplib.IMAP4(*address, timeout=greeting_s)
            self._client.socket().settimeout(DEADLINE_S)
        try:
            with told_apart("imap"):
                self._client.login(user, password)
                self._client.xatom("ID", "NIL")
                found = SERVER.search(b"".join(self._client.response("ID")[1]))
        except BaseException:
            self.close()
            raise
        self.server = found[1].decode() if found else ""

    def inbox(self) -> Inbox:
        with told_apart("imap"):
            _, (count,) = self._client.select("INBOX")
            if count == b"0":
                return Inbox(self.server, ())
            _, found = self._client.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
            heads = [part[1] for part in found if isinstance(part, tuple)]
            return Inbox(self.server, tuple(map(subject_of, heads)))

    def wait_for_end(self) -> None:
        """Until the session is ended; returns then, and in any case by the deadline."""
        with suppress(imaplib.IMAP4.error, OSError):
            self._client.readline()

    def close(self) -> None:
        with suppress(imaplib.IMAP4.error, OSError):
            self._client.logout()
        with suppress(OSError):
            self._client.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_imap(
    address: tuple[str, int], user: str, password: str = PASSWORD, greeting_s: float = DEADLINE_S
) -> Inbox:
    with ImapReader(address, user, password, greeting_s) as reader:
        return reader.inbox()


def read_pop3(
    address: tuple[str, int], user: str, password: str = PASSWORD, greeting_s: float = DEADLINE_S
) -> Inbox:
    """All that is there; leaves it there. Raises `NotNow` or `MailFailed`."""
    with pop3_session(address, user, password, greeting_s) as client:
        server = client.capa().get("IMPLEMENTATION", [""])[-1]
        subjects = pop3_subjects(client)
        client.quit()
    return Inbox(server, subjects)


def clear_pop3(
    address: tuple[str, int], user: str, password: str, begin: str, greeting_s: float = DEADLINE_S
) -> None:
    """Deletes the messages whose subject begins so. Raises `NotNow` or `MailFailed`."""
    with pop3_session(address, user, password, greeting_s) as client:
        for number, subject in enumerate(pop3_subjects(client), 1):
            if subject.startswith(begin):
                client.dele(number)
        client.quit()


@contextmanager
def pop3_session(
    address: tuple[str, int], user: str, password: str, greeting_s: float
) -> Iterator[poplib.POP3]:
    with told_apart("pop3", Unreachable):
        client = poplib.POP3(*address, timeout=greeting_s)
    try:
        with told_apart("pop3"):
            client.sock.settimeout(DEADLINE_S)
            client.user(user)
            client.pass_(password)
            yield client
    finally:
        client.close()


def pop3_subjects(client: poplib.POP3) -> tuple[str, ...]:
    count, _ = client.stat()
    heads = [b"\r\n".join(client.top(number + 1, 0)[1]) for number in range(count)]
    return tuple(map(subject_of, heads))


def subject_of(head: bytes) -> str:
    return str(message_from_bytes(head)["Subject"])


@contextmanager
def told_apart(protocol: str, silence: type[MailFailed] = MailFailed) -> Iterator[None]:
    """What the standard library raises, as `NotNow` or `MailFailed`; what SMTP's server said of a
    message is left to the caller. `silence`: when no answer came in time."""
    try:
        yield
    except ENDED as error:
        raise NotNow(f"{protocol}: session ended: {error}") from error
    except (imaplib.IMAP4.error, poplib.error_proto) as error:
        kind = NotNow if LATER.search(str(error)) else MailFailed
        raise kind(f"{protocol}: {error}") from error
    except SAID:
        raise
    except OSError as error:
        failed = Unreachable if error.errno in NOBODY else MailFailed
        failed = silence if isinstance(error, TimeoutError) else failed
        raise failed(f"{protocol}: {type(error).__name__} {error}") from error
