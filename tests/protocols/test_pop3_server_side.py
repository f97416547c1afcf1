"""The POP3 dialogue with a server: every way to a login, and everything that a server may break."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.login.client_side import Peer
from l7lb_protocols.login.errors import DialogueMisuse
from l7lb_protocols.login.events import (
    BrokeProtocol,
    Event,
    Learnt,
    LoggedIn,
    Refused,
    StartTls,
    Unavailable,
)
from l7lb_protocols.login.origin import Origin
from l7lb_protocols.login.server_side import ServerLogin, ServerSettings
from l7lb_protocols.login.states import ServerState
from support.login_talk import POP3, chain, client, kinds, only, sent, server

JOE = ServerLogin(b"joe", b"s3 cret")
MASTER = ServerLogin(b"master", b"m", b"joe")
STAR = ServerLogin(b"master", b"m", b"joe", separator=b"*")
CERTIFICATE = ServerLogin(b"", authorize_as=b"joe", external=True)
PLAIN_JOE = base64.b64encode(b"\0joe\0s3 cret")
PLAIN_MASTER = base64.b64encode(b"joe\0master\0m")
STARTTLS = ServerSettings(starttls=True)
LAST = {Learnt, LoggedIn, Refused, Unavailable, BrokeProtocol}
HELLO = b"+OK ready\r\n"
CAPA = b"CAPA\r\n"


def can(*lines: bytes) -> bytes:
    return b"+OK\r\n" + b"".join(line + b"\r\n" for line in lines) + b".\r\n"


def play(
    login: ServerLogin | None, *script: bytes, settings: ServerSettings | None = None
) -> Event:
    """Server and director in turn; an empty string is the handshake. Returns the last event."""
    made = server(POP3, login, settings)
    last: list[Event] = []
    for said, answer in zip(script[::2], [*script[1::2], b""], strict=False):
        events = made.receive(said) if said else made.tls_started()
        assert sent(events) == answer
        last = [event for event in events if type(event) in LAST]
    assert made.is_over
    (event,) = last
    return event


LONG = ServerLogin(b"joe", b"x" * 200)
WAYS: dict[str, tuple[ServerLogin, list[bytes]]] = {
    "initial response": (
        JOE,
        [HELLO, CAPA, can(b"SASL PLAIN"), b"AUTH PLAIN " + PLAIN_JOE + b"\r\n"],
    ),
    "long initial response": (
        LONG,
        [
            HELLO,
            CAPA,
            can(b"SASL PLAIN"),
            b"AUTH PLAIN\r\n",
            b"+ \r\n",
            base64.b64encode(b"\0joe\0" + b"x" * 200) + b"\r\n",
        ],
    ),
    "master": (
        MASTER,
        [HELLO, CAPA, can(b"SASL PLAIN"), b"AUTH PLAIN " + PLAIN_MASTER + b"\r\n"],
    ),
    "USER": (
        JOE,
        [HELLO, CAPA, can(b"USER"), b"USER joe\r\n", b"+OK\r\n", b"PASS s3 cret\r\n"],
    ),
    "USER as master": (
        STAR,
        [HELLO, CAPA, can(b"USER"), b"USER joe*master\r\n", b"+OK\r\n", b"PASS m\r\n"],
    ),
    "no CAPA": (
        JOE,
        [HELLO, CAPA, b"-ERR what\r\n", b"USER joe\r\n", b"+OK\r\n", b"PASS s3 cret\r\n"],
    ),
    "one flight": (
        JOE,
        [
            HELLO,
            CAPA,
            can(b"USER", b"PIPELINING"),
            b"USER joe\r\nPASS s3 cret\r\n",
            b"+OK\r\n",
            b"",
        ],
    ),
    "SASL LOGIN": (
        JOE,
        [
            HELLO,
            CAPA,
            can(b"SASL LOGIN"),
            b"AUTH LOGIN\r\n",
            b"+ VXNlcm5hbWU6\r\n",
            b"am9l\r\n",
            b"+ UGFzc3dvcmQ6\r\n",
            b"czMgY3JldA==\r\n",
        ],
    ),
    "EXTERNAL": (
        CERTIFICATE,
        [HELLO, CAPA, can(b"SASL EXTERNAL", b"USER"), b"AUTH EXTERNAL am9l\r\n"],
    ),
}


@pytest.mark.parametrize(("login", "script"), WAYS.values(), ids=WAYS)
def test_ways_in(login: ServerLogin, script: list[bytes]) -> None:
    assert play(login, *script, b"+OK in\r\n") == LoggedIn(b"in")
    assert play(login, *script, b"-ERR [AUTH] no\r\n") == Refused(b"AUTH", b"[AUTH] no")


def test_name_refused() -> None:
    script = [HELLO, CAPA, can(b"USER"), b"USER joe\r\n"]
    assert play(JOE, *script, b"-ERR who\r\n") == Refused(b"", b"who")


def test_byte_by_byte() -> None:
    made, out, events = server(POP3, JOE), b"", list[Event]()
    for data in (HELLO, can(b"USER"), b"+OK\r\n", b"+OK in\r\n"):
        for byte in data:
            events = made.receive(bytes((byte,)))
            out += sent(events)
    assert out == b"CAPA\r\nUSER joe\r\nPASS s3 cret\r\n"
    assert events == [LoggedIn(b"in")]


def test_what_follows_is_the_relays() -> None:
    made = server(POP3, JOE)
    for data in (HELLO, can(b"USER"), b"+OK\r\n"):
        made.receive(data)
    (event,) = made.receive(b"+OK in\r\n+OK 2 320\r\n\xff")
    assert event == LoggedIn(b"in", rest=b"+OK 2 320\r\n\xff")


def test_starttls() -> None:
    script = [HELLO, CAPA, can(b"STLS"), b"STLS\r\n", b"+OK go\r\n", b"", b"", CAPA]
    script += [can(b"USER"), b"USER joe\r\n", b"+OK\r\n", b"PASS s3 cret\r\n", b"+OK in\r\n"]
    assert play(JOE, *script, settings=STARTTLS) == LoggedIn(b"in")


@pytest.mark.parametrize("words", [b"+OK\r\nUSER\r\n.\r\n", b"+OK fake\r\n", b"-ERR\r\n", b"x"])
def test_injected_before_tls(words: bytes) -> None:
    made = server(POP3, JOE, STARTTLS)
    made.receive(HELLO)
    made.receive(can(b"STLS"))
    events = made.receive(b"+OK go\r\n" + words)
    assert StartTls not in kinds(events)
    assert isinstance(events[-1], BrokeProtocol)
    made = server(POP3, JOE, STARTTLS)
    made.receive(HELLO)
    made.receive(can(b"STLS"))
    assert kinds(made.receive(b"+OK go\r\n")) == [StartTls]
    assert kinds(made.receive(words)) == [BrokeProtocol]


ASKED = [HELLO, CAPA, can(b"USER"), b"USER joe\r\n", b"+OK\r\n", b"PASS s3 cret\r\n"]


@pytest.mark.parametrize("code", [b"SYS/TEMP", b"SYS/PERM", b"IN-USE", b"LOGIN-DELAY"])
def test_unavailable_by_code(code: bytes) -> None:
    event = play(JOE, *ASKED, b"-ERR [" + code + b"] no\r\n")
    assert isinstance(event, Unavailable)
    assert event.code == code


def test_unavailable() -> None:
    assert isinstance(play(JOE, b"-ERR full\r\n"), Unavailable)
    assert isinstance(play(JOE, HELLO, CAPA, can(b"TOP")), Unavailable)
    assert isinstance(play(MASTER, HELLO, CAPA, can(b"USER")), Unavailable)
    assert isinstance(play(JOE, HELLO, CAPA, can(b"USER"), settings=STARTTLS), Unavailable)
    refused = [HELLO, CAPA, can(b"STLS"), b"STLS\r\n", b"-ERR no\r\n"]
    assert isinstance(play(JOE, *refused, settings=STARTTLS), Unavailable)
    made = server(POP3, JOE)
    assert made.lost("no answer in time") == [Unavailable("no answer in time")]


BROKEN: dict[str, list[bytes]] = {
    "IMAP": [b"* OK ready\r\n"],
    "SMTP": [b"220 mail ESMTP\r\n"],
    "challenge as greeting": [b"+ x\r\n"],
    "NUL": [b"+OK \0\r\n"],
    "bare LF": [b"+OK\n"],
    "endless line": [b"+OK " + b"x" * 2000],
    "endless list": [HELLO, CAPA, b"+OK\r\n" + b"X\r\n" * 300],
    "challenge out of place": [*ASKED, b"+ x\r\n"],
    "nonsense": [*ASKED, b"hello\r\n"],
    "asks on": [*WAYS["long initial response"][1], b"+ more\r\n"],
}


@pytest.mark.parametrize(("name", "script"), BROKEN.items(), ids=BROKEN)
def test_broken(name: str, script: list[bytes]) -> None:
    login = LONG if name == "asks on" else JOE
    assert isinstance(play(login, *script), BrokeProtocol)


def test_learn() -> None:
    script = [HELLO, CAPA, can(b"TOP", b"SASL PLAIN"), b"QUIT\r\n"]
    assert play(None, *script) == Learnt((b"TOP", b"SASL PLAIN"))


# ------------------------------------------------------------------ whose connection it is

ORIGIN = Origin("192.0.2.9", 4321, session=b"s1", hops_left=4)
XCLIENT = b"XCLIENT ADDR=192.0.2.9 PORT=4321 SESSION=s1 TTL=3\r\n"


@pytest.mark.parametrize("answer", [b"+OK noted\r\n", b"-ERR never heard\r\n"])
def test_introduction(answer: bytes) -> None:
    made = server(POP3, JOE, ServerSettings(), ORIGIN)
    made.receive(b"+OK [XCLIENT] ready\r\n")
    assert sent(made.receive(can(b"USER"))) == XCLIENT
    assert sent(made.receive(answer)) == b"USER joe\r\n"


def test_introduction_in_one_flight() -> None:
    made = server(POP3, JOE, ServerSettings(), ORIGIN)
    made.receive(HELLO)
    events = made.receive(can(b"USER", b"XCLIENT", b"PIPELINING"))
    assert sent(events) == XCLIENT + b"USER joe\r\nPASS s3 cret\r\n"
    assert made.receive(b"+OK noted\r\n+OK go on\r\n+OK in\r\n") == [LoggedIn(b"in")]


def test_no_introduction_where_nobody_asks() -> None:
    made = server(POP3, JOE, ServerSettings(), ORIGIN)
    made.receive(HELLO)
    assert sent(made.receive(can(b"USER"))) == b"USER joe\r\n"


@pytest.mark.parametrize("login", [JOE, MASTER])
def test_two_directors_in_a_row(login: ServerLogin) -> None:
    far = client(POP3, Peer(is_tls=True, is_trusted=True), greet=False)
    assert chain(server(POP3, login, ServerSettings(), ORIGIN), far) == [LoggedIn(b"in")]
    assert far.origin == Origin("192.0.2.9", 4321, session=b"s1", hops_left=3)


def test_ring_of_directors_ends() -> None:
    made = server(POP3, JOE, origin=Origin(hops_left=1))
    assert kinds(made.receive(HELLO)) == [Unavailable]


def test_two_directors_with_starttls() -> None:
    far = client(POP3, Peer(), greet=False)
    heard = chain(server(POP3, JOE, STARTTLS), far)
    assert only(heard, LoggedIn) == LoggedIn(b"in")


# ------------------------------------------------------------------ totality

SCRIPTS: dict[ServerState, list[bytes]] = {
    ServerState.GREETING: [],
    ServerState.CAPABILITIES: [HELLO],
    ServerState.STARTTLS: [HELLO, can(b"STLS")],
    ServerState.TLS: [HELLO, can(b"STLS"), b"+OK\r\n"],
    ServerState.INTRODUCE: [HELLO, can(b"XCLIENT", b"USER")],
    ServerState.LOGIN: [HELLO, can(b"USER")],
    ServerState.DONE: [HELLO, can(b"USER"), b"+OK\r\n+OK in\r\n"],
    ServerState.FAILED: [b"-ERR\r\n"],
}
INPUTS = [b"+OK x\r\n", b"-ERR x\r\n", b"+ x\r\n", b".\r\n", b"\0", b"junk\r\n", can(b"STLS")]


@pytest.mark.parametrize("data", INPUTS)
@pytest.mark.parametrize("state", ServerState)
def test_every_answer_in_every_state(state: ServerState, data: bytes) -> None:
    in_tls = state in {ServerState.STARTTLS, ServerState.TLS}
    made = server(POP3, JOE, ServerSettings(starttls=in_tls))
    for said in SCRIPTS[state]:
        made.receive(said)
    assert made.state is state
    if state is not ServerState.TLS:
        with pytest.raises(DialogueMisuse):
            made.tls_started()
    was_over = made.is_over
    events = made.receive(data)
    assert (sum(type(event) in LAST for event in events) == 1) == (made.is_over and not was_over)


@given(st.lists(st.sampled_from([*INPUTS, can(b"STLS", b"USER", b"SASL PLAIN")]), max_size=12))
def test_whatever_a_server_sends(parts: list[bytes]) -> None:
    made, events = server(POP3, MASTER, STARTTLS), list[Event]()
    for data in parts:
        events += made.receive(data)
        if made.state is ServerState.TLS:
            events += made.tls_started()
    assert sum(type(event) in LAST for event in events) == made.is_over
