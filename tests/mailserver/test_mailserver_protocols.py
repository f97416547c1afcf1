"""What clients of the standard library, imapclient, aioimaplib and curl see of one server."""

import imaplib
from collections.abc import Callable, Iterator

import pytest

from support import mail_scenarios
from support.mail_cluster import (
    ALIAS,
    MASTER,
    MASTER_PASSWORD,
    USERS,
    WAIT_S,
    Endpoint,
    MailCluster,
)
from support.mail_scenarios import deliver, emptied, imap, message, uids

SCENARIOS = [
    mail_scenarios.mail_comes_by_smtp,
    mail_scenarios.flags_are_kept,
    mail_scenarios.uids_never_come_back,
    mail_scenarios.searches_find,
    mail_scenarios.parts_can_be_fetched,
    mail_scenarios.folders_hold_copies,
    mail_scenarios.pop3_takes_and_deletes,
    mail_scenarios.a_maildrop_is_for_one,
    mail_scenarios.wrong_passwords_are_refused,
    mail_scenarios.imapclient_works,
    mail_scenarios.idle_tells_of_new_mail,
    mail_scenarios.curl_reads,
    mail_scenarios.two_sessions_see_each_other,
]


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    made = MailCluster(tmp_path_factory.mktemp("m"))
    try:
        made.start()
        yield made.serve("a")
    finally:
        made.close()


@pytest.fixture
def endpoint(standing: Endpoint) -> Endpoint:
    return emptied(standing)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
def test_scenario(endpoint: Endpoint, scenario: Callable[[Endpoint], None]) -> None:
    scenario(endpoint)


def test_each_recipient_has_a_status(endpoint: Endpoint) -> None:
    mail_scenarios.each_recipient_has_a_status(endpoint, USERS[2], ALIAS)


def test_a_disabled_account_gets_no_mail(endpoint: Endpoint) -> None:
    assert deliver(endpoint, ["gone@example.org"], message("late")) == [550]


def test_a_master_user_opens_anybodys_mailbox(endpoint: Endpoint) -> None:
    assert deliver(endpoint, [endpoint.user], message("yours")) == [250]
    client = imaplib.IMAP4(endpoint.host, endpoint.ports["imap"], timeout=WAIT_S)
    try:
        secret = f"{endpoint.user}\0{MASTER}\0{MASTER_PASSWORD}".encode()
        client.authenticate("PLAIN", lambda _: secret)
        assert client.select()[1] == [b"1"]
    finally:
        client.shutdown()


@pytest.mark.parametrize(
    ("secret", "code"),
    [
        (f"{USERS[0]}\0{MASTER}\0wrong", b"AUTHENTICATIONFAILED"),
        (f"nobody@example.org\0{MASTER}\0{MASTER_PASSWORD}", b"AUTHORIZATIONFAILED"),
        (f"gone@example.org\0{MASTER}\0{MASTER_PASSWORD}", b"AUTHORIZATIONFAILED"),
        (f"{USERS[0]}\0{USERS[1]}\0corr3ct-horse", b"AUTHORIZATIONFAILED"),
    ],
)
def test_others_do_not(endpoint: Endpoint, secret: str, code: bytes) -> None:
    client = imaplib.IMAP4(endpoint.host, endpoint.ports["imap"], timeout=WAIT_S)
    try:
        with pytest.raises(imaplib.IMAP4.error) as raised:
            client.authenticate("PLAIN", lambda _: secret.encode())
        assert code in str(raised.value).encode()
    finally:
        client.shutdown()


def test_a_read_only_folder_is_not_changed(endpoint: Endpoint) -> None:
    assert deliver(endpoint, [endpoint.user], message("still")) == [250]
    with imap(endpoint) as client:
        assert client.select("INBOX", readonly=True)[0] == "OK"
        client.fetch("1", "(BODY[])")
        assert client._simple_command("STORE", "1", "+FLAGS", r"(\Deleted)")[0] == "NO"
        assert client._simple_command("EXPUNGE")[0] == "NO"
    with imap(endpoint) as client:
        assert uids(client, "UNSEEN", "UNDELETED") == [uids(client)[0]]


@pytest.mark.parametrize(
    "line",
    [
        b"FETCH 1 (FLAGS",
        b"FETCH 1 BODY[WHAT]",
        b"FETCH 0 FLAGS",
        b"STORE 1 FLAGS",
        b"SEARCH LATER",
        b"SEARCH OR SEEN",
        b"UID WHAT 1",
        b"STATUS INBOX (COLOUR)",
        b'APPEND INBOX "no date" {1+}\r\nx',
        b"XYZZY",
    ],
)
def test_nonsense_is_bad_and_the_session_goes_on(endpoint: Endpoint, line: bytes) -> None:
    with imap(endpoint) as client:
        client.send(b"x1 " + line + b"\r\n")
        answer = client.readline()
        while answer.startswith(b"* "):
            answer = client.readline()
        assert answer.startswith(b"x1 BAD ")
        assert client.noop()[0] == "OK"


@pytest.mark.parametrize("name", ["../x", "a/b", ".a", "a..b", "a.", "x" * 300, "a*"])
def test_no_folder_name_leads_away(endpoint: Endpoint, name: str) -> None:
    with imap(endpoint) as client:
        assert client.select(f'"{name}"')[0] == "NO"
        if name != "a.":  # the separator at the end only says that there will be folders below
            assert client.create(f'"{name}"')[0] == "NO"


def test_a_literal_that_is_too_big_is_not_asked_for(endpoint: Endpoint) -> None:
    with imap(endpoint) as client:
        client.send(b"x1 APPEND INBOX {99999999}\r\n")
        assert client.readline().startswith(b"x1 NO [TOOBIG] ")
        assert client.noop()[0] == "OK"
