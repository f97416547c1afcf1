"""Two mail servers with storage of their own, their accounts, and what migrates between them."""

from __future__ import annotations

import mailbox
import time
from pathlib import Path
from typing import Any

from l7lb.directory.opened import Opened, open_directory
from l7lb.mail.migration.migration import Migration
from l7lb.mail.migration.moving import Options, Ports
from l7lb.mail.migration.record import Record
from l7lb.model_directory import StaticSpec
from l7lb.model_migration import FencePlace, MailStorageSpec
from l7lb_storage import Session, Store

ALICE = "alice@example.org"
USERS = """\
users:
  alice@example.org:
    password: "{SSHA}WSqMEG+bYdz+TVwXxWCbStAQWfVmjyae"
    server: m1
  bob@example.org:
    password: "{SSHA}WSqMEG+bYdz+TVwXxWCbStAQWfVmjyae"
    server: m2
  carol@example.org:
    password: "{SSHA}WSqMEG+bYdz+TVwXxWCbStAQWfVmjyae"
"""
Held = list[tuple[str, str, str, bytes]]


class Steps:
    """An Observer that remembers."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.names: list[str] = []
        self.bytes_moved = 0

    def step(self, record: Record) -> None:
        self.steps.append(record.step.value)

    def awaited(self, names: list[str]) -> None:
        self.names = names

    def total(self, count: int) -> None:
        """Not of interest."""

    def moved(self, count: int) -> None:
        self.bytes_moved += count


class MailCluster:
    def __init__(self, folder: Path, fence: FencePlace = FencePlace.HOME) -> None:
        self.folder = folder
        self.root = folder / "mail"
        self.storage = MailStorageSpec(
            path=f"{self.root}/{{server}}/{{domain}}/{{user}}/Maildir", fence=fence
        )
        self.users = folder / "users.yaml"
        self.observer = Steps()
        self.assigned: list[tuple[str, str]] = []
        self.now_s = time.time()
        for server in ("m1", "m2"):
            (self.root / server).mkdir(parents=True, exist_ok=True)
        if not self.users.exists():
            self.users.write_text(USERS)

    async def open(self, session: Session) -> None:
        self.session = session
        self.store = Store(session.engine)
        self.opened: Opened = open_directory(StaticSpec(str(self.users)))
        self.editor = self.opened.editor

    async def close(self) -> None:
        await self.store.close()
        await self.opened.directory.close()

    @property
    def ports(self) -> Ports:
        return Ports(
            session=self.session,
            store=self.store,
            editor=self.editor,
            assign=self.assign,
            observer=self.observer,
            now=lambda: self.now_s,
        )

    def migration(self, turn_timeout_s: float = 20.0, **options: Any) -> Migration:
        return Migration(self.ports, self.storage, Options(**options), turn_timeout_s)

    async def assign(self, account: str, server: str) -> None:
        self.assigned.append((account, server))

    async def server(self, account: str = ALICE) -> str | None:
        return (await self.opened.editor.read(account)).server

    def home(self, server: str, account: str = ALICE) -> Path:
        user, _, domain = account.partition("@")
        return self.root / server / domain / user

    def maildir(self, server: str, account: str = ALICE) -> Path:
        return self.home(server, account) / "Maildir"

    def fill(self, server: str, account: str = ALICE) -> Held:
        """Some messages in three folders, and what Dovecot keeps beside; returns what it holds."""
        maildir = self.maildir(server, account)
        maildir.parent.mkdir(parents=True, exist_ok=True)
        inbox = mailbox.Maildir(maildir)
        deliver(inbox, b"one", "", "new")
        deliver(inbox, b"two" * 1000, "FS", "cur")
        deliver(inbox.add_folder("Sent"), b"three", "S", "cur")
        deliver(inbox.add_folder("Sent.2026"), b"", "", "cur")
        (maildir / "dovecot-uidlist").write_text("3 V1 N4\n")
        (maildir / ".Sent" / "dovecot-keywords").write_text("0 $Label1\n")
        (maildir / "subscriptions").write_text("Sent\n")
        (maildir / "tmp" / "never-delivered").write_text("half")
        (maildir / "dovecot-uidlist.lock").write_text("")
        return held(maildir)


def deliver(box: mailbox.Maildir, body: bytes, flags: str, place: str) -> str:
    message = mailbox.MaildirMessage(b"Subject: x\n\n" + body)
    message.set_subdir(place)
    if flags:
        message.set_flags(flags)
    return box.add(message)


def held(maildir: Path) -> Held:
    """All messages, sorted: folder, name in it without flags, flags, content."""
    if not (maildir / "cur").is_dir():
        return []
    found: Held = []
    inbox = mailbox.Maildir(maildir, create=False)
    boxes = {"": inbox} | {name: inbox.get_folder(name) for name in inbox.list_folders()}
    for name, box in boxes.items():
        for key in box.keys():  # noqa: SIM118 - a mailbox iterates over messages
            message = box.get_message(key)
            where = f"{message.get_subdir()}:{message.get_flags()}"
            found.append((name, key, where, box.get_bytes(key)))
    return sorted(found)
