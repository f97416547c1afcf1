"""Clients of the torture test: deliveries, IMAP and POP3 sessions at random, all noted.

Each keeps to what a careful client may conclude: an answer is an outcome, and where none came,
or none that this command was asked, the outcome is unknown.
"""

from __future__ import annotations

import imaplib
import itertools
import poplib
import random
import smtplib
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from support.mail_cluster import Endpoint
from support.torture_cluster import Cluster, identity
from support.torture_history import (
    Delivery,
    FlagChange,
    History,
    Outcome,
    Removal,
    Sighting,
    Uid,
)

FLAGS = (r"\Flagged", r"\Answered", r"\Seen", r"\Draft")
HEADER = "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"
ATTEMPTS = 4
LOOKED_AT = 6
STRAIGHT = 0.25
"""Share of sessions that come to any mail server, past the directors, as if those disagreed."""
TO_TWO = 0.2
PAUSE_S = 0.3
_NUMBERS = itertools.count(1)


def body_of(message: str) -> str:
    return "\r\n".join(f"{message} line {number}" for number in range(20)) + "\r\n"


def text_of(message: str) -> bytes:
    head = f"From: <eve@example.com>\r\nSubject: {message}\r\n"
    return f"{head}Message-ID: <{message}@example.com>\r\n\r\n{body_of(message)}".encode()


def deliver(endpoint: Endpoint, accounts: list[str], data: bytes, wait_s: float) -> Outcome:
    """One attempt, by SMTP to a director. After the end of data only 250 is sure: a director that
    lost its server then does not know either, and says 451."""
    is_sent = False
    try:
        with smtplib.SMTP(endpoint.host, endpoint.ports["smtp"], "t.example", timeout=wait_s) as to:
            to.ehlo()
            said = {to.mail("eve@example.com")[0], *(to.rcpt(each)[0] for each in accounts)}
            if said != {250} or to.docmd("DATA")[0] != 354:
                return Outcome.REFUSED
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
        message = f"t{next(_NUMBERS)}"
        for _ in range(ATTEMPTS):
            endpoint = rng.choice(self.cluster.directors).endpoint
            outcome = deliver(endpoint, accounts, text_of(message), self.cluster.plan.wait_s)
            for account in accounts:
                by_spool = len(accounts) > 1
                self.history.note(Delivery(account, message, outcome, by_spool))
            if outcome is Outcome.DONE or self.stop.wait(rng.random()):
                return


class ImapTalk:
    """One session that notes what it does. Raises IMAP4.error or OSError when it cannot begin."""

    def __init__(self, world: World, endpoint: Endpoint, account: str) -> None:
        self.history = world.history
        self.account = account
        wait_s = world.cluster.plan.wait_s
        self.client = imaplib.IMAP4(endpoint.host, endpoint.ports["imap"], timeout=wait_s)
        try:
            self.client.login(account, endpoint.password)
            status, found = self.client.select("INBOX")
            if status != "OK":
                raise imaplib.IMAP4.error(f"SELECT: {found!r}")
        except BaseException:
            self.close()
            raise
        self.validity = int(str(self.client.response("UIDVALIDITY")[1][0], "ascii"))

    def close(self) -> None:
        with suppress(OSError):
            self.client.shutdown()

    def uids(self) -> list[int]:
        status, found = self.client.uid("SEARCH", "ALL")
        return [int(uid) for uid in found[0].split()] if status == "OK" and found[0] else []

    def look(self, uids: list[int]) -> dict[int, str]:
        """Which messages these are."""
        if not uids:
            return {}
        status, lines = self.client.uid("FETCH", ",".join(map(str, uids)), HEADER)
        found: dict[int, str] = {}
        for line in lines if status == "OK" else []:
            if isinstance(line, tuple):
                uid = int(line[0].partition(b"UID ")[2].split()[0])
                found[uid] = identity(line[1].decode())
                self.history.note(Sighting(self.account, (self.validity, uid), found[uid]))
        return found

    def flags(self, uids: list[int]) -> dict[int, frozenset[str]]:
        """`\\Recent` is none."""
        if not uids:
            return {}
        lines = self.client.uid("FETCH", ",".join(map(str, uids)), "(FLAGS)")[1]
        found: dict[int, frozenset[str]] = {}
        for line in lines:
            uid = int(line.partition(b"UID ")[2].split()[0].strip(b")"))
            flags = {flag.decode() for flag in imaplib.ParseFlags(line)}
            found[uid] = frozenset(flags - {r"\Recent"})
        return found

    def set_flag(self, uid: int, flag: str, *, value: bool) -> Outcome:
        started_s = time.monotonic()
        how = "+FLAGS.SILENT" if value else "-FLAGS.SILENT"
        outcome = self._outcome(lambda: self.client.uid("STORE", str(uid), how, f"({flag})"))
        self.changed(uid, flag, value, started_s, outcome)
        return outcome

    def changed(self, uid: int, flag: str, value: bool, started_s: float, outcome: Outcome) -> None:
        key = (self.validity, uid)
        now_s = time.monotonic()
        self.history.note(FlagChange(self.account, key, flag, value, started_s, now_s, outcome))

    def remove(self, uid: int) -> Outcome:
        outcome = self.set_flag(uid, r"\Deleted", value=True)
        if outcome is not Outcome.DONE:
            return outcome
        outcome = self._outcome(lambda: self.client.uid("EXPUNGE", str(uid)))
        self.history.note(Removal(self.account, (self.validity, uid), outcome))
        return outcome

    def _outcome(self, call: Callable[[], tuple[str, list[object]]]) -> Outcome:
        try:
            status, _ = call()
        except (imaplib.IMAP4.abort, OSError):
            return Outcome.UNKNOWN
        except imaplib.IMAP4.error as error:
            self.history.complain(f"{self.account}: IMAP: {error}")
            return Outcome.UNKNOWN
        return Outcome.DONE if status == "OK" else Outcome.REFUSED


class Client:
    """One thread: one thing after the other until the world stops."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.rng = random.Random(seed)
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        kinds: list[Callable[[str], None]] = [self._deliver, self._imap, self._pop3]
        try:
            while not self.world.stop.wait(PAUSE_S * self.rng.random()):
                kind = self.rng.choices(kinds, weights=(4, 4, 2))[0]
                kind(self.rng.choice(self.world.cluster.plan.names))
        except Exception:  # noqa: BLE001 - whatever it is, the verdict is bad
            self.world.history.complain(traceback.format_exc())

    def _deliver(self, account: str) -> None:
        """To one or two; a message to two servers goes by the spool when one of them is away."""
        accounts = [account]
        if self.rng.random() < TO_TWO:
            accounts = self.rng.sample(self.world.cluster.accounts, 2)
        self.world.send(self.rng, accounts)

    def _endpoint(self) -> Endpoint:
        cluster = self.world.cluster
        if self.rng.random() < STRAIGHT:
            return self.rng.choice(cluster.servers).endpoint
        return self.rng.choice(cluster.directors).endpoint

    # ------------------------------------------------------------- IMAP

    def _imap(self, account: str) -> None:
        count = self.world.history.count
        try:
            talk = ImapTalk(self.world, self._endpoint(), account)
        except (imaplib.IMAP4.error, OSError) as error:
            count("IMAP not begun: " + reason(error))
            return
        try:
            found = self._looked(talk)
            for _ in range(self.rng.randint(1, 4)):
                if not found or self._change(talk, found) is Outcome.UNKNOWN:
                    break
            count("IMAP")
        except (imaplib.IMAP4.abort, OSError) as error:
            count("IMAP cut off: " + reason(error))
        finally:
            talk.close()

    def _looked(self, talk: ImapTalk) -> list[int]:
        uids = talk.uids()
        return [*talk.look(sorted(self.rng.sample(uids, min(len(uids), LOOKED_AT))))]

    def _change(self, talk: ImapTalk, found: list[int]) -> Outcome:
        uid = self.rng.choice(found)
        if self.rng.random() < 0.3:
            found.remove(uid)
            return talk.remove(uid)
        return talk.set_flag(uid, self.rng.choice(FLAGS), value=self.rng.random() < 0.6)

    # ------------------------------------------------------------- POP3

    def _pop3(self, account: str) -> None:
        count = self.world.history.count
        endpoint, wait_s = self._endpoint(), self.world.cluster.plan.wait_s
        try:
            client = poplib.POP3(endpoint.host, endpoint.ports["pop3"], timeout=wait_s)
        except (OSError, poplib.error_proto) as error:
            count("POP3 not begun: " + reason(error))
            return
        try:
            client.user(account)
            client.pass_(endpoint.password)
            marked = self._marked(client, account)
        except (OSError, poplib.error_proto) as error:
            count("POP3 cut off: " + reason(error))
        else:
            count("POP3")
            outcome = quit_outcome(client)
            for uid in marked:
                self.world.history.note(Removal(account, uid, outcome))
        finally:
            client.close()

    def _marked(self, client: poplib.POP3, account: str) -> list[Uid]:
        """Some messages are fetched and marked."""
        listing = client.uidl()[1]
        marked: list[Uid] = []
        for line in self.rng.sample(listing, min(len(listing), 3)):
            number, _, name = line.decode().partition(" ")
            validity, _, uid = name.partition(".")
            key = (int(validity), int(uid))
            self._fetch(client, account, int(number), key)
            if self.rng.random() < 0.7:
                client.dele(int(number))
                marked.append(key)
        return marked

    def _fetch(self, client: poplib.POP3, account: str, number: int, uid: Uid) -> None:
        lines = [line.decode() for line in client.retr(number)[1]]
        head = next(line for line in lines if line.startswith("Message-ID:"))
        message = identity(head)
        self.world.history.note(Sighting(account, uid, message))
        if "\r\n".join(lines[lines.index("") + 1 :]) + "\r\n" != body_of(message):
            self.world.history.complain(f"{account}: {uid} {message} is damaged: {lines}")


def quit_outcome(client: poplib.POP3) -> Outcome:
    """-ERR: nothing that was marked is gone."""
    try:
        client.quit()
    except poplib.error_proto as error:
        is_answer = isinstance(error.args[0], bytes) and error.args[0].startswith(b"-ERR")
        return Outcome.REFUSED if is_answer else Outcome.UNKNOWN
    except OSError:
        return Outcome.UNKNOWN
    return Outcome.DONE


def reason(error: Exception) -> str:
    """The code that the server gave, or the error's kind."""
    text = str(error)
    if "[" in text and "]" in text:
        return text.partition("[")[2].partition("]")[0][:40]
    return type(error).__name__
