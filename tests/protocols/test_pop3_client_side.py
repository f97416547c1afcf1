"""The POP3 dialogue with a client: its own commands and words, and stdlib poplib as a client."""

import poplib
from dataclasses import replace

import pytest

from l7lb_protocols.login.client_side import ClientSettings, Peer
from l7lb_protocols.login.events import (
    Close,
    Credentials,
    Event,
    Identified,
    LoggedIn,
    Relay,
    StartTls,
    Verdict,
)
from l7lb_protocols.login.origin import Origin
from l7lb_protocols.pop3.client_side import Pop3ClientSide
from support.login_talk import CLEAR, SETTINGS, TLS, only, sent

TRUSTED = replace(TLS, is_trusted=True)


def pop3(peer: Peer = TLS, settings: ClientSettings = SETTINGS) -> Pop3ClientSide:
    made = Pop3ClientSide(settings, peer)
    made.greet()
    return made


MECHANISMS = b"SCRAM-SHA-256 PLAIN LOGIN"
ANSWERS = {
    b"CAPA\r\n": b"+OK Capabilities follow.\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nUSER\r\nSASL "
    + MECHANISMS
    + b"\r\n.\r\n",
    b"AUTH\r\n": b"+OK Mechanisms follow.\r\n" + MECHANISMS.replace(b" ", b"\r\n") + b"\r\n.\r\n",
    b"noop\r\n": b"+OK Nothing done.\r\n",
    b"QUIT\r\n": b"+OK Bye.\r\n",
    b"USER joe\r\n": b"+OK Go on.\r\n",
    b"USER \xff\r\n": b"-ERR name is not UTF-8\r\n",
    b"USER\r\n": b"-ERR Argument missing.\r\n",
    b"PASS x\r\n": b"-ERR USER first.\r\n",
    b"USER joe\r\nPASS \r\n": b"+OK Go on.\r\n-ERR secret is empty or too long\r\n",
    b"USER joe\r\nAUTH X\r\nPASS x\r\n": b"+OK Go on.\r\n-ERR Mechanism is not on offer.\r\n"
    b"-ERR USER first.\r\n",
    b"APOP joe c4c9334bac560ecc979e58001b3e22fb\r\n": b"-ERR Not a command before login.\r\n",
    b"STAT\r\n": b"-ERR Not a command before login.\r\n",
    b"UTF8\r\n": b"-ERR Not a command before login.\r\n",
    b"CAPA x\r\n": b"-ERR No argument here.\r\n",
    b"STLS\r\n": b"-ERR STLS is not possible here.\r\n",
    b"AUTH PLAIN x y\r\n": b"-ERR Wrong number of arguments.\r\n",
    b"AUTH GSSAPI\r\n": b"-ERR Mechanism is not on offer.\r\n",
    b"AUTH PLAIN !\r\n": b"-ERR message is not Base64\r\n",
    b"XCLIENT ADDR=1.2.3.4\r\n": b"-ERR Not allowed.\r\n",
}


@pytest.mark.parametrize(("data", "answer"), ANSWERS.items(), ids=map(repr, ANSWERS))
def test_answer(data: bytes, answer: bytes) -> None:
    assert sent(pop3().receive(data)) == answer
    bytewise = pop3()
    assert b"".join(sent(bytewise.receive(bytes((byte,)))) for byte in data) == answer


def test_secret_with_spaces() -> None:
    events = pop3().receive(b"USER joe doe\r\nCAPA\r\nPASS  a  b \r\n")
    assert only(events, Credentials) == Credentials(b"USER", b"joe doe", b"", b" a  b ")


def test_user_must_come_again_after_a_failure() -> None:
    made = pop3()
    made.receive(b"USER joe\r\nPASS x\r\n")
    made.refuse(Verdict.FAILED)
    assert sent(made.receive(b"PASS y\r\n")) == b"-ERR USER first.\r\n"


@pytest.mark.parametrize(
    ("verdict", "answer"),
    [
        (Verdict.FAILED, b"-ERR [AUTH] Authentication failed.\r\n"),
        (Verdict.IN_USE, b"-ERR [IN-USE] The maildrop is in use.\r\n"),
        (Verdict.UNAVAILABLE, b"-ERR [SYS/TEMP] Not possible now, try again later.\r\n"),
    ],
)
def test_verdict(verdict: Verdict, answer: bytes) -> None:
    made = pop3()
    made.receive(b"USER joe\r\nPASS x\r\n")
    assert sent(made.refuse(verdict)) == answer


def test_in_clear() -> None:
    made = pop3(CLEAR)
    answer = sent(made.receive(b"CAPA\r\nUSER joe\r\n"))
    assert b"\r\nSTLS\r\nSASL SCRAM-SHA-256\r\n.\r\n-ERR Passwords only with TLS.\r\n" in answer
    assert only(made.receive(b"STLS\r\n"), StartTls)


def test_origin_of_a_trusted_peer() -> None:
    made = Pop3ClientSide(SETTINGS, TRUSTED)
    assert sent(made.greet()) == b"+OK [XCLIENT] ready\r\n"
    events = made.receive(b"XCLIENT ADDR=192.0.2.9 PORT=4321 TTL=3\r\n")
    assert only(events, Identified).origin == Origin("192.0.2.9", 4321, hops_left=3)
    assert sent(events) == b"+OK Noted.\r\n"
    assert sent(made.receive(b"XCLIENT ADDR=joe\r\n")) == b"-ERR malformed origin\r\n"


def test_quit_ends_it() -> None:
    events = pop3().receive(b"QUIT\r\nNOOP\r\n")
    assert only(events, Close).reason == "logout"
    assert sent(events) == b"+OK Bye.\r\n"


# ------------------------------------------------------------------ poplib as a client


class Pipe:
    """Stands for poplib's socket and its file; the driver here knows joe's password."""

    def __init__(self) -> None:
        self.dialogue = Pop3ClientSide(SETTINGS, TLS)
        self.said = bytearray()
        self.relayed: bytes | None = None
        self.drive(self.dialogue.greet())

    def drive(self, events: list[Event]) -> None:
        self.said += sent(events)
        for event in events:
            if isinstance(event, Credentials):
                if (event.account, event.secret) == (b"joe", b"p w"):
                    self.drive(self.dialogue.accept(LoggedIn(b"in")))
                else:
                    self.drive(self.dialogue.refuse(Verdict.FAILED))
            elif isinstance(event, Relay):
                self.relayed = event.rest

    def makefile(self, mode: str) -> "Pipe":
        return self

    def sendall(self, data: bytes) -> None:
        self.drive(self.dialogue.receive(data))

    def readline(self, limit: int) -> bytes:
        end = self.said.index(b"\n") + 1
        line = bytes(self.said[:end])
        del self.said[:end]
        return line

    def close(self) -> None:
        pass


class Through(poplib.POP3):
    def __init__(self) -> None:
        self.pipe = Pipe()
        super().__init__("nowhere")

    def _create_socket(self, timeout: float) -> Pipe:
        return self.pipe

    def close(self) -> None:
        pass


def test_poplib() -> None:
    mail = Through()
    assert mail.getwelcome() == b"+OK ready"
    assert mail.capa()["SASL"] == MECHANISMS.decode().split()
    mail.user("joe")
    with pytest.raises(poplib.error_proto, match="AUTH"):
        mail.pass_("wrong")
    mail.user("joe")
    assert mail.pass_("p w") == b"+OK in"
    assert mail.pipe.relayed == b""


def test_poplib_quit() -> None:
    assert Through().quit() == b"+OK Bye."
