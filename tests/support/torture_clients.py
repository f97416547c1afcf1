"""Clients of the torture test: deliveries, IMAP and POP3 sessions at random, all noted.

Each keeps to what a careful client may conclude: an answer is an outcome, and where none came,
or none that this command was asked, the outcome is unknown.
"""

from __future__ import annotations

import imaplib
import poplib
import random
import threading
import traceback
from collections.abc import Callable

from support.mail_cluster import Endpoint
from support.torture_cluster import ARCHIVE, identity
from support.torture_history import INBOX, Outcome, Place, Removal, Sighting
from support.torture_imap import ImapTalk
from support.torture_world import World, body_of

FLAGS = (r"\Flagged", r"\Answered", r"\Seen", r"\Draft")
LOOKED_AT = 6
STRAIGHT = 0.25
"""Share of sessions that come to any mail server, past the directors, as if those disagreed."""
TO_SEVERAL = 0.3
PAUSE_S = 0.3


class Pop3(poplib.POP3):
    """Closes its socket, too, when no greeting comes."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        try:
            super().__init__(host, port, timeout)
        except BaseException:
            if hasattr(self, "file"):
                self.close()
            raise


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
                kind = self.rng.choices(kinds, weights=(4, 5, 2))[0]
                kind(self.rng.choice(self.world.cluster.plan.names))
        except Exception:  # noqa: BLE001 - whatever it is, the verdict is bad
            self.world.history.complain(traceback.format_exc())

    def _deliver(self, account: str) -> None:
        """To one or several; what is for several servers goes by the spool."""
        accounts = [account]
        if self.rng.random() < TO_SEVERAL:
            accounts = self.rng.sample(self.world.cluster.accounts, self.rng.randint(2, 4))
        self.world.send(self.rng, accounts)

    def _endpoint(self) -> Endpoint:
        cluster = self.world.cluster
        if self.rng.random() < STRAIGHT:
            return self.rng.choice(cluster.servers).endpoint
        return self.rng.choice(cluster.directors).endpoint

    # ------------------------------------------------------------- IMAP

    def _imap(self, account: str) -> None:
        count = self.world.history.count
        folder = self.rng.choices((INBOX, ARCHIVE), weights=(3, 1))[0]
        try:
            talk = ImapTalk(self.world, self._endpoint(), account, folder)
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

    def _looked(self, talk: ImapTalk) -> dict[int, str]:
        uids = talk.uids()
        return talk.look(sorted(self.rng.sample(uids, min(len(uids), LOOKED_AT))))

    def _change(self, talk: ImapTalk, found: dict[int, str]) -> Outcome:
        uid = self.rng.choice([*found])
        kinds = ("flag", "remove", "move", "copy", "append")
        kind = self.rng.choices(kinds, weights=(7, 5, 4, 2, 2))[0]
        if kind == "remove":
            found.pop(uid)
            return talk.remove(uid)
        if kind == "flag":
            return talk.set_flag(uid, self.rng.choice(FLAGS), value=self.rng.random() < 0.6)
        folder = INBOX if talk.folder == ARCHIVE else ARCHIVE
        if kind == "append":
            outcome = talk.append(folder, self.rng.choice(FLAGS))
        else:
            message = found.pop(uid) if kind == "move" else found[uid]
            outcome = talk.transfer(uid, message, folder, is_move=kind == "move")
        if outcome is Outcome.REFUSED and folder == ARCHIVE:
            return talk.create(ARCHIVE)  # as the server said, unless it is there
        return outcome

    # ------------------------------------------------------------- POP3

    def _pop3(self, account: str) -> None:
        count = self.world.history.count
        endpoint, wait_s = self._endpoint(), self.world.cluster.plan.wait_s
        try:
            client = Pop3(endpoint.host, endpoint.ports["pop3"], timeout=wait_s)
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
            for place in marked:
                self.world.history.note(Removal(account, place, outcome))
        finally:
            client.close()

    def _marked(self, client: poplib.POP3, account: str) -> list[Place]:
        """Some messages are fetched and marked."""
        listing = client.uidl()[1]
        marked: list[Place] = []
        for line in self.rng.sample(listing, min(len(listing), 3)):
            number, _, name = line.decode().partition(" ")
            validity, _, uid = name.partition(".")
            place = Place(INBOX, int(validity), int(uid))
            self._fetch(client, account, int(number), place)
            if self.rng.random() < 0.7:
                client.dele(int(number))
                marked.append(place)
        return marked

    def _fetch(self, client: poplib.POP3, account: str, number: int, place: Place) -> None:
        lines = [line.decode() for line in client.retr(number)[1]]
        head = next(line for line in lines if line.startswith("Message-ID:"))
        message = identity(head)
        self.world.history.note(Sighting(account, place, message))
        if "\r\n".join(lines[lines.index("") + 1 :]) + "\r\n" != body_of(message):
            self.world.history.complain(f"{account}: {place} {message} is damaged: {lines}")


def one_of_each(world: World, account: str) -> None:
    """A session while all is well, so that even a short run has acknowledged all that is asked of
    it. Raises IMAP4.error, OSError."""
    talk = ImapTalk(world, world.cluster.directors[0].endpoint, account)
    try:
        talk.create(ARCHIVE)
        done = {talk.append(INBOX, FLAGS[0]) for _ in range(2)}
        talk.select(INBOX)
        (one, first), (two, second) = talk.look(talk.uids()).items()
        done.add(talk.transfer(one, first, ARCHIVE, is_move=False))
        done.add(talk.transfer(two, second, ARCHIVE, is_move=True))
        done |= {talk.set_flag(one, FLAGS[1], value=True), talk.remove(one)}
    finally:
        talk.close()
    if done != {Outcome.DONE}:
        world.history.complain(f"while all is well: {done}")


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
