"""The same scenarios through a director before two Dovecots and through one before two small mail
servers: what a client sees is the same."""

from __future__ import annotations

import imaplib
import smtplib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from support import mail_scenarios
from support.dovecot import MASTER as DOVECOT_MASTER
from support.dovecot import Dovecot
from support.etcd_members import three
from support.mail_cluster import (
    MASTER,
    MASTER_PASSWORD,
    PASSWORD,
    USERS,
    Endpoint,
    MailCluster,
)
from support.mail_director import LISTENS, MailDirector, MailRules
from support.mail_scenarios import emptied
from support.running_director import until
from support.slapd import Slapd

SECRETS = dict.fromkeys(USERS, PASSWORD)
COMMON = [
    mail_scenarios.pop3_takes_and_deletes,
    mail_scenarios.a_maildrop_is_for_one,
    mail_scenarios.uids_never_come_back,
    mail_scenarios.imapclient_works,
    mail_scenarios.idle_tells_of_new_mail,
    mail_scenarios.curl_reads,
    mail_scenarios.mutt_works,
    mail_scenarios.two_sessions_see_each_other,
]
Scenario = Callable[[Endpoint], None]


def dovecot(ends: ExitStack, mail: Path | None = None) -> Dovecot:
    made = Dovecot(SECRETS, mail=mail)
    ends.callback(made.stop)
    return made.start()


def ports(server: Dovecot) -> dict[str, int]:
    return {"imap": server.imap, "pop3": server.pop3, "lmtp": server.lmtp}


def front(ends: ExitStack, folder: Path, rules: MailRules) -> Endpoint:
    """A director; mail comes to the first server by LMTP, past the director."""
    director = MailDirector(folder, rules, SECRETS)
    ends.callback(director.close)
    director.start()
    until(director.has_store, "the store")
    found = {protocol: director.where(protocol)[1] for protocol in LISTENS}
    return Endpoint("127.0.0.1", {**found, "lmtp": rules.servers[0]["lmtp"]})


@pytest.fixture(scope="module")
def ends() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def pair(ends: ExitStack) -> tuple[Dovecot, Dovecot]:
    one = dovecot(ends)
    return one, dovecot(ends, one.mail)


@pytest.fixture(scope="module")
def before_dovecot(
    ends: ExitStack, pair: tuple[Dovecot, Dovecot], tmp_path_factory: pytest.TempPathFactory
) -> Endpoint:
    rules = MailRules(tuple(map(ports, pair)), DOVECOT_MASTER)
    return front(ends, tmp_path_factory.mktemp("d"), rules)


@pytest.fixture(scope="module")
def before_ours(ends: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> Endpoint:
    servers = MailCluster(tmp_path_factory.mktemp("m"))
    ends.callback(servers.close)
    servers.start()
    pair = tuple(servers.serve(name).ports for name in ("m1", "m2"))
    store = f"{{lockd: 'unix:{servers.socket}'}}"
    rules = MailRules(pair, (MASTER, MASTER_PASSWORD), store=store)
    return front(ends, tmp_path_factory.mktemp("o"), rules)


def name_of(scenario: Scenario) -> str:
    return scenario.__name__


@pytest.mark.parametrize("scenario", COMMON, ids=name_of)
def test_dovecot_through_a_director(before_dovecot: Endpoint, scenario: Scenario) -> None:
    scenario(emptied(before_dovecot))


@pytest.mark.parametrize(
    "scenario",
    [*COMMON, mail_scenarios.mail_comes_by_smtp, mail_scenarios.flags_are_kept],
    ids=name_of,
)
def test_our_servers_through_a_director(before_ours: Endpoint, scenario: Scenario) -> None:
    scenario(emptied(before_ours))


def test_accounts_in_ldap_and_locks_in_etcd(ends: ExitStack, tmp_path: Path) -> None:
    """The parts that a cluster has: slapd, three etcd members, Dovecot."""
    with ExitStack() as own:
        slapd = Slapd(tmp_path / "slapd")
        own.callback(slapd.stop)
        slapd.start()
        members = three(tmp_path / "etcd")
        for member in members:
            own.callback(member.kill)
        servers = tuple(map(ports, (dovecot(own), dovecot(own))))
        rules = MailRules(
            servers,
            DOVECOT_MASTER,
            directory=f"{{ldap: {{urls: ['{slapd.url}'], base: 'ou=people,dc=example,dc=org', "
            "account: '(mail={account})', server: mailHost, "
            "bind_dn: 'cn=director,ou=services,dc=example,dc=org', password: {file: ldap}}}",
            store=f"{{etcd: {[each.url for each in members]}}}",
        )
        secrets = {f"{name}@example.org": f"{name}-secret" for name in ("alice", "bob", "carol")}
        (tmp_path / "ldap").write_text("director-secret")
        director = MailDirector(tmp_path, rules, secrets)
        own.callback(director.close)
        director.start()
        until(director.has_store, "the store")
        with director.smtp() as post:
            assert post.sendmail("x@example.net", [*secrets], "Subject: all\r\n\r\nhello\r\n") == {}
            with pytest.raises(smtplib.SMTPRecipientsRefused):
                post.sendmail("x@example.net", ["nobody@example.org"], "Subject: no\r\n\r\n")
        for name in secrets:
            client = director.imap(name)
            assert len(client.search(None, "SUBJECT", "all")[1][0].split()) == 1
        for name, server in (("alice", "m1"), ("bob", "m2")):
            found = partial(director.server_of, f"{name}@example.org")
            until(found, "the record of a session that lasts")
            assert found() == server
        director.secrets["alice@example.org"] = "wrong"
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            director.imap("alice@example.org")
