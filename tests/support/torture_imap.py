"""One IMAP session of the torture test, which notes what it does and what it is told."""

from __future__ import annotations

import imaplib
import time
from collections.abc import Callable
from contextlib import suppress

from support.mail_cluster import Endpoint
from support.torture_cluster import identity
from support.torture_history import (
    INBOX,
    Append,
    FlagChange,
    Outcome,
    Place,
    Removal,
    Sighting,
    Transfer,
)
from support.torture_world import World, new_message, text_of

HEADER = "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"


class ImapTalk:
    """With a folder selected. Raises IMAP4.error or OSError when it cannot begin."""

    def __init__(self, world: World, endpoint: Endpoint, account: str, folder: str = INBOX) -> None:
        self.history = world.history
        self.account = account
        wait_s = world.cluster.plan.wait_s
        self.client = imaplib.IMAP4(endpoint.host, endpoint.ports["imap"], timeout=wait_s)
        try:
            self.client.login(account, endpoint.password)
            self.select(folder)
        except BaseException:
            self.close()
            raise

    def select(self, folder: str) -> None:
        status, found = self.client.select(folder)
        if status != "OK":
            raise imaplib.IMAP4.error(f"SELECT: {found!r}")
        self.folder = folder
        self.validity = int(str(self.client.response("UIDVALIDITY")[1][0], "ascii"))

    def close(self) -> None:
        with suppress(OSError):
            self.client.shutdown()

    def place(self, uid: int) -> Place:
        return Place(self.folder, self.validity, uid)

    # ------------------------------------------------------------- looking

    def folders(self) -> list[str]:
        status, lines = self.client.list()
        if status != "OK":
            raise imaplib.IMAP4.error(f"LIST: {lines!r}")
        return [line.decode().split('"')[-2] for line in lines if isinstance(line, bytes)]

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
                self.history.note(Sighting(self.account, self.place(uid), found[uid]))
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

    # ------------------------------------------------------------- changing

    def set_flag(self, uid: int, flag: str, *, value: bool) -> Outcome:
        started_s = time.monotonic()
        how = "+FLAGS.SILENT" if value else "-FLAGS.SILENT"
        outcome = self._outcome(lambda: self.client.uid("STORE", str(uid), how, f"({flag})"))
        self.changed(uid, flag, value, started_s, outcome)
        return outcome

    def changed(self, uid: int, flag: str, value: bool, started_s: float, outcome: Outcome) -> None:
        now_s = time.monotonic()
        change = FlagChange(self.account, self.place(uid), flag, value, started_s, now_s, outcome)
        self.history.note(change)

    def remove(self, uid: int) -> Outcome:
        outcome = self.set_flag(uid, r"\Deleted", value=True)
        if outcome is not Outcome.DONE:
            return outcome
        outcome = self._outcome(lambda: self.client.uid("EXPUNGE", str(uid)))
        self.history.note(Removal(self.account, self.place(uid), outcome))
        return outcome

    def append(self, folder: str, flag: str) -> Outcome:
        """A message of its own, with this flag."""
        message = new_message()
        self.client.response("APPENDUID")  # of one before
        outcome = self._outcome(lambda: self.client.append(folder, flag, "", text_of(message)))
        place = None
        if outcome is Outcome.DONE:
            validity, uid = self._numbers("APPENDUID", 2)
            place = Place(folder, validity, uid)
        self.history.note(Append(self.account, message, frozenset({flag}), outcome, place))
        return outcome

    def transfer(self, uid: int, message: str, folder: str, *, is_move: bool) -> Outcome:
        """COPY or MOVE. Acknowledged without a new UID: the message was not there any more."""
        started_s = time.monotonic()
        self.client.response("COPYUID")  # of one before
        verb = "MOVE" if is_move else "COPY"
        outcome = self._outcome(lambda: self.client.uid(verb, str(uid), folder))
        ended_s, target = time.monotonic(), None
        if outcome is Outcome.DONE:
            told = self._numbers("COPYUID", 3)
            if not told:
                return Outcome.REFUSED
            if told[1] != uid:
                self.history.complain(f"{self.account}: {verb} of {uid} was told as {told}")
            target = Place(folder, told[0], told[2])
        source = self.place(uid)
        self.history.note(
            Transfer(self.account, message, source, is_move, started_s, ended_s, outcome, target)
        )
        return outcome

    def create(self, folder: str) -> Outcome:
        return self._outcome(lambda: self.client.create(folder))

    def _numbers(self, code: str, count: int) -> list[int]:
        """Of a response code; none if it was not given."""
        data = self.client.response(code)[1][0]
        numbers = [int(word) for word in data.split()] if isinstance(data, bytes) else []
        if len(numbers) not in {0, count}:
            self.history.complain(f"{self.account}: {code} {data!r}")
        return numbers

    def _outcome(self, call: Callable[[], tuple[str, list[object]]]) -> Outcome:
        try:
            status, _ = call()
        except (imaplib.IMAP4.abort, OSError):
            return Outcome.UNKNOWN
        except imaplib.IMAP4.error as error:
            self.history.complain(f"{self.account}: IMAP: {error}")
            return Outcome.UNKNOWN
        return Outcome.DONE if status == "OK" else Outcome.REFUSED
