"""The demo's mail programs before a mail server of ours, without a director."""

import imaplib
import poplib
import socket
from collections.abc import Iterator

import pytest

from l7lb.demo import mail_client
from l7lb.demo.mail_client import ImapReader, Inbox, MailFailed, NotNow, told_apart
from l7lb.demo.mail_rules import USERS, MailSpec
from support.demo_mail import OneServer

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OneServer]:
    cluster = OneServer(tmp_path_factory.mktemp("demo"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture
def server(cluster: OneServer) -> MailSpec:
    return cluster.mail


def test_what_is_sent_is_read_by_both_protocols(server: MailSpec) -> None:
    for subject in ("one", "two"):
        mail_client.send((HOST, server.smtp), USERS, subject)
    for user in USERS:
        expected = Inbox("m1", ("one", "two"))
        assert mail_client.read_imap((HOST, server.imap), user) == expected
        assert mail_client.read_pop3((HOST, server.pop3), user) == expected


def test_recipient_that_nobody_knows(server: MailSpec) -> None:
    with pytest.raises(MailFailed, match="550"):
        mail_client.send((HOST, server.smtp), ["nobody@demo.test"], "one")


def test_user_that_nobody_knows(server: MailSpec) -> None:
    with pytest.raises(MailFailed, match="AUTHENTICATIONFAILED"):
        mail_client.read_imap((HOST, server.imap), "nobody@demo.test")
    with pytest.raises(MailFailed, match="AUTH"):
        mail_client.read_pop3((HOST, server.pop3), "nobody@demo.test")


def test_a_maildrop_in_use_is_for_later(server: MailSpec) -> None:
    first = poplib.POP3(HOST, server.pop3, timeout=30.0)
    first.user(USERS[0])
    first.pass_("demo")
    with pytest.raises(NotNow, match="IN-USE"):
        mail_client.read_pop3((HOST, server.pop3), USERS[0])
    first.quit()


def test_session_that_the_server_ends(cluster: OneServer) -> None:
    """What is left to read ends `wait_for_end`; afterwards a program comes again."""
    other = cluster.mail.servers[1]
    with ImapReader((HOST, other.imap), USERS[2]) as reader:
        cluster.kill(other.name)
        reader.wait_for_end()
        with pytest.raises(NotNow, match="session ended"):
            reader.inbox()


def test_nobody_there() -> None:
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        address = sock.getsockname()
        for ask in (mail_client.read_imap, mail_client.read_pop3):
            with pytest.raises(MailFailed, match="refused"):
                ask(address, USERS[0])
        with pytest.raises(MailFailed, match="refused"):
            mail_client.send(address, USERS, "one")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (imaplib.IMAP4.error("[UNAVAILABLE] Try again later."), NotNow),
        (imaplib.IMAP4.error("[AUTHENTICATIONFAILED] No."), MailFailed),
        (imaplib.IMAP4.abort("socket error: EOF"), NotNow),
        (poplib.error_proto(b"-ERR [SYS/TEMP] Try again later."), NotNow),
        (poplib.error_proto(b"-ERR EOF"), NotNow),
        (poplib.error_proto(b"-ERR no such message"), MailFailed),
        (ConnectionResetError(), NotNow),
        (TimeoutError("timed out"), MailFailed),
    ],
)
def test_what_is_for_later_and_what_is_for_good(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        with told_apart("mail"):
            raise error
