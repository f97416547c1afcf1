"""The IMAP dialogue with a client: its own commands and words, and stdlib imaplib as a client."""

import base64
import imaplib
from dataclasses import replace

import pytest

from l7lb_protocols.imap.client_side import ImapClientSide
from l7lb_protocols.imap.commands import CommandLimits
from l7lb_protocols.login.client_side import ClientSettings, Peer
from l7lb_protocols.login.events import (
    BadInput,
    Close,
    Credentials,
    Event,
    Identified,
    LoggedIn,
    Relay,
    Verdict,
)
from l7lb_protocols.login.origin import MAX_HOPS, Origin
from support.login_talk import CLEAR, SETTINGS, TLS, kinds, only, sent


def imap(
    peer: Peer = TLS, settings: ClientSettings = SETTINGS, limits: CommandLimits | None = None
) -> ImapClientSide:
    made = ImapClientSide(settings, peer, limits, ((b"name", b"l7lb"),))
    made.greet()
    return made


ANSWERS = {
    b"a CAPABILITY\r\n": b"* CAPABILITY IMAP4rev1 SASL-IR ID AUTH=SCRAM-SHA-256 AUTH=PLAIN "
    b"AUTH=LOGIN\r\na OK CAPABILITY completed.\r\n",
    b"a capability\r\n": b"* CAPABILITY IMAP4rev1 SASL-IR ID AUTH=SCRAM-SHA-256 AUTH=PLAIN "
    b"AUTH=LOGIN\r\na OK CAPABILITY completed.\r\n",
    b"a NOOP\r\n": b"a OK NOOP completed.\r\n",
    b"a LOGOUT\r\n": b"* BYE Logging out.\r\na OK LOGOUT completed.\r\n",
    b"a ID NIL\r\n": b'* ID ("name" "l7lb")\r\na OK ID completed.\r\n',
    b"a ENABLE IMAP4rev2\r\n": b"a BAD Not a command before login.\r\n",
    b"a SELECT inbox\r\n": b"a BAD Not a command before login.\r\n",
    b"a NOOP x\r\n": b"a BAD Wrong number of arguments.\r\n",
    b"a LOGIN x\r\n": b"a BAD Wrong number of arguments.\r\n",
    b"a LOGIN () x\r\n": b"a BAD LOGIN wants two strings.\r\n",
    b'a LOGIN joe ""\r\n': b"a BAD secret is empty or too long\r\n",
    b"a LOGIN joe {1+}\r\n\xff\r\n": b"a BAD secret is not UTF-8\r\n",
    b'a LOGIN joe "\t"\r\n': b"a BAD secret with a control character\r\n",
    b"a LOGIN {3+}\r\n\0oe x\r\n": b"a BAD NUL in a literal\r\n* BYE Closing.\r\n",
    b"a STARTTLS\r\n": b"a BAD STARTTLS is not possible here.\r\n",
    b'a AUTHENTICATE "PLAIN"\r\n': b"a BAD AUTHENTICATE wants atoms.\r\n",
    b"a AUTHENTICATE GSSAPI\r\n": b"a NO [CANNOT] Mechanism is not on offer.\r\n",
    b"a AUTHENTICATE PLAIN !\r\n": b"a BAD message is not Base64\r\n",
    b"a SELECT {5}\r\n": b"a BAD No literal here.\r\n",
    b"a LOGIN {5}\r\n": b"+ OK\r\n",
    b"a LOGIN {4097}\r\n": b"a BAD literal over the limit\r\n",
    b"a LOGIN {4097+}\r\n": b"a BAD literal over the limit\r\n* BYE Closing.\r\n",
    b"\r\n": b"* BAD malformed tag\r\n",
    b"a ID x\r\n": b"a BAD ID wants NIL or one list\r\n",
    b'a ID ("x-originating-ip" "joe")\r\n': b"a BAD ID with a malformed origin\r\n",
}


@pytest.mark.parametrize(("data", "answer"), ANSWERS.items(), ids=map(repr, ANSWERS))
def test_answer(data: bytes, answer: bytes) -> None:
    assert sent(imap().receive(data)) == answer
    bytewise = imap()
    assert b"".join(sent(bytewise.receive(bytes((byte,)))) for byte in data) == answer


def test_login_by_literals() -> None:
    made = imap()
    assert sent(made.receive(b"a LOGIN {3}\r\n")) == b"+ OK\r\n"
    assert sent(made.receive(b"joe {9}\r\n")) == b"+ OK\r\n"
    events = made.receive('p"ß \\{5}'.encode() + b"\r\n")
    assert events == [Credentials(b"LOGIN", b"joe", b"", 'p"ß \\{5}'.encode())]


def test_name_is_put_into_normal_form() -> None:
    events = imap().receive(b"a LOGIN {8+}\r\nju\xcc\x88rgen x\r\n")
    assert only(events, Credentials).account == "jürgen".encode()


def test_in_clear() -> None:
    made = imap(CLEAR)
    answer = sent(made.receive(b"a CAPABILITY\r\nb LOGIN joe x\r\nc AUTHENTICATE PLAIN\r\n"))
    assert b" STARTTLS LOGINDISABLED AUTH=SCRAM-SHA-256\r\n" in answer
    assert answer.endswith(
        b"b NO [PRIVACYREQUIRED] Passwords only with TLS.\r\n"
        b"c NO [PRIVACYREQUIRED] Passwords only with TLS.\r\n"
    )
    assert sent(made.receive(b"d LOGIN {3}\r\n")).startswith(b"d NO [PRIVACYREQUIRED]")
    assert sent(made.receive(b"e NOOP\r\n")) == b"e OK NOOP completed.\r\n"


def test_common_capabilities_are_shown() -> None:
    settings = replace(SETTINGS, capabilities=(b"IMAP4rev1", b"LITERAL+", b"IDLE", b"AUTH=GSSAPI"))
    made = ImapClientSide(settings, TLS)
    assert sent(made.greet()) == (
        b"* OK [CAPABILITY IMAP4rev1 SASL-IR ID LITERAL+ IDLE AUTH=SCRAM-SHA-256 AUTH=PLAIN "
        b"AUTH=LOGIN] ready\r\n"
    )
    assert sent(made.receive(b"a ID NIL\r\n")).startswith(b"* ID NIL\r\n")


def test_server_words_are_relayed() -> None:
    made = imap()
    made.receive(b"xyz LOGIN joe x\r\n")
    events = made.accept(LoggedIn(b"[CAPABILITY IDLE] Hi.", b"* OK [ALERT] full\r\n"))
    assert sent(events) == b"* OK [ALERT] full\r\nxyz OK [CAPABILITY IDLE] Hi.\r\n"


def test_logout_ends_it() -> None:
    events = imap().receive(b"a LOGOUT\r\nb NOOP\r\n")
    assert only(events, Close).reason == "logout"
    assert b"NOOP" not in sent(events)


HANDED = (
    b'a ID ("x-originating-ip" "192.0.2.9" "x-originating-port" "4321" "x-proxy-ttl" "3" '
    b'"name" "mutt")\r\n'
)


def test_origin_of_a_trusted_peer() -> None:
    made = imap(replace(TLS, is_trusted=True))
    found = only(made.receive(HANDED), Identified)
    assert found == Identified(((b"name", b"mutt"),), Origin("192.0.2.9", 4321, hops_left=3))
    assert made.origin == found.origin


def test_origin_of_anybody_else_only_ends_rings() -> None:
    made = imap()
    found = only(made.receive(HANDED), Identified)
    assert found == Identified(((b"name", b"mutt"),), Origin(hops_left=3))
    made.receive(b'b ID ("x-proxy-ttl" "9")\r\n')
    assert made.origin == Origin(hops_left=3)
    clear = imap(CLEAR)
    clear.receive(HANDED + b"b STARTTLS\r\n")
    clear.tls_started()
    assert clear.origin == Origin(hops_left=MAX_HOPS)


def test_bad_input_is_noted_without_the_words_of_the_client() -> None:
    events = imap().receive(b"a LOGIN joe hunter2 \xff\r\n")
    assert "hunter2" not in only(events, BadInput).reason
    assert "hunter2" not in repr(imap().receive(b"a LOGIN joe hunter2\r\n"))


# ------------------------------------------------------------------ imaplib as a client


class Through(imaplib.IMAP4):
    """Talks to the dialogue; the driver here knows joe's password."""

    def __init__(self) -> None:
        self.dialogue = ImapClientSide(SETTINGS, TLS, product=((b"name", b"l7lb"),))
        self.said = bytearray()
        self.relayed: bytes | None = None
        super().__init__()

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        self.host, self.port = host, port
        self.drive(self.dialogue.greet())

    def drive(self, events: list[Event]) -> None:
        self.said += sent(events)
        for event in events:
            if isinstance(event, Credentials):
                if (event.account, event.secret) == (b"joe", b'p"w {5}'):
                    self.drive(self.dialogue.accept(LoggedIn(b"[CAPABILITY IDLE] in")))
                else:
                    self.drive(self.dialogue.refuse(Verdict.FAILED))
            elif isinstance(event, Relay):
                self.relayed = event.rest

    def send(self, data: bytes) -> None:  # type: ignore[override]
        self.drive(self.dialogue.receive(data))

    def readline(self) -> bytes:
        end = self.said.index(b"\n") + 1
        line = bytes(self.said[:end])
        del self.said[:end]
        return line

    def read(self, size: int) -> bytes:
        raise AssertionError(size)

    def shutdown(self) -> None:
        pass


def test_imaplib_login() -> None:
    mail = Through()
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        mail.login("joe", "wrong")
    assert mail.login("joe", 'p"w {5}')[0] == "OK"
    assert mail.relayed == b""


def test_imaplib_authenticate() -> None:
    mail = Through()
    assert mail.noop()[0] == "OK"
    with pytest.raises(imaplib.IMAP4.error, match="BAD"):
        mail.authenticate("PLAIN", lambda _: None)
    assert mail.authenticate("PLAIN", lambda _: b'\0joe\0p"w {5}')[0] == "OK"


def test_imaplib_logout() -> None:
    mail = Through()
    assert mail.logout()[0] == "BYE"
    assert mail.dialogue.receive(b"x") == []
    assert kinds(imap().receive(b"a AUTHENTICATE PLAIN " + base64.b64encode(b"\0j\0x") + b"\r\n"))
