"""Accounts move between Dovecots while clients are in and mail comes, through two directors."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from l7lb.directory import hashes
from l7lb.model_directory import HashKind
from support.etcd_members import three
from support.moving_cluster import (
    ALICE,
    BOB,
    CAROL,
    SECRETS,
    Mail,
    MovingCluster,
    Sender,
    held,
    is_let_go,
)
from support.running_director import until
from support.running_lockd import Lockd
from support.slapd import Slapd

pytestmark = pytest.mark.timeout(300)  # many processes, one after the other
LDAP = (
    "{{ldap: {{urls: ['{url}'], base: 'ou=people,dc=example,dc=org', account: '(mail={{account}})',"
    " server: mailHost, bind_dn: 'cn=director,ou=services,dc=example,dc=org',"
    " password: {{file: '{folder}/director'}},"
    " write: {{bind_dn: 'cn=users,ou=services,dc=example,dc=org',"
    " password: {{file: '{folder}/users'}}}}}}}}"
)


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def in_ldap_and_etcd(ends: ExitStack, folder: Path) -> tuple[str, str]:
    """`directory:` and `store:` of slapd and an etcd of three."""
    slapd = Slapd(folder / "slapd")
    ends.callback(slapd.stop)
    slapd.start()
    members = three(folder / "etcd")
    for member in members:
        ends.callback(member.kill)
    for name in ("director", "users"):
        (folder / name).write_text(f"{name}-secret")
    store = f"{{etcd: {[each.url for each in members]}}}"
    return LDAP.format(url=slapd.url, folder=folder), store


def in_a_file_and_lockd(ends: ExitStack, folder: Path) -> tuple[str, str]:
    """All accounts are on m1."""
    lockd = Lockd(folder)
    lockd.start()
    ends.callback(lockd.end)
    users = folder / "users.yaml"
    users.write_text(users_yaml())
    return f"{{static: '{users}'}}", f"{{lockd: 'unix:{lockd.socket}'}}"


def users_yaml() -> str:
    lines = ["users:"]
    for name, secret in SECRETS.items():
        stored = hashes.new(HashKind.SCRAM, secret.encode()).decode()
        lines += [f"  {name}:", f"    password: '{stored}'", "    server: m1"]
    return "\n".join(lines) + "\n"


@pytest.fixture(params=["own storage, LDAP, etcd", "shared storage, file, lockd"])
def cluster(request: pytest.FixtureRequest, ends: ExitStack, tmp_path: Path) -> MovingCluster:
    is_shared = request.param.startswith("shared")
    parts = (in_a_file_and_lockd if is_shared else in_ldap_and_etcd)(ends, tmp_path)
    made = MovingCluster(tmp_path, ends, *parts)
    one = made.add_dovecot()
    made.add_dovecot(one.mail if is_shared else None)
    made.add_director("one")
    made.add_director("other")
    return made


def test_an_account_moves_while_clients_are_in_and_mail_comes(cluster: MovingCluster) -> None:
    one, other = cluster.directors
    sender = Sender(other, ALICE, "on-the-way")
    sender.start()
    sender.sent(5)
    client, second = one.imap(ALICE), other.imap(ALICE)
    until(lambda: one.server_of(ALICE) == "m1", "the record")
    client.store("1", "+FLAGS", r"(\Flagged \Answered)")
    second.store("2", "+FLAGS", r"(\Seen $Label1)")
    client.create("Archive")
    client.copy("1:2", "Archive")
    archive = held(client, "Archive")
    first = held(client)[:2]
    client.select("INBOX")
    status, out, err = cluster.verb("migrate", ALICE, "--to", "m2")
    assert (status, err) == (0, "")
    assert out.startswith(f"{ALICE}: m1 → m2")
    is_let_go(client)
    is_let_go(second)
    sender.sent(len(sender.accepted) + 3)
    accepted = sender.stop()
    for director in cluster.directors:
        again = director.imap(ALICE)
        assert director.server_of(ALICE) == "m2"
        found = held(again)
        assert found[:2] == first
        assert {frozenset({r"\Flagged", r"\Answered"}), frozenset({r"\Seen", "$Label1"})} == {
            flags for _, _, flags in first
        }
        assert Counter(name for _, name, _ in found) == Counter(accepted)
        assert held(again, "Archive") == archive
        again.logout()
    assert cluster.verb("migrate", ALICE, "--resume")[0] == 1  # nothing is left to do


def test_accounts_in_ldap_are_rebalanced(ends: ExitStack, tmp_path: Path) -> None:
    """Both are on one server; one of them goes back to where it came from, or was never."""
    cluster = MovingCluster(tmp_path, ends, *in_ldap_and_etcd(ends, tmp_path))
    cluster.add_dovecot()
    cluster.add_dovecot()
    director = cluster.add_director("one")
    mail: dict[str, Mail] = {}
    for name in (ALICE, BOB):
        sender = Sender(director, name, name.partition("@")[0])
        sender.start()
        sender.sent(5)
        assert sender.stop()
        mail[name] = held(director.imap(name))
    assert cluster.verb("migrate", ALICE, "--to", "m2")[0] == 0
    status, out, err = cluster.verb("rebalance", "--apply")
    assert (status, err) == (0, "")
    [moved] = [line for line in out.splitlines() if "m2 → m1" in line]
    for name, before in mail.items():
        again = director.imap(name)
        assert held(again) == before
        where = "m1" if moved.startswith(name) else "m2"
        until(lambda name=name, where=where: director.server_of(name) == where, where)


def test_a_director_that_stands_still_is_named_and_waited_for(
    ends: ExitStack, tmp_path: Path
) -> None:
    """It may have a session of the account: only who knows better goes on without it."""
    cluster = MovingCluster(tmp_path, ends, *in_a_file_and_lockd(ends, tmp_path))
    cluster.add_dovecot()
    cluster.add_dovecot()
    one, other = cluster.add_director("one"), cluster.add_director("other")
    client = other.imap(ALICE)
    client.append("INBOX", r"(\Seen)", "", b"Message-ID: <one@example.net>\r\n\r\nhello\r\n")
    before = held(client)
    assert other.process is not None
    processes = [other.process.pid, *other.workers()]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        status, out, err = cluster.verb("migrate", ALICE, "--to", "m2", "--wait", "5s")
        assert (status, out) == (1, "")
        assert f"{other.folder}/state has not answered" in err
        assert f"{one.folder}/state" not in err
        back = one.imap(ALICE)
        until(lambda: one.server_of(ALICE) == "m1", "the record")
        assert held(back) == before
        name = err.partition("director: ")[2].partition(" has not")[0]
        status, out, err = cluster.verb("migrate", ALICE, "--resume", "--ignore", name)
        assert (status, err) == (0, "")
        is_let_go(back)
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)
    is_let_go(client)
    for director in cluster.directors:
        until(director.has_store, "the store")
        assert held(director.imap(ALICE)) == before
        assert director.server_of(ALICE) == "m2"


def test_a_director_that_was_killed_is_no_longer_asked_when_it_is_back(
    ends: ExitStack, tmp_path: Path
) -> None:
    cluster = MovingCluster(tmp_path, ends, *in_a_file_and_lockd(ends, tmp_path))
    cluster.add_dovecot()
    cluster.add_dovecot()
    cluster.add_director("one")
    other = cluster.add_director("other")
    other.imap(ALICE)
    assert other.process is not None
    for pid in [*other.workers(), other.process.pid]:
        os.kill(pid, signal.SIGKILL)
    other.process.wait()
    other.ends.close()
    status, _, err = cluster.verb("migrate", ALICE, "--to", "m2", "--wait", "5s")
    assert status == 1
    assert f"{other.folder}/state has not answered" in err
    other.start()
    until(other.has_store, "the store")
    status, _, err = cluster.verb("migrate", ALICE, "--resume")
    assert (status, err) == (0, "")
    other.imap(ALICE)
    assert other.server_of(ALICE) == "m2"


def test_busy_accounts_move_and_what_cannot_move_stops_nobody(
    ends: ExitStack, tmp_path: Path
) -> None:
    """Traffic that the directors counted is in the proposal."""
    cluster = MovingCluster(tmp_path, ends, *in_a_file_and_lockd(ends, tmp_path))
    cluster.add_dovecot()
    cluster.add_dovecot()
    cluster.add_director("one")
    other = cluster.add_director("other")
    mail: dict[str, Mail] = {}
    for number, name in enumerate((ALICE, BOB, CAROL), 1):
        sender = Sender(other, name, name.partition("@")[0])
        sender.start()
        sender.sent(5 * number)
        assert sender.stop()
        mail[name] = held(other.imap(name))
    other.ends.close()
    other.signal(signal.SIGTERM)  # a worker that ends tells what it has counted
    assert other.wait() == 0
    status, out, err = cluster.verb("rebalance")
    assert (status, err) == (0, "")
    head, *rows = (line.split() for line in out.splitlines())
    assert head == ["ACCOUNT", "FROM", "TO", "BYTES", "TRAFFIC/d", "SESSIONS/d", "DELIVERIES/d"]
    assert rows
    assert all(row[1:3] == ["m1", "m2"] and int(row[6]) >= 3 for row in rows), rows
    stuck, *_ = (row[0] for row in rows)
    trap = cluster.dovecots[1].mail / stuck / "Maildir" / "new" / "in-the-way"
    trap.parent.mkdir(parents=True)
    trap.write_text("Subject: x\n\n")
    status, out, err = cluster.verb("rebalance", "--apply")
    assert status == 1
    assert f"l7lb rebalance: {stuck}: there is mail in " in err
    trap.unlink()
    status, out, err = cluster.verb("rebalance", "--apply")
    assert (status, err) == (0, "")
    assert f"{stuck}: m1 → m2" in out
    for name, before in mail.items():
        assert held(cluster.directors[0].imap(name)) == before
