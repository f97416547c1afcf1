"""Mail servers as processes on one directory, one store and one file of accounts."""

from __future__ import annotations

import base64
import hashlib
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from l7lb_storage.fence import highest

WAIT_S = 40.0
"""For anything that must happen; a busy machine takes its time."""
PASSWORD = "corr3ct-horse"
MASTER, MASTER_PASSWORD = "director", "m4ster"
USERS = ("anna@example.org", "bert@example.org", "carl@example.org")
ALIAS = "info@example.org"


def wait_until(condition: Callable[[], bool], what: str) -> None:
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s, f"in vain: {what}"
        time.sleep(0.01)


def stored_password() -> str:
    """PASSWORD, as a file of accounts has it."""
    salt = b"salt"
    digest = hashlib.sha1(PASSWORD.encode() + salt).digest() + salt
    return "{SSHA}" + base64.b64encode(digest).decode()


def accounts_text() -> str:
    stored = stored_password()
    lines = ["users:"]
    for user in USERS:
        lines += [f"  {user}:", f'    password: "{stored}"']
        lines += [f'    aliases: ["{ALIAS}"]'] if user == USERS[1] else []
    lines += ["  gone@example.org:", f'    password: "{stored}"', "    status: disabled"]
    return "\n".join(lines) + "\n"


class Child:
    """A process that says `ready …` in its first line; its stderr is kept."""

    def __init__(self, command: list[str]) -> None:
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
        self.log: list[str] = []
        self._first: queue.Queue[str] = queue.Queue()
        self._threads = [
            threading.Thread(target=self._read_out, daemon=True),
            threading.Thread(target=self._read_log, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _read_out(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._first.put(line)
        self._first.put("")  # it ended; whoever waits for the first line need not wait longer

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        self.log.extend(self.process.stderr)

    def ready(self) -> list[str]:
        try:
            words = self._first.get(timeout=WAIT_S).split()
        except queue.Empty:
            raise AssertionError(f"not ready: {self.log}") from None
        assert words[:1] == ["ready"], self.log
        return words[1:]

    def send_signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(number)
        status = self.process.wait(WAIT_S)
        for thread in self._threads:
            thread.join(WAIT_S)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        self.process.stdout.close()
        self.process.stderr.close()
        return status


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a mail server is and who to be there: all that a scenario needs to know of it."""

    host: str
    ports: dict[str, int]
    user: str = USERS[0]
    password: str = PASSWORD

    def as_user(self, user: str) -> Endpoint:
        return Endpoint(self.host, self.ports, user, self.password)


@dataclass
class MailCluster:
    folder: Path
    servers: dict[str, Child] = field(default_factory=dict)
    lockd: Child | None = None
    etcd: str = ""
    """Its URL; empty: lockd is started."""

    @property
    def root(self) -> Path:
        return self.folder / "mail"

    @property
    def socket(self) -> Path:
        return self.folder / "s"

    def start(self) -> None:
        (self.folder / "accounts.yaml").write_text(accounts_text())
        if self.etcd:
            return
        data = str(self.folder / "lockd")
        command = [sys.executable, "-m", "l7lb_storage.lockd", "--data", data]
        self.lockd = Child([*command, "--unix", str(self.socket)])
        self.lockd.ready()

    def options(self, name: str, ttl_s: float) -> list[str]:
        options = {
            "name": name,
            "root": self.root,
            "accounts": self.folder / "accounts.yaml",
            "store": self.etcd or f"unix:{self.socket}",
            "master": f"{MASTER}:{MASTER_PASSWORD}",
            "ttl": ttl_s,
            "grace": WAIT_S,
            "fence": 4 * WAIT_S,
        }
        ports = dict.fromkeys(("imap", "pop3", "lmtp", "smtp"), 0)
        return [f"--{key}={value}" for key, value in (options | ports).items()]

    def serve(self, name: str, ttl_s: float = 15.0, sessions: int = 100) -> Endpoint:
        options = [*self.options(name, ttl_s), f"--sessions={sessions}"]
        child = Child([sys.executable, "-m", "l7lb.mailserver", *options])
        self.servers[name] = child
        pairs = (word.split("=") for word in child.ready())
        return Endpoint("127.0.0.1", {protocol: int(port) for protocol, port in pairs})

    def maildir(self, user: str = USERS[0]) -> Path:
        return self.root / user / "Maildir"

    def token(self, user: str = USERS[0]) -> int:
        """The highest that the storage has seen of the user's owners."""
        return highest(self.root / user)

    def close(self) -> None:
        for child in self.servers.values():
            child.end()
        if self.lockd is not None:
            self.lockd.end()
