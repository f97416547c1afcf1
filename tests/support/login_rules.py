"""What must hold of the dialogues before login and of SASL whatever comes; for fuzz targets and
for Hypothesis. Anything but a documented error or event is a failure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from l7lb_protocols.imap.commands import Command, CommandReader
from l7lb_protocols.imap.errors import ImapRefusal
from l7lb_protocols.imap.render import Literals, command
from l7lb_protocols.login.events import (
    BrokeProtocol,
    Credentials,
    Event,
    KeysWanted,
    Learnt,
    LoggedIn,
    Refused,
    StartTls,
    Unavailable,
    Verdict,
    WrongProof,
)
from l7lb_protocols.login.server_side import ServerLogin, ServerSettings
from l7lb_protocols.login.states import ClientState, ServerState
from l7lb_protocols.sasl.encoding import decode, encode
from l7lb_protocols.sasl.errors import SaslProblem
from l7lb_protocols.sasl.offer import exchange
from l7lb_protocols.sasl.steps import Challenge, Step
from support.login_talk import (
    ALL_MECHANISMS,
    CLEAR,
    KEYS,
    NONCE,
    SETTINGS,
    TLS,
    client,
    sent,
    server,
)

IMAP_CLIENT = (
    b"a CAPABILITY\r\nb LOGIN joe s3cret\r\nc LOGOUT\r\n",
    b'a ID ("name" {2}\r\nmy "x-proxy-ttl" "3" "os" NIL)\r\nb LOGIN "j\\"e" {3+}\r\nx\r\n\r\n',
    b"a AUTHENTICATE PLAIN AGpvZQBz\r\nb AUTHENTICATE LOGIN\r\nam9l\r\nczNjcmV0\r\n",
    b"a AUTHENTICATE SCRAM-SHA-256 bixhPWIsbj1qb2Uscj1hYmM=\r\nYz1iaXdzLHI9eCxwPVFRPT0=\r\n",
    b"a STARTTLS\r\nb NOOP\r\n",
)
POP3_CLIENT = (
    b"CAPA\r\nUSER joe\r\nPASS s3 cret\r\nQUIT\r\n",
    b"AUTH PLAIN AGpvZQBz\r\nAUTH\r\nAUTH LOGIN\r\nam9l\r\nczNjcmV0\r\n",
    b"XCLIENT ADDR=1.2.3.4 SESSION=a+2B TTL=3\r\nSTLS\r\nNOOP\r\n",
)
IMAP_SERVER = (
    (
        b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN ID] hi\r\n* ID NIL\r\nL1 OK x\r\n"
        b"* OK [ALERT] x\r\nL2 OK [CAPABILITY IDLE] in\r\n* 1 EXISTS\r\n"
    ),
    b"* OK hi\r\n* CAPABILITY IMAP4rev1\r\nL1 OK x\r\nL2 NO [UNAVAILABLE] x\r\n",
    b'* OK [CAPABILITY AUTH=PLAIN] hi\r\n+ \r\n* ID ("a" {3}\r\nabc)\r\nL1 OK in\r\n',
    b"* OK [CAPABILITY STARTTLS] hi\r\nL1 OK go\r\n",
)
POP3_SERVER = (
    b"+OK [XCLIENT] hi\r\n+OK\r\nUSER\r\n..x\r\n.\r\n+OK\r\n+OK\r\n+OK in\r\n+OK 1 1\r\n",
    b"+OK hi\r\n+OK\r\nSASL PLAIN\r\n.\r\n+ \r\n-ERR [IN-USE] x\r\n",
    b"+OK hi\r\n+OK\r\nSTLS\r\n.\r\n+OK\r\n",
)
SASL = (
    b"\0AGpvZQBz",
    b"\1am9l\nczNjcmV0",
    b"\2am9l",
    b"\3bixhPWIsbj1qb2Uscj1hYmM=\nYz1iaXdzLHI9YWJjbm5ubm5ubm5ubm5ubm5ubm5uLHA9UVE9PQ==",
)
LAST = (Learnt, LoggedIn, Refused, Unavailable, BrokeProtocol)


def pieces(data: bytes, size: int) -> Iterable[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def check_client(protocol: str, data: bytes) -> None:
    """The first byte chooses TLS and the size of pieces; pieces make no difference."""
    choice, rest = data[:1] or b"\0", data[1:]
    in_clear, size = choice[0] & 1, (choice[0] >> 1) % 16 + 1
    if in_clear:
        serve(protocol, rest, size, starttls=True)
    else:
        assert serve(protocol, rest, size) == serve(protocol, rest, len(rest) or 1)


def serve(
    protocol: str, data: bytes, size: int, *, starttls: bool = False
) -> tuple[list[Event], ClientState]:
    """Every login is refused; returns all logins, and where it ended."""
    settings = replace(SETTINGS, secrets_in_clear=True)
    made = client(protocol, CLEAR if starttls else TLS, settings)
    logins: list[Event] = []
    for piece in pieces(data, size):
        waiting = made.receive(piece)
        while waiting:
            event = waiting.pop(0)
            if isinstance(event, StartTls):
                waiting += made.tls_started()
            elif isinstance(event, KeysWanted):
                waiting += made.supply(KEYS, NONCE)
            elif isinstance(event, Credentials | WrongProof):
                logins.append(event)
                waiting += made.refuse(Verdict.UNAVAILABLE)
    assert made.state in {ClientState.COMMAND, ClientState.RESPONSE, ClientState.CLOSED}
    return logins, made.state


def check_server(protocol: str, data: bytes) -> None:
    """The first byte chooses the login and the size of pieces; pieces make no difference."""
    choice, rest = data[:1] or b"\0", data[1:]
    size = (choice[0] >> 2) % 16 + 1
    login = (None, ServerLogin(b"joe", b"\xc3"), ServerLogin(b"m", b"x", b"joe"))[choice[0] % 3]
    heard(protocol, rest, size, login, starttls=True)
    assert heard(protocol, rest, size, login) == heard(protocol, rest, len(rest) or 1, login)


def heard(
    protocol: str, data: bytes, size: int, login: ServerLogin | None, *, starttls: bool = False
) -> tuple[type[Event] | None, bytes]:
    """Which event was the last, and what was sent before it."""
    made = server(protocol, login, ServerSettings(starttls=starttls))
    last: list[Event] = []
    said = b""
    for piece in pieces(data, size):
        events = made.receive(piece)
        if made.state is ServerState.TLS:
            events += made.tls_started()
        said += sent(events)
        last += [event for event in events if isinstance(event, LAST)]
    assert len(last) == made.is_over
    return (type(last[0]) if last else None), said


def check_imap_commands(data: bytes) -> None:
    """What the reader takes, the builder writes so that it reads the same."""
    reader = CommandReader()
    reader.receive(data)
    try:
        while found := reader.next_command():
            if isinstance(found, Command):
                again = CommandReader()
                built = command(found.tag, found.name, found.arguments, Literals.PLUS)
                again.receive(b"".join(built))
                assert again.next_command() == found
                assert len(again) == 0
    except ImapRefusal:
        return


def check_sasl(data: bytes) -> None:
    """The first byte chooses the mechanism; lines of Base64 are the client's messages."""
    server_side = exchange(ALL_MECHANISMS[(data[:1] or b"\0")[0] % 4], b"joe")
    try:
        messages = [decode(line) for line in data[1:].split(b"\n")]
        assert b"\n".join(map(encode, messages)) == data[1:]
        step: Step = server_side.begin(messages[0])
        for message in [*messages[1:], b""]:
            if isinstance(step, KeysWanted):
                step = server_side.supply(KEYS, NONCE)
            if not isinstance(step, Challenge):
                break
            step = server_side.respond(message)
    except SaslProblem:
        return
    assert not isinstance(step, Credentials) or step.account
