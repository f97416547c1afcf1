"""docker-compose.yml for real: mail, with a client that sends and reads all the while.

The tests go in order: what one leaves in the mailboxes, the next finds there.
"""

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

from support.compose import DIRECTORS, FILES, container, reports, start, total, until
from support.docker_engine import Engine

pytestmark = pytest.mark.timeout(2000)

ALICE, BOB, CAROL = USERS = ("alice@example.org", "bob@example.org", "carol@example.org")
SERVERS = {"mail-1", "mail-2"}
PORTS = {"imap": "1143", "pop3": "1110"}
MX, SUBMISSION = 1025, 1587
HERS = ["parcel-1", "alias-1", "alias-1", "list-1"]
"""What alice has before a server is killed."""
READ = """
import sys
from l7lb.demo import mail_client
protocol, host, port, user, secret = sys.argv[1:]
inbox = getattr(mail_client, f"read_{protocol}")((host, int(port)), user, secret)
print(*inbox.subjects, sep="\\n")
"""


def secret(user: str) -> str:
    return f"{user.partition('@')[0]}-secret"


def subjects(cluster: Engine, protocol: str, director: str, user: str) -> list[str]:
    """Of the inbox, without those of the client that is at work meanwhile."""
    program = (sys.executable, "-c", READ)
    asked = (protocol, director, PORTS[protocol], user, secret(user))
    lines = cluster.inside(*program, *asked).splitlines()
    return [line for line in lines if line and not line.startswith("round ")]


def until_read(cluster: Engine, director: str, user: str, expected: list[str]) -> None:
    """By both protocols, each message once."""
    for protocol in PORTS:
        until(
            lambda name=protocol: subjects(cluster, name, director, user) == expected,
            f"{user} reads {expected} by {protocol} at {director}",
        )


def send(
    cluster: Engine, director: str, port: int, file: Path, *recipients: str, login: str = ""
) -> str:
    """One message; the dialogue. Raises AssertionError with it when the message is refused."""
    to = [word for user in recipients for word in ("--mail-rcpt", user)]
    user = ("-u", f"{login}:{secret(login)}") if login else ()
    sender = ("--mail-from", login or "shop@example.net")
    url = f"smtp://{director}:{port}/client.example"
    return cluster.inside("curl", "-sSv", "-m", "60", *user, url, *sender, *to, "-T", str(file))


@pytest.fixture
def letter(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A message whose subject is the fixture's parameter."""
    file = tmp_path / "letter"
    file.write_bytes(f"Subject: {request.param}\r\n\r\nOn its way.\r\n".encode())
    return file


def stored(cluster: Engine, user: str, subject: str) -> list[str]:
    """The messages with this subject on the volume that both mail servers share."""
    box = f"/srv/mail/{user}/Maildir"
    find = f"grep -rlxF 'Subject: {subject}' {box}/new {box}/cur | while read -r f; do cat $f; done"
    found = cluster.docker("exec", container(cluster, "mail-2"), "sh", "-c", find)
    messages = found.split("Return-Path:")
    return [text for text in messages if f"Subject: {subject}" in text]


def server_of(cluster: Engine, director: str, user: str) -> str:
    """As this director says."""
    command = ("l7lb", "where", user, "--json", "--control", "/run/l7lb/control.sock")
    rows = json.loads(cluster.docker("exec", container(cluster, director), *command))
    return next(str(row["server"]) for row in rows if row["account"] == user)


def rounds(cluster: Engine, since: int) -> list[dict[str, object]]:
    return reports(cluster, "mail-client")[since:]


def until_rounds(cluster: Engine, servers: set[str]) -> None:
    """Some more rounds, of which the last two met exactly these servers."""
    since = len(rounds(cluster, 0)) + 1

    def well() -> bool:
        last = rounds(cluster, since)[-2:]
        return len(last) == 2 and all(set(report["imap"]) == servers for report in last)

    until(well, f"rounds at {servers}")


@pytest.mark.parametrize("director", DIRECTORS)
@pytest.mark.parametrize("user", USERS)
def test_each_user_comes_in_at_each_director(cluster: Engine, director: str, user: str) -> None:
    until_read(cluster, director, user, [])


def test_directors_agree_where_accounts_are(cluster: Engine) -> None:
    places = [
        {user: server_of(cluster, director, user) for user in USERS}
        for director in ("director-1", "director-2")
    ]
    assert places[0] == places[1]
    assert set(places[0].values()) == SERVERS
    assert places[0][ALICE] != places[0][BOB]


@pytest.mark.parametrize("letter", ["parcel-1"], indirect=True)
def test_one_message_to_users_on_two_servers(cluster: Engine, letter: Path) -> None:
    """By one director, read at the other: each copy once, written by the recipient's server."""
    send(cluster, DIRECTORS[0], MX, letter, ALICE, BOB)
    for user in (ALICE, BOB):
        until_read(cluster, DIRECTORS[1], user, ["parcel-1"])
        (message,) = stored(cluster, user, "parcel-1")
        assert f"by {server_of(cluster, 'director-1', user)} with LMTP" in message
    assert not stored(cluster, CAROL, "parcel-1")


@pytest.mark.parametrize("letter", ["alias-1"], indirect=True)
@pytest.mark.parametrize("address", ["sales@example.org", "anybody@example.net"])
def test_other_addresses_of_an_account(cluster: Engine, letter: Path, address: str) -> None:
    before = len(stored(cluster, ALICE, "alias-1"))
    send(cluster, DIRECTORS[0], MX, letter, address)
    assert len(stored(cluster, ALICE, "alias-1")) == before + 1


@pytest.mark.parametrize("letter", ["nobody-1"], indirect=True)
def test_who_is_not_in_the_directory(cluster: Engine, letter: Path) -> None:
    for port, login in ((MX, ""), (SUBMISSION, ALICE)):
        with pytest.raises(AssertionError, match="< 550"):
            send(cluster, DIRECTORS[0], port, letter, "nobody@example.org", login=login)
    with pytest.raises(AssertionError, match="AUTHENTICATIONFAILED"):
        subjects(cluster, "imap", DIRECTORS[0], "nobody@example.org")


@pytest.mark.parametrize("letter", ["list-1"], indirect=True)
def test_postfix_has_the_lists(cluster: Engine, letter: Path) -> None:
    """Submitted at a director, through Postfix, by a director to all three."""
    send(cluster, DIRECTORS[1], SUBMISSION, letter, "team@lists.example.org", login=BOB)
    until_read(cluster, DIRECTORS[0], CAROL, ["list-1"])
    for user in USERS:
        until(lambda name=user: stored(cluster, name, "list-1"), f"{user} has list-1")
        (message,) = stored(cluster, user, "list-1")
        assert "by relay.example.org (Postfix)" in message


@pytest.mark.parametrize("letter", ["world-1"], indirect=True)
def test_submission_wants_a_login_and_the_relay_has_the_word(cluster: Engine, letter: Path) -> None:
    with pytest.raises(AssertionError, match="< 530"):
        send(cluster, DIRECTORS[0], SUBMISSION, letter, BOB)
    with pytest.raises(AssertionError, match="this demo sends nothing to the world"):
        send(cluster, DIRECTORS[0], SUBMISSION, letter, "friend@example.com", login=BOB)


@pytest.mark.parametrize("letter", ["parcel-2"], indirect=True)
def test_users_read_on_when_their_mail_server_is_killed(cluster: Engine, letter: Path) -> None:
    before = server_of(cluster, "director-1", ALICE)
    (other,) = SERVERS - {before}
    until_rounds(cluster, SERVERS)
    assert not any(report["failed"] or report["twice"] for report in rounds(cluster, 0))
    cluster.compose(*FILES, "kill", before)
    until_read(cluster, DIRECTORS[1], ALICE, HERS)
    send(cluster, DIRECTORS[0], MX, letter, ALICE, BOB)
    until_read(cluster, DIRECTORS[0], ALICE, [*HERS, "parcel-2"])
    (message,) = stored(cluster, ALICE, "parcel-2")
    assert f"by {other} with LMTP" in message
    assert (
        server_of(cluster, "director-1", ALICE) == server_of(cluster, "director-2", ALICE) == other
    )
    until_rounds(cluster, {other})
    start(cluster, before)


@pytest.mark.parametrize("letter", ["parcel-3"], indirect=True)
def test_mail_goes_on_with_two_of_three_etcds(cluster: Engine, letter: Path) -> None:
    cluster.compose(*FILES, "kill", "etcd-1")
    send(cluster, DIRECTORS[1], MX, letter, *USERS)
    until_read(cluster, DIRECTORS[0], CAROL, ["list-1", "parcel-3"])
    for user in USERS:
        places = {server_of(cluster, director, user) for director in ("director-1", "director-2")}
        assert len(places) == 1
    start(cluster, "etcd-1")


def test_the_mail_client_lost_nothing(cluster: Engine) -> None:
    """Last: it stops the client. What was under way at a kill may come twice."""
    seen = Counter[str]()
    for report in rounds(cluster, 0):
        seen.update(report["imap"])
    assert set(seen) == SERVERS
    assert total(cluster, "mail-client")["failed"] == 0
