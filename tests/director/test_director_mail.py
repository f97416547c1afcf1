"""Two whole directors, one lock server, two Dovecots on one folder of mail."""

from __future__ import annotations

import imaplib
import os
import poplib
import signal
import smtplib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from l7lb.cli.client import Refused
from l7lb.directory import hashes
from l7lb.model_directory import HashKind
from support.dovecot import MASTER, Dovecot
from support.running_director import Director, until
from support.running_lockd import Lockd

ALICE, BOB = "alice@example.org", "bob@example.org"
HOSTS = {"imap": "127.0.0.1", "pop3": "127.0.0.2"}
SMTP_HOST = "127.0.0.3"
SECRETS = {ALICE: "alice-secret", BOB: "bob-secret"}


@pytest.fixture(scope="module")
def dovecots() -> Iterator[tuple[Dovecot, Dovecot]]:
    one = Dovecot(SECRETS)
    other = Dovecot(SECRETS, mail=one.mail)
    yield one.start(), other.start()
    other.stop()
    one.stop()


class MailDirector(Director):
    """Services `imap` and `pop3`, pool `mail` of m1 and m2."""

    def __init__(self, folder: Path, dovecots: tuple[Dovecot, Dovecot], lockd: Path) -> None:
        self.dovecots = dovecots
        self.lockd = lockd
        self.ends = ExitStack()
        super().__init__(folder)

    def close(self) -> None:
        self.ends.close()
        super().close()

    def accounts(self, secrets: dict[str, str]) -> None:
        lines = [
            f"  {name}:\n    password: '{hashes.new(HashKind.SCRAM, secret.encode()).decode()}'\n"
            for name, secret in secrets.items()
        ]
        (self.folder / "accounts.yaml").write_text("users:\n" + "".join(lines))

    def write(
        self, listen: str = "127.0.0.1:0", more: str = "", workers: int = 2, drain: str = "10s"
    ) -> None:
        self.accounts(SECRETS)
        (self.folder / "master").write_text(MASTER[1])
        servers = ", ".join(
            f"{{name: m{n}, address: 127.0.0.1, ports: {{imap: {each.imap}, "
            f"pop3: {each.pop3}, lmtp: {each.lmtp}}}}}"
            for n, each in enumerate(self.dovecots, 1)
        )
        services = "".join(
            f"  {protocol}:\n    protocol: {protocol}\n    listen: '{host}:0'\n"
            f"    login: {{secrets_in_clear: true}}\n    routes: [{{pool: mail}}]\n"
            f"    access_log: {{path: {self.folder}/access.log}}\n"
            for protocol, host in HOSTS.items()
        )
        services += (
            f"  smtp: {{protocol: smtp, listen: '{SMTP_HOST}:0', routes: [{{pool: mail}}], "
            f"access_log: {{path: {self.folder}/access.log}}}}\n"
        )
        self.file.write_text(
            f"pools:\n  mail:\n    servers: [{servers}]\n"
            f"    check: {{tcp: true, every: 200ms}}\n    persistence: account\n"
            f"    login: {{master: {MASTER[0]}, secret: {{file: master}}}}\n"
            f"services:\n{services}{more}"
            f"directory: {{static: accounts.yaml}}\nstore: {{lockd: 'unix:{self.lockd}'}}\n"
            f"director:\n  workers: {workers}\n  control: {self.control}\n"
            f"  state: {self.folder}/state\n  drain_deadline: {drain}\n  loop: {self.loop}\n"
        )

    def port_of(self, service: str) -> int:
        row = next(each for each in self.rows("services") if each["name"] == service)
        return int(row["listen"][0]["bound"].rpartition(":")[2])

    def imap(self, name: str = ALICE) -> imaplib.IMAP4:
        client = imaplib.IMAP4(HOSTS["imap"], self.port_of("imap"), timeout=30.0)
        self.ends.callback(end, client)
        client.login(name, SECRETS[name])
        client.select("INBOX")
        return client

    def pop3(self, name: str = ALICE) -> poplib.POP3:
        client = poplib.POP3(HOSTS["pop3"], self.port_of("pop3"), timeout=30.0)
        self.ends.callback(client.close)
        client.user(name)
        client.pass_(SECRETS[name])
        return client

    def smtp(self) -> smtplib.SMTP:
        return smtplib.SMTP(SMTP_HOST, self.port_of("smtp"), "client.example.org", timeout=30.0)

    def server_of(self, name: str = ALICE) -> str:
        found = self.client.get("/v1/accounts")["accounts"]
        assert isinstance(found, list)
        return next((str(row["server"]) for row in found if row["account"] == name), "")

    def has_store(self) -> bool:
        """In every worker."""
        status = self.status()
        workers = status["workers"]
        assert isinstance(workers, list)
        mail = [each.get("mail") for each in workers if each["stage"] == "ready"]
        return bool(mail) and all(each and each["store"] == "answers" for each in mail)


@pytest.fixture(scope="module")
def directors(
    tmp_path_factory: pytest.TempPathFactory, dovecots: tuple[Dovecot, Dovecot]
) -> Iterator[tuple[MailDirector, MailDirector]]:
    top = tmp_path_factory.mktemp("directors")
    lockd = Lockd(top)
    lockd.start()
    made = []
    for name in ("one", "other"):
        folder = top / name
        folder.mkdir()
        made.append(MailDirector(folder, dovecots, lockd.socket))
    one, other = made
    try:
        yield one.start(), other.start()
    finally:
        one.close()
        other.close()
        lockd.end()


@pytest.fixture
def pair(
    directors: tuple[MailDirector, MailDirector],
) -> Iterator[tuple[MailDirector, MailDirector]]:
    """Both have the store; a test's sessions end with it."""
    for each in directors:
        until(each.has_store, "the store")
    yield directors
    for each in directors:
        each.ends.close()


def test_an_account_meets_itself_wherever_it_comes_in(
    pair: tuple[MailDirector, MailDirector],
) -> None:
    one, other = pair
    clients = [one.imap(), one.imap(), other.imap()]
    server = one.server_of()
    assert server == other.server_of() != ""
    for client in clients:
        assert client.noop()[0] == "OK"
        client.logout()


def test_a_maildrop_is_locked_over_all_directors(pair: tuple[MailDirector, MailDirector]) -> None:
    one, other = pair
    first = one.pop3()
    with pytest.raises(poplib.error_proto, match="IN-USE"):
        other.pop3()
    first.quit()
    until(lambda: quiet(other.pop3), "the maildrop").quit()


def test_a_move_reaches_the_other_director(pair: tuple[MailDirector, MailDirector]) -> None:
    one, other = pair
    client = other.imap(BOB)
    target = "m2" if one.server_of(BOB) == "m1" else "m1"
    with pytest.raises(Refused, match="did you mean m"):
        one.client.post(
            "/v1/accounts/move", {"account": BOB, "pool": "mail", "server": "m", "hold_s": 0}
        )
    body = {"account": BOB, "pool": "mail", "server": target, "hold_s": 0}
    assert one.client.post("/v1/accounts/move", body)["server"] == target
    is_let_go(client)
    other.imap(BOB).logout()
    assert other.server_of(BOB) == target


def test_a_kick_ends_sessions_and_no_more(pair: tuple[MailDirector, MailDirector]) -> None:
    one, other = pair
    client, kept = other.imap(), other.imap(BOB)
    server = one.server_of()
    one.client.post("/v1/accounts/kick", {"account": ALICE})
    is_let_go(client)
    assert kept.noop()[0] == "OK"
    other.imap().logout()
    assert one.server_of() == server
    with pytest.raises(Refused, match="no sessions"):
        one.client.post("/v1/accounts/kick", {"account": "nobody@example.org"})


def test_a_drained_server_hands_its_accounts_over(
    pair: tuple[MailDirector, MailDirector],
) -> None:
    one, other = pair
    clients = [one.imap(), other.imap(BOB)]
    server = one.server_of()
    one.client.post(f"/v1/pools/mail/servers/{server}/drain", {})
    is_let_go(clients[0])
    one.imap().logout()
    assert one.server_of() != server
    one.client.post(f"/v1/pools/mail/servers/{server}/enable", {})


def test_one_message_for_two_servers(pair: tuple[MailDirector, MailDirector]) -> None:
    """The directory's accounts are on different servers, and each gets it once."""
    one, other = pair
    for name, server in ((ALICE, "m1"), (BOB, "m2")):
        body = {"account": name, "pool": "mail", "server": server, "hold_s": 0}
        one.client.post("/v1/accounts/move", body)
    text = "Subject: for both\r\nMessage-ID: <both@example.org>\r\n\r\nhello\r\n"
    with other.smtp() as post:
        refused = post.sendmail("sender@example.net", [ALICE, BOB, "no@example.org"], text)
        assert refused["no@example.org"][0] == 550
    for name in (ALICE, BOB):
        client = other.imap(name)
        _, found = client.search(None, "HEADER", "Message-ID", "both@example.org")
        assert len(found[0].split()) == 1
        client.logout()
    assert (one.server_of(ALICE), one.server_of(BOB)) == ("m1", "m2")


def test_a_worker_that_dies_leaves_no_maildrop_locked(
    tmp_path: Path, dovecots: tuple[Dovecot, Dovecot]
) -> None:
    """Its lease goes, by and by; the others serve on meanwhile."""
    lockd = Lockd(tmp_path)
    lockd.start()
    director = MailDirector(tmp_path, dovecots, lockd.socket)
    director.write(workers=1)
    try:
        director.start()
        until(director.has_store, "the store")
        director.pop3()
        os.kill(director.workers()[0], signal.SIGKILL)
        until(lambda: quiet(director.pop3), "the maildrop").quit()
    finally:
        director.close()
        lockd.end()


def test_a_reload_changes_the_directory(tmp_path: Path, dovecots: tuple[Dovecot, Dovecot]) -> None:
    lockd = Lockd(tmp_path)
    lockd.start()
    director = MailDirector(tmp_path, dovecots, lockd.socket)
    try:
        director.start()
        until(director.has_store, "the store")
        client = director.imap()
        (director.folder / "accounts.yaml").rename(director.folder / "old.yaml")
        director.accounts({BOB: SECRETS[BOB]})
        (director.folder / "accounts.yaml").rename(director.folder / "new.yaml")
        text = director.file.read_text().replace("accounts.yaml", "new.yaml")
        director.file.write_text(text)
        director.client.post("/v1/reload", {})
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            director.imap()
        assert client.noop()[0] == "OK"  # who is in stays in
        director.imap(BOB).logout()
        text = director.file.read_text().replace("new.yaml", "none.yaml")
        director.file.write_text(text)
        with pytest.raises(Refused):
            director.client.post("/v1/reload", {})
        director.imap(BOB).logout()
    finally:
        director.close()
        lockd.end()


def end(client: imaplib.IMAP4) -> None:
    """Close what may be closed already."""
    with suppress(OSError):
        client.shutdown()


def is_let_go(client: imaplib.IMAP4) -> None:
    """Wait for the end of its session."""
    with suppress(imaplib.IMAP4.abort, OSError):
        while True:
            client.noop()


def quiet(work: Callable[[], poplib.POP3]) -> poplib.POP3 | None:
    """None while it cannot be done."""
    try:
        return work()
    except (poplib.error_proto, OSError):
        return None
