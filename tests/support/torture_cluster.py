"""What is tortured: two directors, three etcd members, three mail servers on one directory.

All reach the store by wires that can be cut. Each has an address of its own on loopback, so that
nobody takes its ports while it is dead.
"""

from __future__ import annotations

import itertools
import mailbox
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from l7lb.mailserver import uidlist
from l7lb.mailserver.maildir import LETTERS, split_name
from support.cut_wire import Wire, Wires
from support.etcd_members import Member, free_ports, three
from support.mail_cluster import MASTER, MASTER_PASSWORD, Child, Endpoint, stored_password
from support.torture_director import MailDirector
from support.torture_history import INBOX, Copy, Mailbox, Place

TRAP = "trap@example.org"
"""No random session touches its mailbox; deliveries do."""
ARCHIVE = "Archive"
"""A second folder, which clients make; in it they file messages."""
SERVERS = ("m1", "m2", "m3")
PROTOCOLS = ("imap", "pop3", "lmtp")
RESTARTS = 10
_NUMBERS = itertools.count(1)
REFUSED = "refused by the fence"


@dataclass(frozen=True, slots=True)
class Plan:
    """`ttl_s`: of the mail servers' leases; `director_s`: how long, about, a director is stopped
    or cut off (its lease is one of 15 s); `wait_s`: how long clients wait for an answer."""

    folder: Path
    accounts: int
    ttl_s: float = 6.0
    director_s: float = 18.0
    wait_s: float = 15.0

    @property
    def names(self) -> list[str]:
        return [f"user{number}@example.org" for number in range(self.accounts)]


class MailServer:
    """One of the three, over all its lives."""

    def __init__(self, name: str, plan: Plan, members: list[Member], wires: Wires) -> None:
        self.name = name
        self.plan = plan
        self.wires = [Wire(wires, member.port) for member in members]
        self.host = address_of_its_own()
        self.ports = dict(zip(PROTOCOLS, free_ports(len(PROTOCOLS), self.host), strict=True))
        self.lives: list[Child] = []

    @property
    def child(self) -> Child:
        return self.lives[-1]

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.host, self.ports)

    @property
    def refusals(self) -> int:
        """Changes that the fence has refused, in all lives."""
        return sum(REFUSED in line for life in self.lives for line in list(life.log))

    def command(self) -> list[str]:
        options = {
            "name": self.name,
            "host": self.host,
            "root": self.plan.folder / "mail",
            "accounts": self.plan.folder / "accounts.yaml",
            "store": ",".join(f"http://127.0.0.1:{wire.port}" for wire in self.wires),
            "master": f"{MASTER}:{MASTER_PASSWORD}",
            "ttl": self.plan.ttl_s,
            "grace": 2.0,
        }
        given = [f"--{key}={value}" for key, value in (options | self.ports).items()]
        return [sys.executable, "-m", "l7lb.mailserver", *given]

    def kill(self) -> None:
        self.child.end(signal.SIGKILL)

    def revive(self) -> None:
        """Until it serves; does nothing while it lives."""
        if self.child.process.poll() is not None:
            self.start()

    def start(self) -> None:
        """Until it serves. A store that does not answer now is asked again."""
        for _ in range(RESTARTS):
            self.lives.append(Child(self.command()))
            try:
                self.child.ready()
            except AssertionError:
                self.child.end()
            else:
                return
        raise AssertionError(f"{self.name} does not start: {self.child.log}")

    def cut(self) -> None:
        for wire in self.wires:
            wire.cut()

    def mend(self) -> None:
        for wire in self.wires:
            wire.mend()

    def close(self) -> None:
        self.mend()
        if not self.lives:
            return
        try:
            self.child.end()
        finally:  # one that does not end by itself is a failure, and must not stay
            if self.child.process.poll() is None:
                self.child.process.kill()
                self.child.process.wait()


class Cluster:
    """A context manager: all of it runs inside, and nothing is left behind."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.accounts = [*plan.names, TRAP]
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._start(stack)
            self._ends = stack.pop_all()
        return self

    def _start(self, stack: ExitStack) -> None:
        folder = self.plan.folder
        (folder / "accounts.yaml").write_text(accounts_text(self.accounts))
        self.members = three(folder / "etcd")
        for member in self.members:
            stack.callback(member.kill)
        wires = stack.enter_context(Wires())
        self.servers = [MailServer(name, self.plan, self.members, wires) for name in SERVERS]
        for server in self.servers:
            stack.callback(server.close)
        with ThreadPoolExecutor(len(self.servers)) as pool:
            list(pool.map(MailServer.start, self.servers))
        servers = {each.name: each.endpoint for each in self.servers}
        self.directors: list[MailDirector] = []
        for name in ("d1", "d2"):
            to_store = [Wire(wires, member.port) for member in self.members]
            host = address_of_its_own()
            director = MailDirector(folder / name, host, servers, to_store)
            stack.callback(director.close)
            self.directors.append(director)
            director.launch()
        for director in self.directors:
            director.wait_until_it_serves()

    def __exit__(self, *error: object) -> None:
        self._ends.close()

    @property
    def refusals(self) -> int:
        return sum(server.refusals for server in self.servers)

    def stored(self, account: str) -> Mailbox:
        """What is on the disk; only while nobody changes it."""
        path = self.plan.folder / "mail" / account / "Maildir"
        found = stored_in(path, INBOX)
        if (path / f".{ARCHIVE}").exists():
            found |= stored_in(path / f".{ARCHIVE}", ARCHIVE)
        return found


def stored_in(path: Path, folder: str) -> Mailbox:
    uids = uidlist.parse((path / uidlist.FILE).read_bytes())
    box = mailbox.Maildir(path, create=False)
    found: Mailbox = {}
    for key in box.keys():  # noqa: SIM118 - a mailbox iterates over messages
        message = box.get_message(key)
        flags = frozenset(LETTERS[letter] for letter in message.get_flags())
        place = Place(folder, uids.validity, uids.uids.get(split_name(key)[0], 0))
        found[place] = Copy(identity(message["Message-ID"] or ""), flags)
    return found


def identity(text: str) -> str:
    """Of a message, from its Message-ID."""
    return text.partition("<")[2].partition("@")[0]


def accounts_text(names: list[str]) -> str:
    stored = stored_password()
    lines = [f'  {name}:\n    password: "{stored}"\n' for name in names]
    return "users:\n" + "".join(lines)


def address_of_its_own() -> str:
    """On loopback, and on no other run's; connections that go out have 127.0.0.1."""
    number = os.getpid()
    return f"127.{1 + number // 250 % 250}.{number % 250}.{1 + next(_NUMBERS) % 250}"
