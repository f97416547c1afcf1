"""Two whole directors, one lock server, two Dovecots on one folder of mail."""

from __future__ import annotations

import imaplib
import os
import poplib
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from l7lb.cli.client import Refused
from support.dovecot import MASTER, Dovecot, standing_still
from support.mail_director import MailDirector, MailRules
from support.running_director import until
from support.running_lockd import Lockd

ALICE, BOB = "alice@example.org", "bob@example.org"
SECRETS = {ALICE: "alice-secret", BOB: "bob-secret"}


@pytest.fixture(scope="module")
def dovecots() -> Iterator[tuple[Dovecot, Dovecot]]:
    one = Dovecot(SECRETS)
    other = Dovecot(SECRETS, mail=one.mail)
    yield one.start(), other.start()
    other.stop()
    one.stop()


def mail_director(folder: Path, dovecots: tuple[Dovecot, Dovecot], lockd: Lockd) -> MailDirector:
    ports = tuple({"imap": d.imap, "pop3": d.pop3, "lmtp": d.lmtp} for d in dovecots)
    rules = MailRules(ports, MASTER, store=f"{{lockd: 'unix:{lockd.socket}'}}")
    return MailDirector(folder, rules, SECRETS)


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
        made.append(mail_director(folder, dovecots, lockd))
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


def healths(director: MailDirector) -> dict[str, str]:
    return {str(row["name"]): str(row["health"]) for row in director.servers()}


def is_refused(director: MailDirector) -> bool:
    client = imaplib.IMAP4(*director.where("imap"), timeout=30)
    try:
        client.login(ALICE, SECRETS[ALICE])
    except imaplib.IMAP4.error as refusal:
        client.shutdown()
        return "LIMIT" in str(refusal)
    client.logout()
    return False


def test_the_limit_of_sessions_is_one_for_all_workers_of_both_directors(
    pair: tuple[MailDirector, MailDirector],
) -> None:
    """Which worker has how many is chance; ten is the limit of all."""
    clients = [each.imap(ALICE) for each in pair for _ in range(5)]
    for each in pair:
        until(lambda each=each: is_refused(each), "the others' sessions are known")
    clients[0].logout()
    pair[1].imap(ALICE)
    pair[0].imap(BOB)


def test_the_first_ehlo_offers_what_the_servers_can(
    pair: tuple[MailDirector, MailDirector],
) -> None:
    """Dovecot's LMTP knows no DSN; no message has gone there yet."""

    def offers_dsn(director: MailDirector) -> bool:
        with director.smtp() as client:
            client.ehlo()
            assert client.has_extn("8bitmime")
            return client.has_extn("dsn")

    for each in pair:
        until(lambda each=each: not offers_dsn(each), "the servers' answer")


def test_a_server_that_is_stopped_loses_its_accounts(
    tmp_path: Path, dovecots: tuple[Dovecot, Dovecot]
) -> None:
    """Its kernel still accepts connections; the greeting does not come."""
    ports = tuple({"imap": d.imap, "pop3": d.pop3, "lmtp": d.lmtp} for d in dovecots)
    check = "{imap: true, every: 200ms, fast_every: 200ms, timeout: 1s}"
    director = MailDirector(tmp_path, MailRules(ports, MASTER, check=check), SECRETS).start()
    try:
        until(director.has_store, "the store")
        until(lambda: healths(director) == {"m1": "up", "m2": "up"}, "both greet")
        with standing_still(dovecots[0]):
            until(lambda: healths(director) == {"m1": "down", "m2": "up"}, "one does not greet")
            for name in (ALICE, BOB):
                director.imap(name)
                assert director.server_of(name) == "m2"
    finally:
        director.close()


def test_an_account_meets_itself_wherever_it_comes_in(
    pair: tuple[MailDirector, MailDirector],
) -> None:
    one, other = pair
    clients = [one.imap(ALICE), one.imap(ALICE), other.imap(ALICE)]
    server = one.server_of(ALICE)
    assert server == other.server_of(ALICE) != ""
    for client in clients:
        assert client.noop()[0] == "OK"
        client.logout()


def test_a_maildrop_is_locked_over_all_directors(pair: tuple[MailDirector, MailDirector]) -> None:
    one, other = pair
    first = one.pop3(ALICE)
    with pytest.raises(poplib.error_proto, match="IN-USE"):
        other.pop3(ALICE)
    first.quit()
    until(lambda: quiet(lambda: other.pop3(ALICE)), "the maildrop").quit()


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
    client, kept = other.imap(ALICE), other.imap(BOB)
    server = one.server_of(ALICE)
    one.client.post("/v1/accounts/kick", {"account": ALICE})
    is_let_go(client)
    assert kept.noop()[0] == "OK"
    other.imap(ALICE).logout()
    assert one.server_of(ALICE) == server
    with pytest.raises(Refused, match="no sessions"):
        one.client.post("/v1/accounts/kick", {"account": "nobody@example.org"})


def test_a_drained_server_hands_its_accounts_over(
    pair: tuple[MailDirector, MailDirector],
) -> None:
    one, other = pair
    clients = [one.imap(ALICE), other.imap(BOB)]
    server = one.server_of(ALICE)
    one.client.post(f"/v1/pools/mail/servers/{server}/drain", {})
    is_let_go(clients[0])
    one.imap(ALICE).logout()
    assert one.server_of(ALICE) != server
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
    director = mail_director(tmp_path, dovecots, lockd)
    director.write(workers=1)
    try:
        director.start()
        until(director.has_store, "the store")
        director.pop3(ALICE)
        os.kill(director.workers()[0], signal.SIGKILL)
        until(lambda: quiet(lambda: director.pop3(ALICE)), "the maildrop").quit()
    finally:
        director.close()
        lockd.end()


def test_a_reload_changes_the_directory(tmp_path: Path, dovecots: tuple[Dovecot, Dovecot]) -> None:
    lockd = Lockd(tmp_path)
    lockd.start()
    director = mail_director(tmp_path, dovecots, lockd)
    try:
        director.start()
        until(director.has_store, "the store")
        client = director.imap(ALICE)
        (director.folder / "accounts.yaml").rename(director.folder / "old.yaml")
        director.accounts({BOB: SECRETS[BOB]})
        (director.folder / "accounts.yaml").rename(director.folder / "new.yaml")
        text = director.file.read_text().replace("accounts.yaml", "new.yaml")
        director.file.write_text(text)
        director.client.post("/v1/reload", {})
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            director.imap(ALICE)
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
