"""A mail user that never stops: each round sends one message to all users and reads it as each.

`python -m l7lb.demo.mail_visitor HOST:SMTP:IMAP:POP3...`, one argument for each director. A round
sends by one director and reads by the next, by IMAP and then by POP3, which deletes it. A report is
one line of JSON, what failed stands in a line before it; the last line, after SIGTERM, is the sum:

sent    messages that were taken, one for each user
imap    read, by the mail server that showed them
pop3    read once more
again   tries that were refused for now or ended with their server
twice   messages that were there more than once
failed  messages or tries that failed for good
"""

import json
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from l7lb.demo import mail_client
from l7lb.demo.mail_client import Inbox, MailFailed, NotNow, Unreachable

T = TypeVar("T")
USERS = {f"{name}@example.org": f"{name}-secret" for name in ("alice", "bob", "carol")}
"""Those of ldap/seed.ldif."""
PATIENCE_S = 120.0
GREETING_S = 5.0
"""A director that says nothing for so long is passed over."""
PAUSE_S = 0.3
ROUND_S = 1.0


@dataclass(frozen=True, slots=True)
class Director:
    """One director's host and the ports of its services."""

    host: str
    smtp: int
    imap: int
    pop3: int

    @classmethod
    def parse(cls, text: str) -> "Director":
        host, smtp, imap, pop3 = text.rsplit(":", 3)
        return cls(host, int(smtp), int(imap), int(pop3))


@dataclass(slots=True)
class Report:
    sent: int = 0
    imap: Counter[str] = field(default_factory=Counter)
    pop3: int = 0
    again: int = 0
    twice: int = 0
    failed: int = 0

    def add(self, other: "Report") -> None:
        self.sent += other.sent
        self.imap += other.imap
        self.pop3 += other.pop3
        self.again += other.again
        self.twice += other.twice
        self.failed += other.failed

    def line(self) -> str:
        counts = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(counts)


class Stopped(Exception):
    """The user was told to stop in the middle of a round, which then does not count."""


class MailVisitor:
    """Owns the turn, and the report of the round."""

    def __init__(
        self, directors: list[Director], users: Mapping[str, str], stop: threading.Event
    ) -> None:
        self.directors = directors
        self.users = users
        self.stop = stop
        self.run = f"{time.time():.0f}"
        self.turn = 0
        self.report = Report()

    def round(self) -> Report:
        """Sends one message and reads it. Raises `Stopped`."""
        self.turn += 1
        self.report = Report()
        subject = f"round {self.run} {self.turn}"
        for user in self.send(subject):
            self.read(user, subject)
        return self.report

    def send(self, subject: str) -> list[str]:
        """Until everybody's copy was taken; returns whose was."""
        waiting = list(self.users)

        def offer(director: Director) -> bool:
            nonlocal waiting
            address = (director.host, director.smtp)
            refused = mail_client.offer(address, waiting, subject, GREETING_S)
            self.report.sent += len(waiting) - len(refused)
            waiting = list(refused)
            return not waiting

        self.patiently(offer, 0)
        return [user for user in self.users if user not in waiting]

    def read(self, user: str, subject: str) -> None:
        secret = self.users[user]

        def by_imap(director: Director) -> Inbox | None:
            address = (director.host, director.imap)
            inbox = mail_client.read_imap(address, user, secret, GREETING_S)
            return inbox if subject in inbox.subjects else None

        def by_pop3(director: Director) -> bool:
            address = (director.host, director.pop3)
            inbox = mail_client.read_pop3(address, user, secret, GREETING_S)
            return subject in inbox.subjects

        def clear(director: Director) -> bool:
            address = (director.host, director.pop3)
            mail_client.clear_pop3(address, user, secret, f"round {self.run} ", GREETING_S)
            return True

        inbox = self.patiently(by_imap, 1)
        if inbox is None:
            return
        self.report.imap[inbox.server] += 1
        ours = [text for text in inbox.subjects if text.startswith(f"round {self.run} ")]
        self.report.twice += len(ours) - 1
        self.report.pop3 += bool(self.patiently(by_pop3, 0))
        self.patiently(clear, 1)

    def patiently(self, ask: Callable[[Director], T], offset: int) -> T | None:
        """Asks the next director that is there, again and again until there is an answer that
        counts. None: there was none, and that is counted."""
        deadline = time.monotonic() + PATIENCE_S
        told = "nothing came"
        while time.monotonic() < deadline:
            try:
                answer = self.ask_one(ask, offset)
            except NotNow as error:
                told = str(error)
                self.report.again += 1
            except MailFailed as error:
                told = str(error)
                break
            else:
                if answer:
                    return answer
            if self.stop.wait(PAUSE_S):
                raise Stopped
        sys.stdout.write(f"failed: {told}\n")
        self.report.failed += 1
        return None

    def ask_one(self, ask: Callable[[Director], T], offset: int) -> T:
        """The first of the directors that takes a connection."""
        for step in range(len(self.directors)):
            director = self.directors[(self.turn + offset + step) % len(self.directors)]
            try:
                return ask(director)
            except Unreachable:
                continue
        raise NotNow("no director takes a connection")


def run(visitor: MailVisitor) -> Report:
    """Rounds with a report of each, until told to stop; returns the sum."""
    total = Report()
    while not visitor.stop.is_set():
        begun = time.monotonic()
        try:
            report = visitor.round()
        except Stopped:
            break
        total.add(report)
        sys.stdout.write(report.line() + "\n")
        sys.stdout.flush()
        visitor.stop.wait(begun + ROUND_S - time.monotonic())
    return total


def main(arguments: list[str]) -> int:
    """0 when nothing failed, else 1."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    total = run(MailVisitor(list(map(Director.parse, arguments)), USERS, stop))
    sys.stdout.write(f"sum {total.line()}\n")
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
