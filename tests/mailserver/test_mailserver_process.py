"""One server process at its limits: connections, recipients, storage that fails, bad options."""

from __future__ import annotations

import contextlib
import json
import smtplib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from support.mail_cluster import USERS, WAIT_S, Child, Endpoint, MailCluster
from support.mail_scenarios import deliver, imap, message, uids


def first_line(endpoint: Endpoint, protocol: str, stack: contextlib.ExitStack) -> bytes:
    address = (endpoint.host, endpoint.ports[protocol])
    connection = stack.enter_context(socket.create_connection(address, WAIT_S))
    return stack.enter_context(connection.makefile("rb")).readline()


WORDS = {
    "imap": (b"* OK ", b"* BYE "),
    "pop3": (b"+OK ", b"-ERR "),
    "lmtp": (b"220 ", b"421 "),
    "smtp": (b"220 ", b"421 "),
}


def test_connections_are_bounded(cluster: MailCluster) -> None:
    """For each protocol by itself."""
    endpoint = cluster.serve("a", sessions=2)
    with contextlib.ExitStack() as stack:
        for protocol, (welcome, busy) in WORDS.items():
            for _ in range(2):
                assert first_line(endpoint, protocol, stack).startswith(welcome)
            assert first_line(endpoint, protocol, stack).startswith(busy)


def test_one_recipient_fails_and_the_others_do_not(cluster: MailCluster) -> None:
    endpoint = cluster.serve("a")
    cluster.root.mkdir(exist_ok=True)
    (cluster.root / USERS[1]).write_text("in the way of its directory\n")
    assert deliver(endpoint, [USERS[0], USERS[1], USERS[2]], message("m")) == [250, 451, 250]
    with smtplib.SMTP(endpoint.host, endpoint.ports["smtp"], timeout=WAIT_S) as client:
        with pytest.raises(smtplib.SMTPDataError) as raised:
            client.sendmail("a@example.com", [USERS[0], USERS[1]], message("n"))
        assert raised.value.smtp_code == 451
    with imap(endpoint) as client:
        assert len(uids(client)) == 2


def test_recipients_are_bounded(cluster: MailCluster) -> None:
    endpoint = cluster.serve("a")
    with smtplib.SMTP(endpoint.host, endpoint.ports["smtp"], timeout=WAIT_S) as client:
        client.ehlo()
        client.mail("a@example.com")
        codes = [client.rcpt(USERS[0])[0] for _ in range(101)]
        assert codes == [250] * 100 + [452]
        client.rset()
        assert client.docmd("DATA")[0] == 503


def test_smtp_takes_bytes_as_they_are(cluster: MailCluster) -> None:
    """Pipelined commands, 8 bits, no end of data but CRLF.CRLF."""
    endpoint = cluster.serve("a")
    with contextlib.ExitStack() as stack:
        address = (endpoint.host, endpoint.ports["lmtp"])
        connection = stack.enter_context(socket.create_connection(address, WAIT_S))
        file = stack.enter_context(connection.makefile("rwb"))
        file.readline()
        file.write(
            b"LHLO x\r\nMAIL FROM:<> BODY=8BITMIME\r\nRCPT TO:<%s>\r\nDATA\r\n" % USERS[0].encode()
        )
        file.flush()
        while not file.readline().startswith(b"354 "):
            pass
        file.write("Subject: ü\r\n\r\na\n.\nMAIL FROM:<b>\r\n.\r\nQUIT\r\n".encode())
        file.flush()
        assert file.readline().startswith(b"250 ")
        assert file.readline().startswith(b"221 ")
    (stored,) = (cluster.maildir() / "new").iterdir()
    assert stored.read_bytes().endswith("Subject: ü\r\n\r\na\r\n.\r\nMAIL FROM:<b>\r\n".encode())


@pytest.mark.parametrize("wrong", [["--imap=0"], ["--store=redis://x"], ["--accounts=/none.yaml"]])
def test_it_says_why_it_does_not_start(cluster: MailCluster, wrong: list[str]) -> None:
    options = ["--name=a"] if wrong == ["--imap=0"] else cluster.options("a", 15.0)
    command = [sys.executable, "-m", "l7lb.mailserver", *options, *wrong]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("mailserver: ")
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_it_starts_from_a_file(cluster: MailCluster, tmp_path: Path) -> None:
    file = tmp_path / "server.json"
    pairs = (option.removeprefix("--").split("=", 1) for option in cluster.options("a", 15.0))
    file.write_text(json.dumps(dict(pairs)))
    child = Child([sys.executable, "-m", "l7lb.mailserver", str(file)])
    cluster.servers["a"] = child
    assert [word.split("=")[0] for word in child.ready()] == ["imap", "pop3", "lmtp", "smtp"]
