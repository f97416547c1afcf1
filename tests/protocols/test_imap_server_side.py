"""The IMAP dialogue with a server: every way to a login, and everything that a server may break."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.imap.server_side import ImapServerSide
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
from support.login_talk import IMAP, TLS, chain, client, kinds, only, sent, server

JOE = ServerLogin(b"joe", b"s3cret")
MASTER = ServerLogin(b"master", b"m", b"joe")
STAR = ServerLogin(b"master", b"m", b"joe", separator=b"*")
CERTIFICATE = ServerLogin(b"", authorize_as=b"joe", external=True)
PLAIN_JOE = base64.b64encode(b"\0joe\0s3cret")
PLAIN_MASTER = base64.b64encode(b"joe\0master\0m")
STARTTLS = ServerSettings(starttls=True)
LAST = {Learnt, LoggedIn, Refused, Unavailable, BrokeProtocol}


def hello(words: bytes) -> bytes:
    return b"* OK [CAPABILITY IMAP4rev1 " + words + b"] hi\r\n"


def play(
    login: ServerLogin | None, *script: bytes, settings: ServerSettings | None = None
) -> Event:
    """Server and director in turn; an empty string is the handshake. Returns the last event."""
    made = server(login=login, settings=settings)
    last: list[Event] = []
    for said, answer in zip(script[::2], [*script[1::2], b""], strict=False):
        events = made.receive(said) if said else made.tls_started()
        assert sent(events) == answer
        last = [event for event in events if type(event) in LAST]
    assert made.is_over
    (event,) = last
    return event


OK = LoggedIn(b"in")
WAYS: dict[str, tuple[ServerLogin, list[bytes]]] = {
    "SASL-IR": (
        JOE,
        [hello(b"SASL-IR AUTH=PLAIN"), b"L1 AUTHENTICATE PLAIN " + PLAIN_JOE + b"\r\n"],
    ),
    "PLAIN in two steps": (
        MASTER,
        [
            hello(b"AUTH=PLAIN"),
            b"L1 AUTHENTICATE PLAIN\r\n",
            b"+ \r\n",
            PLAIN_MASTER + b"\r\n",
        ],
    ),
    "LOGIN": (JOE, [hello(b""), b'L1 LOGIN "joe" "s3cret"\r\n']),
    "LOGIN as master": (STAR, [hello(b""), b'L1 LOGIN "joe*master" "m"\r\n']),
    "SASL LOGIN": (
        JOE,
        [
            hello(b"LOGINDISABLED AUTH=LOGIN"),
            b"L1 AUTHENTICATE LOGIN\r\n",
            b"+ VXNlcm5hbWU6\r\n",
            b"am9l\r\n",
            b"+ UGFzc3dvcmQ6\r\n",
            b"czNjcmV0\r\n",
        ],
    ),
    "EXTERNAL": (
        CERTIFICATE,
        [hello(b"SASL-IR AUTH=PLAIN AUTH=EXTERNAL"), b"L1 AUTHENTICATE EXTERNAL am9l\r\n"],
    ),
    "EXTERNAL as itself": (
        ServerLogin(b"", external=True),
        [hello(b"SASL-IR AUTH=EXTERNAL"), b"L1 AUTHENTICATE EXTERNAL =\r\n"],
    ),
    "literals": (
        ServerLogin(b"joe", b"\xc3\xbc"),
        [hello(b""), b'L1 LOGIN "joe" {2}\r\n', b"+ go\r\n", b"\xc3\xbc\r\n"],
    ),
    "LITERAL+": (
        ServerLogin(b"joe", b"\xc3\xbc"),
        [hello(b"LITERAL+"), b'L1 LOGIN "joe" {2+}\r\n\xc3\xbc\r\n'],
    ),
}


@pytest.mark.parametrize(("login", "script"), WAYS.values(), ids=WAYS)
def test_ways_in(login: ServerLogin, script: list[bytes]) -> None:
    assert play(login, *script, b"L1 OK in\r\n") == OK
    assert play(login, *script, b"L1 NO [AUTHENTICATIONFAILED] no\r\n") == Refused(
        b"AUTHENTICATIONFAILED", b"no"
    )


def test_capabilities_are_asked_for() -> None:
    script = [b"* OK hi\r\n", b"L1 CAPABILITY\r\n", b"* CAPABILITY IMAP4rev1\r\nL1 OK x\r\n"]
    assert play(JOE, *script, b'L2 LOGIN "joe" "s3cret"\r\n', b"L2 OK in\r\n") == OK


def test_byte_by_byte() -> None:
    made, out, events = server(login=JOE), b"", list[Event]()
    for data in (hello(b""), b"* 1 EXISTS\r\nL1 OK in\r\n"):
        for byte in data:
            events = made.receive(bytes((byte,)))
            out += sent(events)
    assert out == b'L1 LOGIN "joe" "s3cret"\r\n'
    assert events == [LoggedIn(b"in", b"* 1 EXISTS\r\n")]


def test_starttls() -> None:
    script = [
        hello(b"STARTTLS"),
        b"L1 STARTTLS\r\n",
        b"L1 OK go\r\n",
        b"",
        b"",
        b"L2 CAPABILITY\r\n",
        b"* CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\r\nL2 OK x\r\n",
        b"L3 AUTHENTICATE PLAIN " + PLAIN_JOE + b"\r\n",
        b"L3 OK in\r\n",
    ]
    assert play(JOE, *script, settings=STARTTLS) == OK


@pytest.mark.parametrize(
    "words", [b"L2 OK fake\r\n", b"* CAPABILITY IMAP4rev1\r\n", b"* PREAUTH x\r\n", b"x"]
)
def test_injected_before_tls(words: bytes) -> None:
    """The mirror of command injection: answers in clear are not taken for answers under TLS."""
    made = server(login=JOE, settings=STARTTLS)
    made.receive(hello(b"STARTTLS"))
    events = made.receive(b"L1 OK go\r\n" + words)
    assert StartTls not in kinds(events)
    assert isinstance(events[-1], BrokeProtocol)
    made = server(login=JOE, settings=STARTTLS)
    made.receive(hello(b"STARTTLS"))
    assert kinds(made.receive(b"L1 OK go\r\n")) == [StartTls]
    assert kinds(made.receive(words)) == [BrokeProtocol]


def test_what_was_learnt_in_clear_is_forgotten() -> None:
    made = server(login=JOE, settings=STARTTLS)
    made.receive(hello(b"STARTTLS AUTH=PLAIN SASL-IR"))
    made.receive(b"L1 OK go\r\n")
    made.tls_started()
    assert kinds(made.receive(b"L2 OK no list\r\n")) == [BrokeProtocol]


UNAVAILABLE: dict[str, list[bytes]] = {
    "BYE": [b"* BYE [UNAVAILABLE] full\r\n"],
    "BYE later": [hello(b""), b'L1 LOGIN "joe" "s3cret"\r\n', b"* BYE x\r\n"],
    "no login on offer": [hello(b"LOGINDISABLED")],
    "temporary": [hello(b""), b'L1 LOGIN "joe" "s3cret"\r\n', b"L1 NO [UNAVAILABLE] x\r\n"],
    "in use": [hello(b""), b'L1 LOGIN "joe" "s3cret"\r\n', b"L1 NO [inuse] x\r\n"],
}


@pytest.mark.parametrize("script", UNAVAILABLE.values(), ids=UNAVAILABLE)
def test_unavailable(script: list[bytes]) -> None:
    assert isinstance(play(JOE, *script), Unavailable)


def test_code_of_unavailable() -> None:
    event = play(JOE, *UNAVAILABLE["in use"])
    assert isinstance(event, Unavailable)
    assert event.code == b"INUSE"


def test_starttls_missing_or_refused() -> None:
    assert isinstance(play(JOE, hello(b"AUTH=PLAIN"), settings=STARTTLS), Unavailable)
    refused = [hello(b"STARTTLS"), b"L1 STARTTLS\r\n", b"L1 NO x\r\n"]
    assert isinstance(play(JOE, *refused, settings=STARTTLS), Unavailable)
    assert isinstance(play(MASTER, hello(b"")), Unavailable)


ASKED = [hello(b""), b'L1 LOGIN "joe" "s3cret"\r\n']
TWO_STEPS = [hello(b"AUTH=PLAIN"), b"L1 AUTHENTICATE PLAIN\r\n"]
BROKEN: dict[str, list[bytes]] = {
    "PREAUTH": [b"* PREAUTH hi\r\n"],
    "PREAUTH later": [*ASKED, b"* PREAUTH hi\r\n"],
    "NO as greeting": [b"* NO hi\r\n"],
    "tagged greeting": [b"L1 OK hi\r\n"],
    "SMTP": [b"220 mail ESMTP\r\n"],
    "POP3": [b"+OK ready\r\n"],
    "HTTP": [b"HTTP/1.1 400 Bad Request\r\n"],
    "TLS alert": [b"\x15\x03\x01\x00\x02\x02\x46"],
    "NUL": [b"* OK \0\r\n"],
    "endless line": [b"* OK " + b"x" * 9000],
    "bare LF": [b"* OK hi\n"],
    "wrong tag": [*ASKED, b"L2 OK in\r\n"],
    "BAD": [*ASKED, b"L1 BAD what\r\n"],
    "untagged BAD": [*ASKED, b"* BAD what\r\n"],
    "nonsense": [*ASKED, b"L1 MAYBE x\r\n"],
    "continuation out of place": [*ASKED, b"+ go on\r\n"],
    "asks on": [*TWO_STEPS, b"+ \r\n", PLAIN_JOE + b"\r\n", b"+ more\r\n"],
    "endless answers": [*ASKED, b"* 1 EXISTS\r\n" * 200],
    "endless data": [*ASKED, (b"* X " + b"x" * 8000 + b"\r\n") * 9],
    "no list": [b"* OK hi\r\n", b"L1 CAPABILITY\r\n", b"L1 OK done\r\n"],
    "CAPABILITY refused": [b"* OK hi\r\n", b"L1 CAPABILITY\r\n", b"L1 BAD what\r\n"],
}


@pytest.mark.parametrize("script", BROKEN.values(), ids=BROKEN)
def test_broken(script: list[bytes]) -> None:
    assert isinstance(play(JOE, *script), BrokeProtocol)


def test_ok_before_all_was_sent() -> None:
    script = [hello(b""), b'L1 LOGIN "joe" {2}\r\n', b"L1 OK in\r\n"]
    assert isinstance(play(ServerLogin(b"joe", b"\xc3\xbc"), *script), BrokeProtocol)


def test_no_answer() -> None:
    for data in (b"", hello(b"")):
        made = server(login=JOE)
        made.receive(data)
        assert made.lost("no answer in time") == [Unavailable("no answer in time")]
        assert made.lost("again") == []
        assert made.receive(b"L1 OK in\r\n") == []


def test_learn() -> None:
    script = [b"* OK hi\r\n", b"L1 CAPABILITY\r\n", b"* CAPABILITY IMAP4rev1 IDLE\r\nL1 OK x\r\n"]
    assert play(None, *script, b"L2 LOGOUT\r\n") == Learnt((b"IMAP4rev1", b"IDLE"))
    assert play(None, hello(b"IDLE"), b"L1 LOGOUT\r\n") == Learnt((b"IMAP4rev1", b"IDLE"))


def test_words_for_the_client() -> None:
    made = server(login=JOE)
    made.receive(hello(b""))
    (event,) = made.receive(
        b"* OK [ALERT] quota\r\nL1 OK [CAPABILITY IMAP4rev1 UNAUTHENTICATE IDLE] in\r\n* 1 EXISTS"
    )
    assert event == LoggedIn(
        b"[CAPABILITY IMAP4rev1 IDLE] in",
        b"* OK [ALERT] quota\r\n",
        b"* 1 EXISTS",
        (b"IMAP4rev1", b"UNAUTHENTICATE", b"IDLE"),
    )
    made = server(login=JOE)
    made.receive(hello(b""))
    (event,) = made.receive(b"* CAPABILITY IMAP4rev1 AUTH=PLAIN IDLE\r\nL1 OK [ALERT] in\r\n")
    assert isinstance(event, LoggedIn)
    assert event.text == b"[ALERT] in"
    assert event.untagged == b"* CAPABILITY IMAP4rev1 IDLE\r\n"


# ------------------------------------------------------------------ whose connection it is


def test_introduction_goes_in_one_flight_with_the_login() -> None:
    origin = Origin("192.0.2.9", 4321, session=b"s1", hops_left=4)
    made = ImapServerSide(ServerSettings(), JOE, origin, ((b"name", b"mutt"), (b"x", b"\xff")))
    assert sent(made.receive(hello(b"ID"))) == (
        b'L1 ID ("x-originating-ip" "192.0.2.9" "x-originating-port" "4321" "x-session-id" "s1" '
        b'"x-proxy-ttl" "3" "name" "mutt")\r\nL2 LOGIN "joe" "s3cret"\r\n'
    )
    assert made.receive(b"* ID NIL\r\nL1 BAD never heard\r\n") == []
    assert made.receive(b"L2 OK in\r\n") == [OK]


def test_ring_of_directors_ends() -> None:
    made = server(login=JOE, origin=Origin(hops_left=1))
    assert isinstance(made.receive(hello(b""))[-1], Unavailable)
    learner = server(origin=Origin(hops_left=1))
    assert learner.receive(hello(b""))[-1] == Learnt((b"IMAP4rev1",))


@pytest.mark.parametrize("login", [JOE, MASTER])
def test_two_directors_in_a_row(login: ServerLogin) -> None:
    far = client(IMAP, Peer(is_tls=True, is_trusted=True), greet=False)
    near = server(login=login, settings=ServerSettings(), origin=Origin("192.0.2.9", hops_left=5))
    assert chain(near, far) == [OK]
    assert far.origin == Origin("192.0.2.9", hops_left=4)


def test_two_directors_with_starttls() -> None:
    far = client(IMAP, Peer(), greet=False)
    assert kinds(chain(server(login=JOE, settings=STARTTLS), far)) == [StartTls, LoggedIn]
    heard = only(chain(server(), client(IMAP, TLS, greet=False)), Learnt)
    assert b"SASL-IR" in heard.capabilities


FROM_DOVECOT = (
    (
        b"* OK [CAPABILITY IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ AUTH=PLAIN "
        b"AUTH=LOGIN AUTH=EXTERNAL] Dovecot (Debian) ready.\r\n"
    ),
    (
        b'* ID ("name" "Dovecot")\r\nL1 OK ID completed (0.001 + 0.000 secs).\r\n'
        b"L2 OK [CAPABILITY IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+] Logged in\r\n"
    ),
)
"""The greeting of Dovecot 2.3.19, and answers in its manner."""


def test_one_round_trip_after_the_greeting() -> None:
    made = ImapServerSide(ServerSettings(), MASTER, Origin("192.0.2.9"))
    assert sent(made.receive(FROM_DOVECOT[0])) == (
        b'L1 ID ("x-originating-ip" "192.0.2.9" "x-proxy-ttl" "9")\r\n'
        b"L2 AUTHENTICATE PLAIN " + PLAIN_MASTER + b"\r\n"
    )
    found = only(made.receive(FROM_DOVECOT[1]), LoggedIn)
    assert found.text == b"[CAPABILITY IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+] Logged in"


# ------------------------------------------------------------------ totality

SCRIPTS: dict[ServerState, list[bytes]] = {
    ServerState.GREETING: [],
    ServerState.CAPABILITIES: [b"* OK hi\r\n"],
    ServerState.STARTTLS: [hello(b"STARTTLS")],
    ServerState.TLS: [hello(b"STARTTLS"), b"L1 OK go\r\n"],
    ServerState.INTRODUCE: [hello(b"ID")],
    ServerState.LOGIN: [hello(b"")],
    ServerState.DONE: [hello(b""), b"L1 OK in\r\n"],
    ServerState.FAILED: [b"* BYE\r\n"],
}
INPUTS = [
    *(b"* OK hi\r\n", b"* BYE x\r\n", b"* PREAUTH x\r\n", b"* CAPABILITY X\r\n", b"+ x\r\n"),
    *(b"L1 OK x\r\n", b"L1 NO x\r\n", b"L1 BAD x\r\n", b"L9 OK x\r\n", b"\0", b"junk\r\n"),
]


@pytest.mark.parametrize("data", INPUTS)
@pytest.mark.parametrize("state", ServerState)
def test_every_answer_in_every_state(state: ServerState, data: bytes) -> None:
    in_tls = state in {ServerState.STARTTLS, ServerState.TLS}
    made = server(login=JOE, settings=ServerSettings(starttls=in_tls))
    for said in SCRIPTS[state]:
        made.receive(said)
    assert made.state is state
    was_over = made.is_over
    events = made.receive(data)
    assert (sum(type(event) in LAST for event in events) == 1) == (made.is_over and not was_over)


@pytest.mark.parametrize("state", ServerState)
def test_handshake_only_when_asked_for(state: ServerState) -> None:
    in_tls = state in {ServerState.STARTTLS, ServerState.TLS}
    made = server(login=JOE, settings=ServerSettings(starttls=in_tls))
    for said in SCRIPTS[state]:
        made.receive(said)
    if state is ServerState.TLS:
        assert sent(made.tls_started()) == b"L2 CAPABILITY\r\n"
    else:
        with pytest.raises(DialogueMisuse):
            made.tls_started()


@given(st.lists(st.sampled_from([*INPUTS, hello(b"ID"), hello(b"STARTTLS")]), max_size=12))
def test_whatever_a_server_sends(parts: list[bytes]) -> None:
    made, events = server(login=MASTER, settings=STARTTLS), list[Event]()
    for data in parts:
        events += made.receive(data)
        if made.state is ServerState.TLS:
            events += made.tls_started()
    assert sum(type(event) in LAST for event in events) == made.is_over
