"""STARTTLS, AUTH and XCLIENT from clients, and what they try to inject there."""

from __future__ import annotations

from base64 import b64encode

import pytest

from l7lb_protocols.smtp.auth import Challenge, Done, Failed
from l7lb_protocols.smtp.errors import Misuse
from l7lb_protocols.smtp.extensions import Own
from l7lb_protocols.smtp.server_events import (
    AuthAsked,
    AuthCancelled,
    Closed,
    EarlyTalk,
    TlsWanted,
    XclientTaken,
)
from l7lb_protocols.smtp.server_session import ServerSession, ServerSettings
from l7lb_protocols.smtp.server_states import State
from support.smtp_driver import NAME
from support.smtp_rules import bytewise

MECHANISMS = frozenset((b"PLAIN", b"SCRAM-SHA-256"))


def session(*, trusted: bool = False, plain_auth: bool = True) -> ServerSession:
    own = Own(starttls=True, auth=MECHANISMS)
    made = ServerSession(ServerSettings(NAME, own=own, plain_auth=plain_auth))
    made.trusted = trusted
    made.greet()
    made.receive(b"EHLO c\r\n")
    made.output()
    return made


INJECTED = [
    b"MAIL FROM:<evil@x>\r\n",
    b"EHLO evil\r\nMAIL FROM:<evil@x>\r\nRCPT TO:<v@x>\r\n",
    b"RSET\r\n",
    b"NOOP\r\nNOOP\r\n",
    b"AUTH PLAIN AGEAYg==\r\n",
    b"STARTTLS\r\n",
    b"MAIL FROM:<half",
    b"\x16\x03\x01",
    b"\n",
    b"\0",
]


@pytest.mark.parametrize("rest", INJECTED)
def test_what_came_before_tls_is_thrown_away(rest: bytes) -> None:
    here = session()
    assert here.receive(b"STARTTLS\r\n" + rest) == [EarlyTalk("STARTTLS"), TlsWanted()]
    assert here.output() == b"220 2.0.0 ready to start TLS\r\n"
    assert here.tls_started() == []
    assert here.output() == b""
    assert here.receive(b"EHLO c\r\n")
    assert here.output().startswith(b"250-")
    assert here.sender is None


@pytest.mark.parametrize("rest", INJECTED)
def test_what_comes_late_before_tls_is_thrown_away_too(rest: bytes) -> None:
    here = session()
    assert here.receive(b"STARTTLS\r\n") == [TlsWanted()]
    for piece in bytewise(rest):
        here.receive(piece)
    here.tls_started()
    here.output()
    here.receive(b"NOOP\r\n")
    assert here.output() == b"250 2.0.0 ok\r\n"


def test_tls_forgets_the_client() -> None:
    here = session()
    here.account = b"ann"
    here.receive(b"STARTTLS\r\n")
    here.tls_started()
    assert (here.secure, here.account, here.hello) == (True, b"", b"")
    here.output()
    here.receive(b"MAIL FROM:<a@b>\r\n")
    assert here.output().startswith(b"503")
    here.receive(b"EHLO c\r\n")
    assert b"STARTTLS" not in here.output()
    here.receive(b"STARTTLS\r\n")
    assert here.output().startswith(b"502")


def test_tls_is_for_after_hello() -> None:
    here = ServerSession(ServerSettings(NAME, own=Own(starttls=True)))
    here.greet()
    here.receive(b"STARTTLS\r\n")
    assert here.output().splitlines()[-1].startswith(b"503")


def test_login_with_initial_response() -> None:
    here = session()
    assert here.receive(b"auth plain AGEAYg==\r\n") == [AuthAsked(b"PLAIN", b"\0a\0b")]
    assert here.auth_step(Done(b"a")) == []
    assert here.output() == b"235 2.7.0 authenticated\r\n"
    assert here.account == b"a"
    here.receive(b"AUTH PLAIN AGEAYg==\r\n")
    assert here.output().startswith(b"503")


def test_login_step_by_step() -> None:
    here = session()
    assert here.receive(b"AUTH SCRAM-SHA-256\r\n") == [AuthAsked(b"SCRAM-SHA-256", None)]
    here.auth_step(Challenge(b""))
    assert here.output() == b"334 \r\n"
    assert here.receive(b64encode(b"first") + b"\r\n") == [AuthAsked(b"SCRAM-SHA-256", b"first")]
    here.auth_step(Challenge(b"x" * 600))
    assert here.output() == b"334 " + b64encode(b"x" * 600) + b"\r\n"
    assert here.receive(b"\r\n") == [AuthAsked(b"SCRAM-SHA-256", b"")]
    here.auth_step(Done(b"ann"))
    assert here.account == b"ann"


@pytest.mark.parametrize(
    ("step", "said", "errors"),
    [(Failed(), b"535 5.7.8", 1), (Failed(temporary=True), b"454 4.7.0", 0)],
)
def test_login_failed(step: Failed, said: bytes, errors: int) -> None:
    here = session()
    here.receive(b"AUTH PLAIN AGEAYg==\r\n")
    here.auth_step(step)
    assert here.output().startswith(said)
    assert (here.state, here.errors, here.account) == (State.READY, errors, b"")


@pytest.mark.parametrize("line", [b"*", b"A", b"AGE*", b"not base64!"])
def test_login_cancelled_or_nonsense(line: bytes) -> None:
    here = session()
    here.receive(b"AUTH PLAIN\r\n")
    here.auth_step(Challenge(b""))
    here.output()
    assert here.receive(line + b"\r\nNOOP\r\n")[0] == AuthCancelled()
    assert [line[:3] for line in here.output().splitlines()] == [b"501", b"250"]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"AUTH", b"501"),
        (b"AUTH PLAIN A", b"501"),
        (b"AUTH PLAIN a b", b"501"),
        (b"AUTH CRAM-MD5", b"504"),
    ],
)
def test_login_refused(line: bytes, said: bytes) -> None:
    here = session()
    here.receive(line + b"\r\n")
    assert here.output().startswith(said)
    assert here.state is State.READY


def test_guessing_ends() -> None:
    here = ServerSession(
        ServerSettings(NAME, own=Own(auth=MECHANISMS), plain_auth=True, max_errors=3)
    )
    here.greet()
    here.receive(b"EHLO c\r\n")
    for _ in range(3):
        here.receive(b"AUTH PLAIN AGEAYg==\r\n")
        events = here.auth_step(Failed())
    assert events[-1] == Closed("too many errors")


def test_no_password_without_tls() -> None:
    here = session(plain_auth=False)
    here.receive(b"EHLO c\r\nAUTH PLAIN AGEAYg==\r\n")
    sent = here.output()
    assert b"AUTH" not in sent
    assert b"530 5.7.0 STARTTLS first" in sent


def test_login_line_may_be_long_but_not_endless() -> None:
    here = session()
    here.receive(b"AUTH PLAIN\r\n")
    here.auth_step(Challenge(b""))
    long = b64encode(b"x" * 6000)
    assert here.receive(long + b"\r\n") == [AuthAsked(b"PLAIN", b"x" * 6000)]
    here.auth_step(Challenge(b""))
    here.output()
    here.receive(b"A" * 12288)
    assert here.output().startswith(b"500 5.5.2 line too long")
    assert here.state is State.CLOSED


def test_only_the_asked_mechanism_may_answer() -> None:
    here = session()
    for step in (Challenge(b""), Done(b"x"), Failed()):
        with pytest.raises(Misuse):
            here.auth_step(step)
    here.receive(b"MAIL FROM:<a@b>\r\n")
    with pytest.raises(Misuse):
        here.auth_step(Done(b"x"))
    assert here.account == b""


def test_xclient_from_a_trusted_front() -> None:
    here = session(trusted=True)
    events = here.receive(b"XCLIENT ADDR=192.0.2.9 LOGIN=ann TTL=2\r\n")
    assert events == [XclientTaken({b"ADDR": b"192.0.2.9", b"LOGIN": b"ann", b"TTL": b"2"})]
    assert here.output() == b"220 mx.example.org ESMTP\r\n"
    assert (here.account, here.state) == (b"ann", State.HELLO)
    here.receive(b"EHLO c\r\n")
    sent = here.output()
    assert b"XCLIENT ADDR" in sent
    assert b"AUTH" not in sent


def test_xclient_of_others() -> None:
    here = session()
    here.receive(b"EHLO c\r\n")
    assert b"XCLIENT" not in here.output()
    here.receive(b"XCLIENT ADDR=192.0.2.9\r\n")
    assert here.output().startswith(b"550 5.7.0")


@pytest.mark.parametrize(
    ("line", "said"),
    [(b"XCLIENT", b"501"), (b"XCLIENT FOO=1", b"501"), (b"XCLIENT ADDR=x", b"501")],
)
def test_bad_xclient(line: bytes, said: bytes) -> None:
    here = session(trusted=True)
    here.receive(line + b"\r\n")
    assert here.output().startswith(said)
    assert here.state is State.READY


def test_proxies_in_a_loop() -> None:
    here = session(trusted=True)
    events = here.receive(b"XCLIENT TTL=0\r\n")
    assert here.output().startswith(b"554 5.4.6")
    assert isinstance(events[-1], Closed)
