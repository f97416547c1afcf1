"""The demo's mail: its part of the rules file, its users, and what each mail server is told."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from l7lb.directory import hashes
from l7lb.model_directory import HashKind

DOMAIN = "demo.test"
USERS = tuple(f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol"))
"""Rendezvous has alice on m1, bob and carol on m2."""
PASSWORD = "demo"  # noqa: S105 - the demo's users are for everybody
MASTER = ("director", "only-for-the-demo")
TTL_S = 6.0
"""Of a mail server's lease: how long the other waits for the accounts of one that was killed."""
PORTS_OF_SERVER = 3


@dataclass(frozen=True, slots=True)
class MailServer:
    """One small mail server and its ports."""

    name: str
    imap: int
    pop3: int
    lmtp: int


@dataclass(frozen=True, slots=True)
class MailSpec:
    """`imap`, `pop3` and `smtp` are the director's ports."""

    directory: Path
    imap: int
    pop3: int
    smtp: int
    servers: tuple[MailServer, ...]

    @property
    def root(self) -> Path:
        """All Maildirs, which all mail servers share."""
        return self.directory / "mail"

    @property
    def accounts(self) -> Path:
        return self.directory / "users.yaml"

    @property
    def secret(self) -> Path:
        """The master user's password."""
        return self.directory / "master.secret"

    @property
    def lockd(self) -> Path:
        """The lock server's socket."""
        return self.directory / "lockd.sock"


POOL = """\
  mail:                                 # one folder of mail, an account always on one of them
    servers:
{servers}
    persistence: account
    check: {{tcp: true, every: 500ms, rise: 2, fall: 2}}
    login: {{master: {master}, secret: {{file: {secret}}}}}
"""
SERVICE = """\
  {name}:
    protocol: {name}
    listen: "127.0.0.1:{port}"
    login: {{secrets_in_clear: true, spread: 1s}}         # the demo has no certificate
    routes: {{pool: mail}}
"""
SMTP = """\
  smtp:
    protocol: smtp
    listen: "127.0.0.1:{port}"
    smtp: {{host_name: mx.{domain}, retry: 1s, retry_max: 5s}}
    routes: {{pool: mail}}
"""
SHARED = """\
directory: {{static: {accounts}}}
store: {{lockd: "unix:{lockd}"}}

"""


def pool_text(spec: MailSpec) -> str:
    servers = "\n".join(
        f"      - {{name: {each.name}, address: 127.0.0.1, "
        f"ports: {{imap: {each.imap}, pop3: {each.pop3}, lmtp: {each.lmtp}}}}}"
        for each in spec.servers
    )
    return POOL.format(servers=servers, master=MASTER[0], secret=spec.secret)


def services_text(spec: MailSpec) -> str:
    ports = {"imap": spec.imap, "pop3": spec.pop3}
    logins = "".join(SERVICE.format(name=name, port=port) for name, port in ports.items())
    return logins + SMTP.format(port=spec.smtp, domain=DOMAIN)


def shared_text(spec: MailSpec) -> str:
    """Directory and store."""
    return SHARED.format(accounts=spec.accounts, lockd=spec.lockd)


def accounts_text() -> str:
    stored = hashes.new(HashKind.SCRAM, PASSWORD.encode()).decode()
    return "users:\n" + "".join(f'  {user}: {{password: "{stored}"}}\n' for user in USERS)


def write(spec: MailSpec) -> None:
    """The files that the rules file names."""
    spec.secret.write_text(MASTER[1])
    spec.accounts.write_text(accounts_text())


def server_text(spec: MailSpec, server: MailServer) -> str:
    """The JSON file of one mail server."""
    told = {
        "name": server.name,
        "root": str(spec.root),
        "accounts": str(spec.accounts),
        "store": f"unix:{spec.lockd}",
        "imap": server.imap,
        "pop3": server.pop3,
        "lmtp": server.lmtp,
        "master": ":".join(MASTER),
        "ttl": TTL_S,
    }
    return json.dumps(told, indent=1) + "\n"


def plan_mail(entries: tuple[int, int, int], ports: Sequence[int], directory: Path) -> MailSpec:
    """`entries`: the director's ports for IMAP, POP3 and SMTP; `ports`: three for each server."""
    servers = tuple(
        MailServer(f"m{number}", *ports[start : start + PORTS_OF_SERVER])
        for number, start in enumerate(range(0, len(ports), PORTS_OF_SERVER), 1)
    )
    return MailSpec(directory, *entries, servers=servers)
