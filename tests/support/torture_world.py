"""What all clients of the torture test share: the cluster, the notes, and messages to deliver.

Each message has an identity of its own, in its Message-ID and in every line of its body.
"""

from __future__ import annotations

import itertools
import random
import smtplib
import threading
from collections.abc import Callable
from dataclasses import dataclass

from support.mail_cluster import Endpoint
from support.torture_cluster import Cluster
from support.torture_history import Delivery, History, Outcome

ATTEMPTS = 4
SENDER = "eve@example.com"
_NUMBERS = itertools.count(1)


def new_message() -> str:
    return f"t{next(_NUMBERS)}"


def body_of(message: str) -> str:
    return "\r\n".join(f"{message} line {number}" for number in range(20)) + "\r\n"


def text_of(message: str) -> bytes:
    head = f"From: <{SENDER}>\r\nSubject: {message}\r\n"
    return f"{head}Message-ID: <{message}@example.com>\r\n\r\n{body_of(message)}".encode()


def deliver(
    endpoint: Endpoint,
    accounts: list[str],
    data: bytes,
    wait_s: float,
    before_data: Callable[[], None] = lambda: None,
) -> Outcome:
    """One attempt, by SMTP to a director. After the end of data only 250 is sure: a director that
    lost its server then does not know either, and says 451. `before_data` is called when all
    recipients are accepted, and no part of the message is sent."""
    is_sent = False
    try:
        with smtplib.SMTP(endpoint.host, endpoint.ports["smtp"], "t.example", timeout=wait_s) as to:
            to.ehlo()
            said = {to.mail(SENDER)[0], *(to.rcpt(each)[0] for each in accounts)}
            if said != {250} or to.docmd("DATA")[0] != 354:
                return Outcome.REFUSED
            before_data()
            is_sent = True
            to.send(data + b".\r\n")
            return Outcome.DONE if to.getreply()[0] == 250 else Outcome.UNKNOWN
    except (OSError, smtplib.SMTPException):
        return Outcome.UNKNOWN if is_sent else Outcome.REFUSED


@dataclass(frozen=True, slots=True)
class World:
    """What all clients share."""

    cluster: Cluster
    history: History
    stop: threading.Event

    def send(self, rng: random.Random, accounts: list[str]) -> None:
        """A new message, tried again until somebody has it."""
        message = new_message()
        for _ in range(ATTEMPTS):
            endpoint = rng.choice(self.cluster.directors).endpoint
            outcome = deliver(endpoint, accounts, text_of(message), self.cluster.plan.wait_s)
            self.delivered(accounts, message, outcome)
            if outcome is Outcome.DONE or self.stop.wait(rng.random()):
                return

    def delivered(self, accounts: list[str], message: str, outcome: Outcome) -> None:
        for account in accounts:
            self.history.note(Delivery(account, message, outcome, by_spool=len(accounts) > 1))
