"""Two servers on one directory: who owns an account, how it changes hands, who can write."""

from __future__ import annotations

import imaplib
import poplib
import signal
import threading

import pytest

from support.fence_trap import fence_held, has_open, is_stopped
from support.mail_cluster import USERS, WAIT_S, Endpoint, MailCluster, wait_until
from support.mail_scenarios import body, deliver, flags, imap, message, pop3, uids

pytestmark = pytest.mark.timeout(240)
TTL_S = 6.0
"""Of a server that is to lose its lease: no shorter, a busy machine must not lose it for us."""


def lines_until_end(client: imaplib.IMAP4) -> list[bytes]:
    """All that the server still says."""
    found: list[bytes] = []
    while line := client.file.readline():
        found.append(line)
    return found


@pytest.fixture
def pair(cluster: MailCluster) -> tuple[Endpoint, Endpoint]:
    return cluster.serve("a"), cluster.serve("b")


def test_an_account_changes_hands(either: MailCluster) -> None:
    a, b = either.serve("a"), either.serve("b")
    assert deliver(a, [USERS[0]], message("one")) == [250]
    with imap(a) as at_a:
        (uid,) = uids(at_a)
        at_a.store("1", "+FLAGS", r"(\Flagged)")
        validity = at_a.untagged_responses["UIDVALIDITY"]
        with imap(b) as at_b:
            assert lines_until_end(at_a)[-1].startswith(b"* BYE [UNAVAILABLE] ")
            assert at_b.untagged_responses["UIDVALIDITY"] == validity
            assert flags(at_b, uid) == {r"\Flagged"}
            at_b.append("INBOX", "", "", message("two"))
            with imap(a) as again:
                assert len(uids(again)) == 2
                assert lines_until_end(at_b)[-1].startswith(b"* BYE [UNAVAILABLE] ")


def test_the_command_in_hand_is_finished_first(
    cluster: MailCluster, pair: tuple[Endpoint, Endpoint]
) -> None:
    a, b = pair
    assert deliver(a, [USERS[0]], message("one")) == [250]
    fence = cluster.root / USERS[0] / ".fence"
    seen: list[set[str]] = []

    def look() -> None:
        with imap(b) as at_b:
            seen.append(flags(at_b, 1))

    with imap(a) as at_a:
        with fence_held(fence):
            at_a.send(b"x1 STORE 1 +FLAGS.SILENT (\\Flagged)\r\n")
            wait_until(lambda: has_open(cluster.servers["a"], fence), "the change begins")
            other = threading.Thread(target=look)
            other.start()
            log = cluster.servers["a"].log
            wait_until(lambda: any("asks for it" in line for line in log), "b asks")
        said = lines_until_end(at_a)
        assert said[0].startswith(b"x1 OK ")
        assert said[1].startswith(b"* BYE ")
        other.join(WAIT_S)
    assert seen == [{r"\Flagged"}]


def test_delivery_needs_no_owner(pair: tuple[Endpoint, Endpoint]) -> None:
    a, b = pair
    with imap(a) as at_a:
        for number in range(3):
            assert deliver(b, [USERS[0], USERS[1]], message(f"m{number}")) == [250, 250]
        at_a.noop()
        assert len(uids(at_a)) == 3


def test_a_second_pop3_session_disturbs_nobody(pair: tuple[Endpoint, Endpoint]) -> None:
    a, b = pair
    assert deliver(a, [USERS[0]], message("one")) == [250]
    with pop3(a) as first:
        with pytest.raises(poplib.error_proto, match="IN-USE"):
            with pop3(b):
                pass
        first.dele(1)
        first.quit()
    with pop3(b) as second:
        assert second.stat() == (0, 0)
        second.quit()


def test_many_senders_and_readers_lose_nothing(pair: tuple[Endpoint, Endpoint]) -> None:
    """Both servers deliver while the account goes to and fro."""
    statuses: list[int] = []

    def send(endpoint: Endpoint, name: str) -> None:
        for number in range(10):
            statuses.extend(deliver(endpoint, [USERS[0]], message(f"{name}{number}")))

    threads = [threading.Thread(target=send, args=(each, f"s{i}")) for i, each in enumerate(pair)]
    for thread in threads:
        thread.start()
    known: dict[int, bytes] = {}
    for endpoint in (*pair, *pair):
        with imap(endpoint) as client:
            here = {uid: body(client, uid, "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
                    for uid in uids(client)}  # fmt: skip
            assert here.items() >= known.items()
            known = here
    for thread in threads:
        thread.join(WAIT_S)
    assert statuses == [250] * 20
    with imap(pair[0]) as client:
        here = {uid: body(client, uid, "BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
                for uid in uids(client)}  # fmt: skip
        assert here.items() >= known.items()
        assert len(set(here.values())) == len(here) == 20


def test_a_server_that_stops_says_goodbye(cluster: MailCluster) -> None:
    a, b = cluster.serve("a", ttl_s=600), cluster.serve("b")
    with imap(a) as at_a:
        cluster.servers["a"].send_signal(signal.SIGTERM)
        assert lines_until_end(at_a)[-1].startswith(b"* BYE ")
    with imap(b):  # at once: its lease would last much longer
        pass
    assert cluster.servers["a"].process.wait(WAIT_S) == 0


def test_a_server_is_killed(cluster: MailCluster) -> None:
    """What was confirmed is there; the other one takes over when the lease is over."""
    a, b = cluster.serve("a", TTL_S), cluster.serve("b")
    for number in range(3):
        assert deliver(a, [USERS[0]], message(f"m{number}")) == [250]
    with imap(a) as at_a:
        found = uids(at_a)
        at_a.store("2", "+FLAGS", r"(\Deleted)")
        at_a.expunge()
        at_a.store("1", "+FLAGS", r"(\Answered)")
        cluster.servers["a"].end(signal.SIGKILL)
    with imap(b) as at_b:
        assert uids(at_b) == [found[0], found[2]]
        assert flags(at_b, found[0]) == {r"\Answered"}
        at_b.append("INBOX", "", "", message("later"))
        assert uids(at_b)[-1] > found[2]


def test_two_believe_and_the_stale_one_is_refused(either: MailCluster) -> None:
    """The owner is stopped between its look at the lease and its write, for longer than the lease
    lasts. The other takes over and writes; what the first one still wants to write is refused by
    its token, and its client is told so."""
    a, b = either.serve("a", TTL_S), either.serve("b")
    for user in USERS[:2]:
        assert deliver(b, [user], message("one")) == [250]
    fence = either.root / USERS[0] / ".fence"
    server = either.servers["a"]
    with imap(a) as stale, imap(a.as_user(USERS[1])) as late:
        with fence_held(fence):
            before = either.token()
            stale.send(b"x1 STORE 1 +FLAGS (\\Flagged)\r\n")
            wait_until(lambda: has_open(server, fence), "the change begins")
            server.send_signal(signal.SIGSTOP)
            wait_until(lambda: is_stopped(server), "it stops")
        late.send(b"x2 STORE 1 +FLAGS (\\Flagged)\r\n")
        with imap(b) as new, imap(b.as_user(USERS[1])) as newer:
            for client in (new, newer):
                assert client.store("1", "+FLAGS", r"(\Answered)")[0] == "OK"
            after = either.token()
            assert after > before
            server.send_signal(signal.SIGCONT)
            said = lines_until_end(stale)
            assert said[0].startswith(b"x1 NO [UNAVAILABLE] A newer owner has the mailbox")
            assert said[-1].startswith(b"* BYE ")
            assert not [line for line in lines_until_end(late) if line.startswith(b"x2 OK")]
            log = server.log
            wait_until(lambda: any("refused by the fence" in line for line in log), "it is logged")
            for client in (new, newer):
                client.noop()
                assert flags(client, uids(client)[0]) == {r"\Answered"}
        assert either.token() == after
    with imap(a) as again:  # under its next lease it may own accounts again
        assert flags(again, 1) == {r"\Answered"}
    assert either.token() > after
