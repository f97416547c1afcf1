"""Directors before Dovecots that know nothing of our locks, and `l7lb migrate` beside them."""

from __future__ import annotations

import imaplib
import re
import smtplib
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from support.dovecot import MASTER, Dovecot
from support.mail_director import MailDirector, MailRules
from support.running_director import until

WAIT_S = 60.0
ALICE, BOB, CAROL = (f"{name}@example.org" for name in ("alice", "bob", "carol"))
SECRETS = {name: f"{name.partition('@')[0]}-secret" for name in (ALICE, BOB, CAROL)}
Mail = list[tuple[int, str, frozenset[str]]]
"""UID, Message-ID and flags of each message."""


class StorageDirector(MailDirector):
    """One whose rules file says where the mail is."""

    storage = ""

    def write(self, *words: str, **more: object) -> None:
        super().write(*words, **more)  # type: ignore[arg-type]
        with self.file.open("a") as file:
            file.write(self.storage)


@dataclass
class MovingCluster:
    """`with ExitStack() as ends:` then `dovecots`, then `director` for each."""

    folder: Path
    ends: ExitStack
    directory: str
    store: str
    dovecots: list[Dovecot] = field(default_factory=list)
    directors: list[StorageDirector] = field(default_factory=list)

    def add_dovecot(self, mail: Path | None = None) -> Dovecot:
        made = Dovecot(SECRETS, mail=mail)
        self.ends.callback(made.stop)
        self.dovecots.append(made.start())
        return made

    def add_director(self, name: str) -> StorageDirector:
        folder = self.folder / name
        folder.mkdir()
        ports = tuple({"imap": d.imap, "pop3": d.pop3, "lmtp": d.lmtp} for d in self.dovecots)
        roots = ", ".join(
            f"m{n}: '{d.mail}/{{account}}/Maildir'" for n, d in enumerate(self.dovecots, 1)
        )
        made = StorageDirector.__new__(StorageDirector)
        made.storage = f"mail: {{storage: {{roots: {{{roots}}}, fence: home}}}}\n"
        StorageDirector.__init__(
            made, folder, MailRules(ports, MASTER, self.directory, self.store), SECRETS
        )
        self.ends.callback(made.close)
        made.start()
        until(made.has_store, "the store")
        self.directors.append(made)
        return made

    def verb(self, *words: str) -> tuple[int, str, str]:
        """`l7lb VERB FILE …` with the first director's file: status, output, errors."""
        director = self.directors[0]
        verb, *rest = words
        done = subprocess.run(
            [sys.executable, "-m", "l7lb", verb, str(director.file), *rest],
            env=director.environment(),
            cwd=director.folder,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


def is_let_go(client: imaplib.IMAP4) -> None:
    """Wait for the end of its session."""
    with suppress(imaplib.IMAP4.abort, OSError):
        while True:
            client.noop()


def held(client: imaplib.IMAP4, folder: str = "INBOX") -> Mail:
    assert client.select(folder)[0] == "OK"
    status, lines = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
    assert status == "OK"
    found: Mail = []
    for line in lines:
        if isinstance(line, tuple):
            uid = re.search(rb"UID (\d+)", line[0])
            assert uid is not None
            flags = {flag.decode() for flag in imaplib.ParseFlags(line[0])}
            name = line[1].decode().partition(":")[2].strip()
            found.append((int(uid[1]), name, frozenset(flags - {r"\Recent"})))
    return sorted(found)


class Sender(threading.Thread):
    """Sends one message after the other through a director until `stop`; `accepted` has the
    Message-ID of each that was answered with 250."""

    def __init__(self, director: MailDirector, to: str, name: str) -> None:
        super().__init__(daemon=True)
        self.director = director
        self.to = to
        self.sign = name
        self.accepted: list[str] = []
        self.refused: list[str] = []
        self.fault = ""
        self._over = threading.Event()
        self._more = threading.Condition()

    def run(self) -> None:
        number = 0
        try:
            while not self._over.is_set():
                self._send(f"<{self.sign}.{number}@example.net>")
                number += 1
        except Exception as fault:  # noqa: BLE001 - the test tells it
            self.fault = repr(fault)

    def _send(self, name: str) -> None:
        text = f"Message-ID: {name}\r\nSubject: on the way\r\n\r\nhello\r\n"
        with self.director.smtp() as post:
            post.ehlo()
            codes = [post.mail("sender@example.net")[0], post.rcpt(self.to)[0]]
            if codes == [250, 250]:
                codes.append(self._data(post, text))
        with self._more:
            (self.accepted if codes == [250, 250, 250] else self.refused).append(name)
            self._more.notify_all()

    @staticmethod
    def _data(post: smtplib.SMTP, text: str) -> int:
        try:
            return post.data(text)[0]
        except smtplib.SMTPDataError as refusal:
            return refusal.smtp_code

    def sent(self, count: int) -> None:
        """Wait until so many were accepted."""
        with self._more:
            assert self._more.wait_for(lambda: len(self.accepted) >= count or self.fault, WAIT_S)

    def stop(self) -> list[str]:
        self._over.set()
        self.join(WAIT_S)
        assert not self.fault, self.fault
        return self.accepted
