"""What any mail server must do, as functions of an endpoint: ours today, Dovecot tomorrow.

Each begins with an empty INBOX of `endpoint.user`, see `emptied`, and asserts what it sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import imaplib
import poplib
import re
import smtplib
import subprocess
from collections.abc import Iterator

import aioimaplib
import pytest
from imapclient import IMAPClient

from support.mail_cluster import WAIT_S, Endpoint, wait_until
from support.mutt import Mutt


def message(subject: str, body: str = "Hello.") -> bytes:
    head = f"From: Eve <eve@example.com>\r\nTo: you@example.org\r\nSubject: {subject}\r\n"
    return f"{head}Message-ID: <{subject}@example.com>\r\n\r\n{body}\r\n".encode()


@contextlib.contextmanager
def imap(endpoint: Endpoint, folder: str = "INBOX") -> Iterator[imaplib.IMAP4]:
    client = imaplib.IMAP4(endpoint.host, endpoint.ports["imap"], timeout=WAIT_S)
    try:
        client.login(endpoint.user, endpoint.password)
        assert client.select(folder)[0] == "OK"
        yield client
    finally:
        client.shutdown()


@contextlib.contextmanager
def pop3(endpoint: Endpoint) -> Iterator[poplib.POP3]:
    client = poplib.POP3(endpoint.host, endpoint.ports["pop3"], timeout=WAIT_S)
    try:
        client.user(endpoint.user)
        client.pass_(endpoint.password)
        yield client
    finally:
        client.close()


def is_free(endpoint: Endpoint) -> bool:
    """Whether a POP3 session may begin: a server needs a moment to see that a client has gone."""
    try:
        with pop3(endpoint) as client:
            client.quit()
    except poplib.error_proto as error:
        if b"IN-USE" not in error.args[0]:
            raise
        return False
    return True


def deliver(endpoint: Endpoint, recipients: list[str], data: bytes) -> list[int]:
    """By LMTP: the status of each recipient, that of RCPT where it was refused there."""
    client = smtplib.LMTP(endpoint.host, endpoint.ports["lmtp"], "tests.example", timeout=WAIT_S)
    try:
        client.ehlo()
        assert client.mail("sender@example.com")[0] == 250
        statuses = [client.rcpt(recipient)[0] for recipient in recipients]
        if 250 not in statuses:
            return statuses
        assert client.docmd("DATA")[0] == 354
        client.send(re.sub(rb"(?m)^\.", b"..", data) + b".\r\n")
        return [client.getreply()[0] if status == 250 else status for status in statuses]
    finally:
        client.close()


def emptied(endpoint: Endpoint) -> Endpoint:
    with imap(endpoint) as client:
        if client.search(None, "ALL")[1] != [b""]:
            client.store("1:*", "+FLAGS.SILENT", r"(\Deleted)")
        client.expunge()
        for folder in folders(client):
            if folder != "INBOX":
                client.delete(folder)
    return endpoint


def folders(client: imaplib.IMAP4) -> list[str]:
    lines = client.list()[1]
    return [line.decode().rpartition(" ")[2].strip('"') for line in lines]  # type: ignore[union-attr]


def uids(client: imaplib.IMAP4, *keys: str) -> list[int]:
    status, found = client.uid("SEARCH", *(keys or ("ALL",)))
    assert status == "OK"
    return [int(uid) for uid in found[0].split()]


def flags(client: imaplib.IMAP4, uid: int) -> set[str]:
    status, found = client.uid("FETCH", str(uid), "(FLAGS)")
    assert status == "OK"
    return {flag.decode() for flag in imaplib.ParseFlags(found[0])} - {r"\Recent"}


def body(client: imaplib.IMAP4, uid: int, section: str = "BODY.PEEK[]") -> bytes:
    found = client.uid("FETCH", str(uid), f"({section})")[1]
    return found[0][1]


# ------------------------------------------------------------------------------ scenarios


def each_recipient_has_a_status(endpoint: Endpoint, other: str, alias: str) -> None:
    """Of LMTP: known, unknown, an alias."""
    recipients = [endpoint.user, "nobody@example.org", alias, other]
    data = message("several", ".a line with a dot\r\n..and two")
    assert deliver(endpoint, recipients, data) == [250, 550, 250, 250]
    with imap(endpoint) as client:
        (uid,) = uids(client)
        assert body(client, uid).endswith(b"\r\n\r\n.a line with a dot\r\n..and two\r\n")


def mail_comes_by_smtp(endpoint: Endpoint) -> None:
    with smtplib.SMTP(
        endpoint.host, endpoint.ports["smtp"], "tests.example", timeout=WAIT_S
    ) as client:
        data = message("smtp")
        refused = client.sendmail("a@example.com", [endpoint.user, "nobody@example.org"], data)
        assert {name: code for name, (code, _) in refused.items()} == {"nobody@example.org": 550}
        assert client.sendmail("", [endpoint.user], message("bounce")) == {}
    with imap(endpoint) as client:
        first, second = uids(client)
        assert b"Subject: smtp\r\n" in body(client, first)
        assert body(client, second).startswith(b"Return-Path: <>\r\n")


def flags_are_kept(endpoint: Endpoint) -> None:
    with imap(endpoint) as client:
        client.append("INBOX", r"(\Seen \Draft)", '"02-Jan-2020 03:04:05 +0100"', message("one"))
        client.append("INBOX", "", "", message("two"))
        first, second = uids(client)
        assert flags(client, first) == {r"\Seen", r"\Draft"}
        found = client.uid("FETCH", str(first), "(INTERNALDATE)")[1]
        assert b'INTERNALDATE "02-Jan-2020 02:04:05 +0000"' in found[0]
        client.uid("STORE", str(second), "+FLAGS", r"(\Flagged \Answered)")
        client.uid("STORE", str(second), "-FLAGS", r"(\Answered)")
        client.uid("STORE", str(first), "FLAGS", r"(\Seen)")
        assert client.store("1", "+FLAGS.SILENT", r"(\Answered)")[1] == [None]
    with imap(endpoint) as client:
        assert flags(client, first) == {r"\Seen", r"\Answered"}
        assert flags(client, second) == {r"\Flagged"}
        body(client, second, "BODY[]")
        assert flags(client, second) == {r"\Flagged", r"\Seen"}
        assert uids(client, "UNSEEN") == []
        assert uids(client, "FLAGGED") == [second]


def uids_never_come_back(endpoint: Endpoint) -> None:
    for subject in ("one", "two", "three"):
        assert deliver(endpoint, [endpoint.user], message(subject)) == [250]
    with imap(endpoint) as client:
        validity = client.untagged_responses["UIDVALIDITY"]
        first, second, third = uids(client)
        client.uid("STORE", f"{first},{third}", "+FLAGS", r"(\Deleted)")
        client.uid("EXPUNGE", str(third))
        assert uids(client) == [first, second]
        assert client.expunge()[1][-1:] == [b"1"]
        client.append("INBOX", "", "", message("four"))
        assert uids(client)[0] == second
        fourth = uids(client)[1]
        assert fourth > third
    with imap(endpoint) as client:
        assert client.untagged_responses["UIDVALIDITY"] == validity
        assert uids(client) == [second, fourth]
        assert b"Subject: two" in body(client, second)


def searches_find(endpoint: Endpoint) -> None:
    with imap(endpoint) as client:
        client.append("INBOX", r"(\Seen)", '"02-Jan-2020 03:04:05 +0000"', message("apple", "red"))
        subject = "=?utf-8?q?Gr=C3=BC=C3=9Fe?="
        client.append("INBOX", "", '"05-Mar-2021 03:04:05 +0000"', message(subject, "green"))
        first, second = uids(client)
        assert uids(client, "SUBJECT", "APPLE") == [first]
        assert uids(client, "HEADER", "Message-ID", "apple@") == [first]
        assert uids(client, "TEXT", "green") == [second]
        assert uids(client, "BODY", "green") == [second]
        assert uids(client, "FROM", "eve", "TO", "you") == [first, second]
        assert uids(client, "SINCE", "3-Jan-2020") == [second]
        assert uids(client, "BEFORE", "3-Jan-2020") == [first]
        assert uids(client, "ON", "5-Mar-2021") == [second]
        assert uids(client, "OR", "SEEN", "UID", str(second)) == [first, second]
        assert uids(client, "NOT", "SEEN") == [second]
        assert uids(client, "(1 SEEN)") == [first]
        assert uids(client, "LARGER", "100000") == []
        client.literal = "grüße".encode()
        assert client.uid("SEARCH", "CHARSET", "UTF-8", "SUBJECT")[1] == [b"%d" % second]
        assert client.search("KOI8-R", "ALL")[0] == "NO"


def parts_can_be_fetched(endpoint: Endpoint) -> None:
    with imap(endpoint) as client:
        data = (
            b"Subject: parts\r\nX-One: 1\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\nContent-Type: text/plain\r\n\r\nfirst\r\n--b\r\n"
            b"Content-Type: text/html\r\n\r\n<p>second\r\n--b--\r\n"
        )
        client.append("INBOX", "", "", data)
        (uid,) = uids(client)
        head, text = data.split(b"\r\n\r\n", 1)
        assert body(client, uid) == data
        assert body(client, uid, "BODY.PEEK[HEADER]") == head + b"\r\n\r\n"
        assert body(client, uid, "BODY.PEEK[TEXT]") == text
        assert body(client, uid, "BODY.PEEK[HEADER.FIELDS (subject)]") == b"Subject: parts\r\n\r\n"
        fields = "BODY.PEEK[HEADER.FIELDS.NOT (Subject Content-Type)]"
        assert body(client, uid, fields) == b"X-One: 1\r\n\r\n"
        assert body(client, uid, "BODY.PEEK[]<9.5>") == b"parts"
        assert body(client, uid, "BODY.PEEK[2]") == b"<p>second"
        assert body(client, uid, "BODY.PEEK[2.MIME]") == b"Content-Type: text/html\r\n\r\n"
        found = client.uid("FETCH", str(uid), "(RFC822.SIZE ENVELOPE BODYSTRUCTURE)")[1][0]
        assert b"RFC822.SIZE %d " % len(data) in found
        assert b'ENVELOPE (NIL "parts" ' in found
        assert b'"TEXT" "HTML"' in found


def folders_hold_copies(endpoint: Endpoint) -> None:
    with imap(endpoint) as client:
        client.append("INBOX", r"(\Flagged)", "", message("one"))
        status, found = client.copy("1", "Archive")
        assert status == "NO"
        assert b"[TRYCREATE]" in found[0]
        assert client.create("Archive")[0] == "OK"
        assert client.create("Archive")[0] == "NO"
        assert client.copy("1", "Archive")[0] == "OK"
        assert sorted(folders(client)) == ["Archive", "INBOX"]
        status, found = client.status("Archive", "(MESSAGES UNSEEN)")
        assert found == [b"Archive (MESSAGES 1 UNSEEN 1)"] or b"(MESSAGES 1 UNSEEN 1)" in found[0]
        assert client.rename("Archive", "Old")[0] == "OK"
    with imap(endpoint, "Old") as client:
        (uid,) = uids(client)
        assert flags(client, uid) == {r"\Flagged"}
        client.store("1", "+FLAGS", r"(\Deleted)")
        assert client.close()[0] == "OK"
        assert client.select("Old")[1] == [b"0"]
        assert client.select("INBOX")[0] == "OK"
        assert client.delete("Old")[0] == "OK"
        assert client.select("Old")[0] == "NO"


def pop3_takes_and_deletes(endpoint: Endpoint) -> None:
    for subject in ("one", "two", "three"):
        assert deliver(endpoint, [endpoint.user], message(subject, ".dot")) == [250]
    with pop3(endpoint) as client:
        count, size = client.stat()
        assert (count, len(client.list()[1])) == (3, 3)
        names = [line.split()[1] for line in client.uidl()[1]]
        assert len(set(names)) == 3
        lines = client.retr(2)[1]
        assert b"Subject: two" in lines
        assert lines[-1] == b".dot"
        assert sum(len(line) + 2 for line in lines) == int(client.list(2).split()[2])
        assert client.top(1, 0)[1][-1] == b""
        client.dele(1)
        client.rset()
        assert client.stat() == (3, size)
        client.dele(2)
        with pytest.raises(poplib.error_proto):
            client.retr(2)
        client.quit()
    with pop3(endpoint) as client:
        assert [line.split()[1] for line in client.uidl()[1]] == [names[0], names[2]]
        client.dele(1)
    wait_until(lambda: is_free(endpoint), "the maildrop is free")
    with pop3(endpoint) as client:  # without QUIT nothing went
        assert client.stat()[0] == 2
        client.quit()


def a_maildrop_is_for_one(endpoint: Endpoint) -> None:
    with pop3(endpoint) as first:
        second = poplib.POP3(endpoint.host, endpoint.ports["pop3"], timeout=WAIT_S)
        try:
            second.user(endpoint.user)
            with pytest.raises(poplib.error_proto, match="IN-USE"):
                second.pass_(endpoint.password)
        finally:
            second.close()
        first.quit()
    with pop3(endpoint) as again:
        again.quit()


def wrong_passwords_are_refused(endpoint: Endpoint) -> None:
    client = imaplib.IMAP4(endpoint.host, endpoint.ports["imap"], timeout=WAIT_S)
    try:
        for user in (endpoint.user, "nobody@example.org"):
            with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
                client.login(user, "wrong")
    finally:
        client.shutdown()
    pop = poplib.POP3(endpoint.host, endpoint.ports["pop3"], timeout=WAIT_S)
    try:
        pop.user(endpoint.user)
        with pytest.raises(poplib.error_proto):
            pop.pass_("wrong")
    finally:
        pop.close()


def imapclient_works(endpoint: Endpoint) -> None:
    with IMAPClient(endpoint.host, endpoint.ports["imap"], ssl=False, timeout=WAIT_S) as client:
        client.login(endpoint.user, endpoint.password)
        client.select_folder("INBOX")
        client.create_folder("Entwürfe")
        client.append("INBOX", message("one"), flags=[rb"\Seen"])
        client.append("INBOX", message("two"))
        found = client.search(["UNSEEN"])
        data = client.fetch(found, ["ENVELOPE", "FLAGS", "BODYSTRUCTURE", "RFC822.SIZE"])
        assert [each[b"ENVELOPE"].subject for each in data.values()] == [b"two"]
        client.copy(found, "Entwürfe")
        client.add_flags(found, [rb"\Deleted"])
        client.uid_expunge(found)
        assert len(client.search()) == 1
        assert client.folder_status("Entwürfe", ["MESSAGES"]) == {b"MESSAGES": 1}
        client.move(client.search(), "Entwürfe")
        assert client.search() == []
        assert "Entwürfe" in [name for _, _, name in client.list_folders()]
        client.delete_folder("Entwürfe")


async def _idle(endpoint: Endpoint) -> None:
    client = aioimaplib.IMAP4(endpoint.host, endpoint.ports["imap"], timeout=WAIT_S)
    await client.wait_hello_from_server()
    assert (await client.login(endpoint.user, endpoint.password)).result == "OK"
    assert (await client.select("INBOX")).result == "OK"
    idle = await client.idle_start(timeout=WAIT_S)
    loop = asyncio.get_running_loop()
    statuses = await loop.run_in_executor(None, deliver, endpoint, [endpoint.user], message("news"))
    assert statuses == [250]
    async with asyncio.timeout(WAIT_S):
        told: list[bytes] = []
        while b"1 EXISTS" not in told:
            told += await client.wait_server_push()
    client.idle_done()
    async with asyncio.timeout(WAIT_S):
        await idle
    assert (await client.search("ALL")).lines[0] == b"1"
    assert (await client.logout()).result == "OK"
    client.protocol.transport.abort()  # it leaves that to the server, which may be slower than us
    await asyncio.sleep(0)


def idle_tells_of_new_mail(endpoint: Endpoint) -> None:
    """With aioimaplib."""
    asyncio.run(_idle(endpoint))


def curl_reads(endpoint: Endpoint) -> None:
    assert deliver(endpoint, [endpoint.user], message("curl")) == [250]
    account = ["-s", "-S", "-u", f"{endpoint.user}:{endpoint.password}"]
    for path in (f"imap://{endpoint.host}:{endpoint.ports['imap']}/INBOX;MAILINDEX=1",
                 f"pop3://{endpoint.host}:{endpoint.ports['pop3']}/1"):  # fmt: skip
        command = ["curl", *account, path]
        shown = subprocess.run(command, capture_output=True, timeout=WAIT_S, check=True).stdout
        assert b"Subject: curl\r\n" in shown


def mutt_works(endpoint: Endpoint) -> None:
    """It sends by SMTP, reads, flags and deletes by IMAP, and takes the rest by POP3."""
    with Mutt(endpoint) as mutt:
        for subject in ("first", "second"):
            mutt.sends(subject, f"the {subject} one\n", endpoint.user)
        wait_until(lambda: len(present(endpoint)) == 2, "both messages")
        read, saved = mutt.home / "read", mutt.home / "saved"
        mutt.reads(
            "imap",
            "<search>~s second<enter><flag-message>"
            f"<search>~s first<enter><pipe-message>cat >{read}<enter>"
            "<delete-message><sync-mailbox><quit>",
        )
        assert "the first one" in read.read_text()
        with imap(endpoint) as client:
            (uid,) = uids(client)
            assert r"\Flagged" in flags(client, uid)
            assert b"the second one" in body(client, uid)
        wait_until(lambda: is_free(endpoint), "the maildrop")
        mutt.reads("pop", f"<save-message>{saved}<enter><quit>")
        assert "the second one" in saved.read_text()
        wait_until(lambda: present(endpoint) == [], "it is deleted")


def present(endpoint: Endpoint) -> list[int]:
    """The messages that are there now."""
    with imap(endpoint) as client:
        return uids(client)


def two_sessions_see_each_other(endpoint: Endpoint) -> None:
    """Sequence numbers shift only when a session is told so."""
    with imap(endpoint) as one, imap(endpoint) as other:
        for subject in ("one", "two"):
            one.append("INBOX", "", "", message(subject))
        one.noop()
        other.noop()
        first, second = uids(other)
        one.store("1", "+FLAGS", r"(\Deleted)")
        one.expunge()
        assert b"Subject: two" in other.fetch("2", "(BODY.PEEK[HEADER])")[1][0][1]
        other.untagged_responses.clear()
        other.noop()
        assert other.untagged_responses["EXPUNGE"] == [b"1"]
        assert uids(other) == [second]
        assert first != second
