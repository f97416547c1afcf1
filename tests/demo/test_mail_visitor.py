"""The mail user that never stops, before a mail server of ours, without a director."""

import json
import smtplib
import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from l7lb.demo import mail_client
from l7lb.demo import mail_visitor as module
from l7lb.demo.mail_client import Inbox, MailFailed, NotNow
from l7lb.demo.mail_rules import PASSWORD, USERS
from l7lb.demo.mail_visitor import Director, MailVisitor, Report, Stopped, run
from support.demo_mail import OneServer

HOST = "127.0.0.1"
SECRETS = dict.fromkeys(USERS, PASSWORD)


@pytest.fixture(scope="module")
def director(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Director]:
    cluster = OneServer(tmp_path_factory.mktemp("demo"))
    try:
        cluster.start()
        yield Director(HOST, cluster.mail.smtp, cluster.mail.imap, cluster.mail.pop3)
    finally:
        cluster.stop()


@pytest.fixture
def nobody() -> Iterator[Director]:
    """Ports that are ours, with nobody at them."""
    with socket.socket() as sock:
        sock.bind((HOST, 0))
        port = sock.getsockname()[1]
        yield Director(HOST, port, port, port)


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


def test_a_round_reads_what_it_sent_and_deletes_it(
    director: Director, nobody: Director, stop: threading.Event
) -> None:
    """In every second round each question meets the one that is not there first."""
    visitor = MailVisitor([nobody, director], SECRETS, stop)
    for _ in range(2):
        report = visitor.round()
        assert (report.sent, report.imap, report.pop3) == (3, {"m1": 3}, 3)
        assert (report.twice, report.failed) == (0, 0)
    for user in USERS:
        assert mail_client.read_imap((HOST, director.imap), user).subjects == ()


def test_a_message_that_is_there_twice_is_counted(
    director: Director, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor = MailVisitor([director], SECRETS, stop)
    offer = mail_client.offer

    def twice(*arguments: object) -> dict[str, str]:
        offer(*arguments)  # type: ignore[arg-type]
        return offer(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(mail_client, "offer", twice)
    assert visitor.round().twice == 3
    monkeypatch.undo()
    assert visitor.round().twice == 0


def test_mail_of_others_is_left_alone(director: Director, stop: threading.Event) -> None:
    mail_client.send((HOST, director.smtp), USERS[:1], "from a friend")
    report = MailVisitor([director], SECRETS, stop).round()
    assert (report.pop3, report.twice, report.failed) == (3, 0, 0)
    inbox = mail_client.read_imap((HOST, director.imap), USERS[0])
    assert inbox == Inbox("m1", ("from a friend",))


def test_who_is_refused_for_good_is_not_looked_for(
    director: Director, stop: threading.Event, capsys: pytest.CaptureFixture[str]
) -> None:
    report = MailVisitor([director], {"nobody@demo.test": "demo"}, stop).round()
    assert report == Report(failed=1)
    assert "failed: smtp: {'nobody@demo.test': (550" in capsys.readouterr().out


def test_refused_for_now_is_tried_again(
    nobody: Director, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only whoever was refused gets it again."""
    asked: list[list[str]] = []

    def offer(_: object, recipients: list[str], subject: str, *__: object) -> dict[str, str]:
        asked.append(list(recipients))
        if len(asked) == 1:
            raise NotNow(subject)
        return {USERS[1]: "451 later"} if len(asked) == 2 else {}

    monkeypatch.setattr(module, "PAUSE_S", 0.001)
    monkeypatch.setattr(mail_client, "offer", offer)
    visitor = MailVisitor([nobody], SECRETS, stop)
    assert visitor.send("one") == list(USERS)
    assert asked == [list(USERS), list(USERS), [USERS[1]]]
    assert visitor.report == Report(sent=3, again=1)


def test_patience_ends(
    nobody: Director, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.001)
    monkeypatch.setattr(module, "PATIENCE_S", 0.05)
    visitor = MailVisitor([nobody], SECRETS, stop)
    assert visitor.round().failed == 1
    assert visitor.report.again > 0


def test_a_round_that_is_stopped_does_not_count(
    nobody: Director, stop: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_client, "offer", lambda *_: stop.set() or {USERS[0]: "451 later"})
    visitor = MailVisitor([nobody], SECRETS, stop)
    with pytest.raises(Stopped):
        visitor.round()
    stop.clear()
    assert run(visitor) == Report()


def test_reports_add_up(
    director: Director,
    stop: threading.Event,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(module, "ROUND_S", 0.0)
    visitor = MailVisitor([director], SECRETS, stop)
    read: Callable[[str, str], None] = visitor.read

    def read_and_stop(user: str, subject: str) -> None:
        read(user, subject)
        if visitor.turn == 3 and user == USERS[-1]:
            stop.set()

    monkeypatch.setattr(visitor, "read", read_and_stop)
    total = run(visitor)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["sent"] for line in lines] == [3, 3, 3]
    assert (total.sent, total.pop3, total.failed) == (9, 9, 0)
    assert json.loads(total.line())["imap"] == {"m1": 9}


def test_addresses() -> None:
    assert Director.parse("198.18.40.11:25:143:110") == Director("198.18.40.11", 25, 143, 110)


@pytest.mark.parametrize("code", [451, 550])
def test_a_message_refused_as_a_whole(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refusing:
        def __init__(self, *_: object, **__: object) -> None:
            raise smtplib.SMTPConnectError(code, b"no")

    monkeypatch.setattr(smtplib, "SMTP", Refusing)
    if code == 451:
        assert set(mail_client.offer((HOST, 25), USERS, "one")) == set(USERS)
    else:
        with pytest.raises(MailFailed, match="550"):
            mail_client.offer((HOST, 25), USERS, "one")
