"""Mail programs of the demo: one sends, one reads by IMAP, one by POP3.

They block, as the standard library's do; scenes run them in threads. A message is known by its
subject, a mail server by the name that it gives itself once the client is in.
"""

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
LATER = re.compile(r"\[(UNAVAILABLE|INUSE|IN-USE|SYS/TEMP|LIMIT)\]|-ERR EOF", re.IGNORECASE)
SERVER = re.compile(rb'"server" "([^"]*)"')


class MailFailed(Exception):
    """Refused for good, or not answered. The text says what happened."""


class NotNow(Exception):
    """Refused for now, or the session ended: a mail program comes again."""


@dataclass(frozen=True, slots=True)
class Inbox:
    server: str
    subjects: tuple[str, ...]


def send(address: tuple[str, int], recipients: Sequence[str], subject: str) -> None:
    """One message to all of them. Raises `MailFailed` when any is refused."""
    try:
        with smtplib.SMTP(*address, local_hostname=DOMAIN, timeout=DEADLINE_S) as client:
            refused = client.sendmail(SENDER, recipients, text(subject, recipients))
    except (smtplib.SMTPException, OSError) as error:
        raise MailFailed(f"smtp: {type(error).__name__} {error}") from error
    if refused:
        raise MailFailed(f"smtp: {refused}")


def text(subject: str, recipients: Sequence[str]) -> str:
    to = ", ".join(recipients)
    return f"From: {SENDER}\r\nTo: {to}\r\nSubject: {subject}\r\n\r\nYour order is on its way.\r\n"


class ImapReader:
    """One session. Every method raises `NotNow` or `MailFailed`."""

    def __init__(self, address: tuple[str, int], user: str) -> None:
        with told_apart("imap"):
            self._client = imaplib.IMAP4(*address, timeout=DEADLINE_S)
        try:
            with told_apart("imap"):
                self._client.login(user, PASSWORD)
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


def read_imap(address: tuple[str, int], user: str) -> Inbox:
    with ImapReader(address, user) as reader:
        return reader.inbox()


def read_pop3(address: tuple[str, int], user: str) -> Inbox:
    """All that is there; leaves it there. Raises `NotNow` or `MailFailed`."""
    with told_apart("pop3"):
        client = poplib.POP3(*address, timeout=DEADLINE_S)
        try:
            client.user(user)
            client.pass_(PASSWORD)
            server = client.capa().get("IMPLEMENTATION", [""])[-1]
            count, _ = client.stat()
            heads = [b"\r\n".join(client.top(number + 1, 0)[1]) for number in range(count)]
            client.quit()
        finally:
            client.close()
    return Inbox(server, tuple(map(subject_of, heads)))


def subject_of(head: bytes) -> str:
    return str(message_from_bytes(head)["Subject"])


@contextmanager
def told_apart(protocol: str) -> Iterator[None]:
    """What the standard library raises, as `NotNow` or `MailFailed`."""
    try:
        yield
    except (imaplib.IMAP4.abort, EOFError, ConnectionResetError, BrokenPipeError) as error:
        raise NotNow(f"{protocol}: session ended: {error}") from error
    except (imaplib.IMAP4.error, poplib.error_proto) as error:
        kind = NotNow if LATER.search(str(error)) else MailFailed
        raise kind(f"{protocol}: {error}") from error
    except OSError as error:
        raise MailFailed(f"{protocol}: {type(error).__name__} {error}") from error
