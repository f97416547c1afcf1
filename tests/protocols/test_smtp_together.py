"""Both dialogues in one memory, and the standard library's client against ours."""

from __future__ import annotations

import io
import smtplib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.smtp.address import Address
from l7lb_protocols.smtp.client_events import (
    ClientEvent,
    DataWanted,
    ServerReady,
    TransactionEnded,
)
from l7lb_protocols.smtp.client_session import ClientSession, ClientSettings
from l7lb_protocols.smtp.parameters import Recipient, Sender
from l7lb_protocols.smtp.replies import reply
from l7lb_protocols.smtp.server_events import (
    RecipientAsked,
    SenderAsked,
    ServerEvent,
    VerdictAsked,
)
from l7lb_protocols.smtp.server_session import ServerSettings
from l7lb_protocols.smtp.verdict import Status
from support.smtp_driver import NAME, AutomaticServer

LINES = st.lists(st.sampled_from([b".", b"..", b"a", b"", b".a", b"\xff", b"QUIT"]), max_size=12)


def is_ben(event: ServerEvent) -> bool:
    return isinstance(event, RecipientAsked) and event.recipient.address.local == b"ben"


def server(*, lmtp: bool = False) -> AutomaticServer:
    return AutomaticServer(
        ServerSettings(NAME, lmtp=lmtp),
        refuse=lambda event: reply(550, b"5.1.1", "no") if is_ben(event) else None,
    )


def deliver(message: bytes, *, lmtp: bool, size: int) -> tuple[AutomaticServer, TransactionEnded]:
    """Our client gives our server a message, `size` octets at a time in both directions."""
    peer = server(lmtp=lmtp)
    session = ClientSession(ClientSettings(b"d.example", lmtp=lmtp))
    ended: list[TransactionEnded] = []
    events: list[ClientEvent] = session.receive(peer.sent)
    while not ended:
        for event in events:
            if isinstance(event, ServerReady):
                session.begin(Sender(Address(b"a", b"b")))
                for local in (b"ann", b"ben", b"c d"):
                    session.add(Recipient(Address(local, b"e")))
                session.data()
            elif isinstance(event, DataWanted):
                session.write(message)
                session.finish()
            elif isinstance(event, TransactionEnded):
                ended.append(event)
        data = session.output()
        sent = b"".join(peer.receive(data[at : at + size]) for at in range(0, len(data), size))
        events = [
            event
            for at in range(0, len(sent), size)
            for event in session.receive(sent[at : at + size])
        ]
        assert events or data or ended
    return peer, ended[0]


@pytest.mark.parametrize("lmtp", [False, True])
@given(LINES, st.integers(1, 40))
def test_message_arrives_as_it_was(lmtp: bool, lines: list[bytes], size: int) -> None:
    message = b"".join(line + b"\r\n" for line in lines)
    peer, ended = deliver(message, lmtp=lmtp, size=size)
    assert peer.messages == [message]
    assert [one.status for one in ended.outcomes] == [
        Status.DELIVERED,
        Status.PERMANENT,
        Status.DELIVERED,
    ]


class MemorySocket(io.RawIOBase):
    """What smtplib needs of a socket, with a session behind it."""

    def __init__(self, peer: AutomaticServer) -> None:
        self.peer = peer
        self.unread = io.BytesIO(peer.sent)

    def sendall(self, data: bytes) -> None:
        self.unread = io.BytesIO(self.unread.read() + self.peer.receive(data))

    def makefile(self, mode: str) -> MemorySocket:
        assert mode == "rb"
        return self

    def readline(self, size: int | None = -1, /) -> bytes:
        return self.unread.readline(size or -1)


def connected(peer: AutomaticServer) -> smtplib.SMTP:
    client = smtplib.LMTP.__new__(smtplib.LMTP) if peer.session.settings.lmtp else smtplib.SMTP()
    smtplib.SMTP.__init__(client, local_hostname="c.example")
    client.sock = MemorySocket(peer)  # type: ignore[assignment]
    assert client.getreply()[0] == 220
    return client


@pytest.mark.parametrize("lmtp", [False, True])
def test_smtplib_delivers(lmtp: bool) -> None:
    peer = server(lmtp=lmtp)
    client = connected(peer)
    text = "Subject: dots\n\n.\n..\n.a\nend"
    refused = client.sendmail("a@b", ["ann@e"], text, ["RET=HDRS"], ["NOTIFY=NEVER"])
    assert refused == {}
    assert peer.messages == [text.replace("\n", "\r\n").encode() + b"\r\n"]
    assert {"size", "8bitmime", "smtputf8", "pipelining", "dsn"} <= set(client.esmtp_features)
    assert client.quit()[0] == 221


def test_smtplib_hears_of_each_recipient() -> None:
    client = connected(server())
    assert client.sendmail("a@b", ["ann@e", "ben@e"], "x") == {"ben@e": (550, b"5.1.1 no")}
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        client.sendmail("a@b", ["ben@e"], "x")
    assert client.noop()[0] == 250


def test_smtplib_utf8() -> None:
    peer = server()
    client = connected(peer)
    client.sendmail("j\u00f6@b\u00e4r.example", ["ann@e"], b"x\r\n", ["SMTPUTF8"])
    (asked,) = (event for event in peer.events if isinstance(event, SenderAsked))
    assert asked.sender.address == Address("j\u00f6".encode(), "b\u00e4r.example".encode())
    assert asked.sender.parameters.smtputf8


@given(LINES.filter(bool))
def test_smtplib_dots(lines: list[bytes]) -> None:
    peer = server()
    message = b"".join(line + b"\r\n" for line in lines)
    connected(peer).sendmail("a@b", ["ann@e"], message)
    assert peer.messages == [message]
    (verdict,) = (event for event in peer.events if isinstance(event, VerdictAsked))
    assert verdict.size == len(message)


def test_smtplib_logs_in() -> None:
    peer = AutomaticServer()
    client = connected(peer)
    client.ehlo()
    code, _ = client.auth("TWO", lambda challenge=None: "sesame", initial_response_ok=False)
    assert code == 235
    assert peer.session.account == b"ann"


def test_smtplib_fails_to_log_in() -> None:
    client = connected(AutomaticServer())
    with pytest.raises(smtplib.SMTPAuthenticationError):
        client.login("ann", "wrong")
    assert client.noop()[0] == 250
