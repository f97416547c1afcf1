"""A whole director for mail, in processes of its own, before whatever servers a test has."""

from __future__ import annotations

import imaplib
import poplib
import smtplib
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

from l7lb.directory import hashes
from l7lb.model_directory import HashKind
from support.running_director import Director

HOST = "127.0.0.1"
WAIT_S = 30.0
LISTENS = {"imap": "127.0.0.1:0", "pop3": "0.0.0.0:0", "smtp": "*:0"}
"""All answer on 127.0.0.1; no address may stand in a rules file twice, not even with port 0."""


@dataclass(frozen=True)
class MailRules:
    """What differs between rules files. `servers`: ports by protocol, of m1, m2 …; `directory`
    and `store` as they stand in the file (empty `store`: the embedded one)."""

    servers: tuple[dict[str, int], ...]
    master: tuple[str, str]
    directory: str = "{static: accounts.yaml}"
    store: str = ""
    check: str = "{tcp: true, every: 200ms}"


def accounts_yaml(secrets: dict[str, str]) -> str:
    lines = [
        f"  {name}:\n    password: '{hashes.new(HashKind.SCRAM, secret.encode()).decode()}'\n"
        for name, secret in secrets.items()
    ]
    return "users:\n" + "".join(lines)


class MailDirector(Director):
    """Services `imap`, `pop3` and `smtp`; pool `mail`. `secrets`: for the clients it makes."""

    def __init__(self, folder: Path, rules: MailRules, secrets: dict[str, str]) -> None:
        self.rules = rules
        self.secrets = secrets
        self.ends = ExitStack()
        super().__init__(folder)

    def close(self) -> None:
        self.ends.close()
        super().close()

    def accounts(self, secrets: dict[str, str]) -> None:
        (self.folder / "accounts.yaml").write_text(accounts_yaml(secrets))

    def write(
        self, listen: str = "127.0.0.1:0", more: str = "", workers: int = 2, drain: str = "10s"
    ) -> None:
        rules = self.rules
        if "accounts.yaml" in rules.directory:
            self.accounts(self.secrets)
        (self.folder / "master").write_text(rules.master[1])
        servers = ", ".join(
            f"{{name: m{n}, address: {HOST}, ports: {{{_flow(ports)}}}}}"
            for n, ports in enumerate(rules.servers, 1)
        )
        services = "".join(
            f"  {protocol}:\n    protocol: {protocol}\n    listen: '{address}'\n"
            f"    login: {{secrets_in_clear: true, penalty: {{delays: []}}}}\n"
            f"    routes: [{{pool: mail}}]\n"
            f"    access_log: {{path: {self.folder}/access.log}}\n"
            for protocol, address in LISTENS.items()
        )
        store = f"store: {rules.store}\n" if rules.store else ""
        self.file.write_text(
            f"pools:\n  mail:\n    servers: [{servers}]\n"
            f"    check: {rules.check}\n    persistence: account\n"
            f"    login: {{master: {rules.master[0]}, secret: {{file: master}}}}\n"
            f"services:\n{services}{more}directory: {rules.directory}\n{store}"
            f"director:\n  workers: {workers}\n  control: {self.control}\n"
            f"  state: {self.folder}/state\n  drain_deadline: {drain}\n  loop: {self.loop}\n"
        )

    def where(self, protocol: str) -> tuple[str, int]:
        """Host and port of a service."""
        row = next(each for each in self.rows("services") if each["name"] == protocol)
        return HOST, int(row["listen"][0]["bound"].rpartition(":")[2])

    def imap(self, name: str) -> imaplib.IMAP4:
        """Logged in, INBOX selected; closed with the director at the latest."""
        client = imaplib.IMAP4(*self.where("imap"), timeout=WAIT_S)
        self.ends.callback(end, client)
        client.login(name, self.secrets[name])
        client.select("INBOX")
        return client

    def pop3(self, name: str) -> poplib.POP3:
        client = poplib.POP3(*self.where("pop3"), timeout=WAIT_S)
        self.ends.callback(client.close)
        client.user(name)
        client.pass_(self.secrets[name])
        return client

    def smtp(self) -> smtplib.SMTP:
        return smtplib.SMTP(*self.where("smtp"), "client.example.org", timeout=WAIT_S)

    def server_of(self, name: str) -> str:
        found = self.client.get("/v1/accounts")["accounts"]
        assert isinstance(found, list)
        return next((str(row["server"]) for row in found if row["account"] == name), "")

    def has_store(self) -> bool:
        """In every worker."""
        mail = [each.get("mail") for each in self.rows("workers") if each["stage"] == "ready"]
        return bool(mail) and all(each and each["store"] == "answers" for each in mail)


def end(client: imaplib.IMAP4) -> None:
    """Close what may be closed already."""
    with suppress(OSError):
        client.shutdown()


def _flow(ports: dict[str, int]) -> str:
    return ", ".join(f"{protocol}: {port}" for protocol, port in ports.items())
