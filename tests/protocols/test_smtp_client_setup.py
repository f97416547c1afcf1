"""Before the first message: greeting, hello, TLS, XCLIENT and login towards servers."""

from __future__ import annotations

from base64 import b64encode

import pytest

from l7lb_protocols.smtp.client_events import ClientEvent, ServerClosed, ServerReady, StartTls
from l7lb_protocols.smtp.client_session import ClientSession, ClientSettings, Login, Tls
from l7lb_protocols.smtp.errors import Misuse
from l7lb_protocols.smtp.extensions import Extensions

ONE_BY_ONE = b"220 s\r\n250 s\r\n"


def kinds(events: list[ClientEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_helo_for_a_server_that_knows_no_ehlo() -> None:
    session = ClientSession(ClientSettings(b"d"))
    session.receive(b"220 s\r\n502 what\r\n")
    assert session.output() == b"EHLO d\r\nHELO d\r\n"
    assert session.receive(b"250-s\r\n250 PIPELINING\r\n") == [ServerReady(Extensions())]


@pytest.mark.parametrize(
    "answers",
    [
        b"554 go away\r\n",
        b"421 busy\r\n",
        b"220 s\r\n421 busy\r\n",
        b"220 s\r\n450 x\r\n",
        b"220 s\r\n500 x\r\n500 y\r\n",
    ],
)
def test_setup_refused(answers: bytes) -> None:
    session = ClientSession(ClientSettings(b"d"))
    (closed,) = session.receive(answers)
    assert isinstance(closed, ServerClosed)
    assert not closed.lawful


TLS_HELLO = b"220 s\r\n250-s\r\n250 STARTTLS\r\n"


def test_starttls() -> None:
    session = ClientSession(ClientSettings(b"d", tls=Tls.MUST))
    session.receive(TLS_HELLO)
    assert session.output() == b"EHLO d\r\nSTARTTLS\r\n"
    assert session.receive(b"220 go\r\n") == [StartTls()]
    assert session.tls_started() == []
    assert session.output() == b"EHLO d\r\n"
    assert session.receive(b"250 s\r\n") == [ServerReady(Extensions())]
    assert session.secure


@pytest.mark.parametrize(
    "rest", [b"250-evil\r\n250 AUTH PLAIN\r\n", b"250 x", b"\r\n", b"\n", b"\x16\x03", b"421 x\r\n"]
)
def test_answers_injected_before_tls(rest: bytes) -> None:
    whole = ClientSession(ClientSettings(b"d", tls=Tls.MAY))
    whole.receive(TLS_HELLO)
    assert kinds(whole.receive(b"220 go\r\n" + rest)) == ["ServerClosed"]
    late = ClientSession(ClientSettings(b"d", tls=Tls.MAY))
    late.receive(TLS_HELLO)
    assert kinds(late.receive(b"220 go\r\n")) == ["StartTls"]
    assert kinds(late.receive(rest)) == ["ServerClosed"]
    with pytest.raises(Misuse):
        late.tls_started()


def test_tls_missing_or_refused() -> None:
    session = ClientSession(ClientSettings(b"d", tls=Tls.MUST))
    assert kinds(session.receive(ONE_BY_ONE)) == ["ServerClosed"]
    session = ClientSession(ClientSettings(b"d", tls=Tls.MAY))
    assert kinds(session.receive(ONE_BY_ONE)) == ["ServerReady"]
    session = ClientSession(ClientSettings(b"d", tls=Tls.MAY))
    assert kinds(session.receive(TLS_HELLO + b"454 no\r\n")) == ["ServerClosed"]


def test_xclient_then_hello_again() -> None:
    facts = {b"ADDR": b"192.0.2.7", b"LOGIN": b"ann", b"TTL": b"4"}
    session = ClientSession(ClientSettings(b"d", lmtp=True, attributes=facts))
    session.receive(b"220 s\r\n250-s\r\n250 XCLIENT ADDR TTL\r\n")
    assert session.output() == b"LHLO d\r\nXCLIENT ADDR=192.0.2.7 TTL=4\r\n"
    assert session.receive(b"220 s\r\n") == []
    assert session.output() == b"LHLO d\r\n"
    again = session.receive(b"250-s\r\n250-PIPELINING\r\n250 XCLIENT ADDR TTL\r\n")
    assert kinds(again) == ["ServerReady"]
    assert session.output() == b""


def test_xclient_in_several_lines() -> None:
    facts = dict.fromkeys((b"NAME", b"HELO", b"LOGIN"), b"x" * 250)
    session = ClientSession(ClientSettings(b"d", attributes=facts))
    session.receive(b"220 s\r\n250-s\r\n250 XCLIENT NAME HELO LOGIN\r\n")
    session.receive(b"220 s\r\n220 s\r\n220 s\r\n")
    lines = session.output().splitlines()
    assert [line[:12] for line in lines] == [
        b"EHLO d",
        b"XCLIENT NAME",
        b"XCLIENT HELO",
        b"XCLIENT LOGI",
        b"EHLO d",
    ]


def test_xclient_not_offered_or_refused() -> None:
    settings = ClientSettings(b"d", attributes={b"ADDR": b"192.0.2.7"})
    assert kinds(ClientSession(settings).receive(ONE_BY_ONE)) == ["ServerReady"]
    session = ClientSession(settings)
    hello = b"220 s\r\n250-s\r\n250 XCLIENT ADDR\r\n"
    assert kinds(session.receive(hello + b"550 not you\r\n")) == ["ServerClosed"]


def test_login() -> None:
    settings = ClientSettings(b"d", login=Login(b"master", b"pw", b"ann"))
    session = ClientSession(settings, secure=True)
    session.receive(b"220 s\r\n250-s\r\n250 AUTH LOGIN PLAIN\r\n")
    assert session.output() == b"EHLO d\r\nAUTH PLAIN " + b64encode(b"ann\0master\0pw") + b"\r\n"
    assert kinds(session.receive(b"235 ok\r\n")) == ["ServerReady"]


def test_login_where_the_server_knows_no_plain() -> None:
    settings = ClientSettings(b"d", login=Login(b"ann", b"pw"), plain_auth=True)
    session = ClientSession(settings)
    session.receive(b"220 s\r\n250-s\r\n250 AUTH CRAM-MD5 LOGIN\r\n")
    assert session.output() == b"EHLO d\r\nAUTH LOGIN\r\n"
    assert kinds(session.receive(b"334 VXNlcm5hbWU6\r\n")) == []
    assert session.output() == b64encode(b"ann") + b"\r\n"
    assert kinds(session.receive(b"334 \r\n")) == []
    assert session.output() == b64encode(b"pw") + b"\r\n"
    assert kinds(session.receive(b"235 ok\r\n")) == ["ServerReady"]


@pytest.mark.parametrize(
    "answers",
    [b"334 a\r\n334 b\r\n334 c\r\n", b"334 a\r\n235 too soon\r\n", b"334 a\r\n535 no\r\n"],
)
def test_login_that_goes_wrong(answers: bytes) -> None:
    settings = ClientSettings(b"d", login=Login(b"ann", b"pw"), plain_auth=True)
    session = ClientSession(settings)
    assert kinds(session.receive(b"220 s\r\n250-s\r\n250 AUTH LOGIN\r\n" + answers)) == [
        "ServerClosed"
    ]


def test_a_secret_is_not_shown() -> None:
    assert "pw" not in repr(Login(b"ann", b"pw"))


@pytest.mark.parametrize(
    ("secure", "answers"),
    [
        (True, ONE_BY_ONE),
        (True, b"220 s\r\n250-s\r\n250 AUTH CRAM-MD5\r\n"),
        (False, b"220 s\r\n250-s\r\n250 AUTH PLAIN\r\n"),
        (True, b"220 s\r\n250-s\r\n250 AUTH PLAIN\r\n535 no\r\n"),
        (True, b"220 s\r\n250-s\r\n250 AUTH PLAIN\r\n334 more\r\n"),
    ],
)
def test_login_impossible(secure: bool, answers: bytes) -> None:
    session = ClientSession(ClientSettings(b"d", login=Login(b"u", b"p")), secure=secure)
    assert kinds(session.receive(answers)) == ["ServerClosed"]


def test_login_says_nothing_of_another_account() -> None:
    """A master user needs PLAIN."""
    settings = ClientSettings(b"d", login=Login(b"master", b"pw", b"ann"))
    session = ClientSession(settings, secure=True)
    assert kinds(session.receive(b"220 s\r\n250-s\r\n250 AUTH LOGIN\r\n")) == ["ServerClosed"]
