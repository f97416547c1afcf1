"""Dialogues with clients: what is said, what is asked, and in which order."""

from __future__ import annotations

import pytest

from l7lb_protocols.smtp.address import Address
from l7lb_protocols.smtp.data_reader import DataLimits
from l7lb_protocols.smtp.errors import Misuse
from l7lb_protocols.smtp.extensions import Extensions, Own
from l7lb_protocols.smtp.replies import Reply, reply
from l7lb_protocols.smtp.server_events import (
    Closed,
    DataAsked,
    EarlyTalk,
    HelloSaid,
    MessagePiece,
    MessageRefused,
    RecipientAsked,
    Refused,
    SenderAsked,
    ServerEvent,
    TransactionReset,
    VerdictAsked,
)
from l7lb_protocols.smtp.server_session import ServerSession, ServerSettings
from l7lb_protocols.smtp.server_states import State
from support.smtp_driver import NAME, AutomaticServer
from support.smtp_rules import bytewise

ENVELOPE = b"EHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n"


def codes(sent: bytes) -> list[int]:
    """Of each reply, once."""
    lines = sent.split(b"\r\n")[:-1]
    return [int(line[:3]) for line in lines if line[3:4] != b"-"]


def server(**settings: object) -> AutomaticServer:
    return AutomaticServer(ServerSettings(NAME, **settings))  # type: ignore[arg-type]


def kinds(events: list[ServerEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_one_message() -> None:
    peer = server(own=Own(max_bytes=1000))
    assert peer.sent == b"220 mx.example.org ESMTP\r\n"
    assert peer.receive(b"EHLO client.example\r\n") == (
        b"250-mx.example.org\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-DSN\r\n"
        b"250-ENHANCEDSTATUSCODES\r\n250 SIZE 1000\r\n"
    )
    assert peer.receive(b"MAIL FROM:<a@b> SIZE=8\r\n") == b"250 2.1.0 sender ok\r\n"
    assert peer.receive(b"RCPT TO:<c@d>\r\n") == b"250 2.1.5 recipient ok\r\n"
    assert peer.receive(b"DATA\r\n") == b"354 end data with <CR><LF>.<CR><LF>\r\n"
    assert peer.receive(b"hi\r\n..\r\n") == b""
    assert peer.receive(b".\r\n") == b"250 2.0.0 message accepted\r\n"
    assert peer.messages == [b"hi\r\n.\r\n"]
    assert peer.receive(b"QUIT\r\n") == b"221 2.0.0 mx.example.org closing\r\n"
    assert kinds(peer.events) == [
        "HelloSaid",
        "SenderAsked",
        "RecipientAsked",
        "DataAsked",
        "MessagePiece",
        "VerdictAsked",
        "Closed",
    ]


def test_byte_by_byte_the_same() -> None:
    dialogue = ENVELOPE + b"DATA\r\n.x\r\n\r\n.\r\nRSET\r\nMAIL FROM:<>\r\nQUIT\r\n"
    peer = server()
    for piece in bytewise(dialogue):
        peer.receive(piece)
    assert codes(peer.sent) == [220, 250, 250, 250, 354, 250, 250, 250, 221]
    assert peer.messages == [b"x\r\n\r\n"]


def test_pipelined_commands_wait_for_answers_in_order() -> None:
    session = ServerSession(ServerSettings(NAME))
    session.greet()
    session.receive(b"EHLO c\r\n")
    session.output()
    events = session.receive(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n")
    assert kinds(events) == ["SenderAsked"]
    assert session.output() == b""
    events = session.accept()
    assert events == [RecipientAsked(events[0].recipient, 0)]  # type: ignore[union-attr]
    events = session.answer(reply(550, b"5.1.1", "no"))
    assert isinstance(events[0], RecipientAsked)
    assert (events[0].recipient.address, events[0].index) == (Address(b"e", b"f"), 0)
    events = session.answer(reply(250, b"2.1.5", "yes"))
    assert isinstance(events[0], DataAsked)
    assert [one.address.local for one in events[0].recipients] == [b"e"]
    assert session.accept() == []
    assert codes(session.output()) == [250, 550, 250, 354]


def test_client_waits_while_much_is_pending() -> None:
    session = ServerSession(ServerSettings(NAME, max_pending=100))
    session.greet()
    session.receive(b"EHLO c\r\nMAIL FROM:<a@b>\r\n" + b"NOOP\r\n" * 17)
    assert session.wants_pause
    session.accept()
    assert not session.wants_pause
    session.receive(b"RCPT TO:<c@d>\r\n" + b"NOOP\r\n" * 17)
    assert session.wants_pause
    events = session.receive(b"NOOP\r\n" * 300)
    assert kinds(events) == ["Refused", "TransactionReset", "Closed"]
    assert codes(session.output())[-1] == 421


def test_no_question_once_all_is_over() -> None:
    session = ServerSession(ServerSettings(NAME, max_pending=100))
    session.greet()
    events = session.receive(b"EHLO c\r\nMAIL FROM:<a@b>\r\n" + b"NOOP\r\n" * 300)
    assert kinds(events) == ["EarlyTalk", "HelloSaid", "Refused", "TransactionReset", "Closed"]


@pytest.mark.parametrize("code", [450, 451, 452, 550, 551, 553])
def test_recipients_refused_one_by_one(code: int) -> None:
    answer = reply(code, b"%d.1.1" % (code // 100), "no")
    peer = AutomaticServer(
        ServerSettings(NAME),
        refuse=lambda event: (
            answer
            if isinstance(event, RecipientAsked) and event.recipient.address.local == b"bad"
            else None
        ),
    )
    peer.receive(b"EHLO c\r\nMAIL FROM:<a@b>\r\n")
    commands = b"RCPT TO:<bad@d>\r\nRCPT TO:<c@d>\r\nRCPT TO:<bad@e>\r\nDATA\r\n"
    assert codes(peer.receive(commands)) == [code, 250, code, 354]


def test_no_recipient_left_is_no_fault_of_a_pipelining_client() -> None:
    peer = AutomaticServer(
        ServerSettings(NAME),
        refuse=lambda event: (
            reply(550, b"5.1.1", "no") if isinstance(event, RecipientAsked) else None
        ),
    )
    assert codes(peer.receive(ENVELOPE + b"DATA\r\n")) == [250, 250, 550, 554]
    assert peer.session.errors == 0
    assert peer.session.state is State.SENDER


def test_sender_refused_with_all_that_follows() -> None:
    peer = AutomaticServer(
        ServerSettings(NAME, max_errors=3),
        refuse=lambda event: (
            reply(451, b"4.7.1", "greylisted") if isinstance(event, SenderAsked) else None
        ),
    )
    sent = peer.receive(ENVELOPE + b"RCPT TO:<c@d>\r\n" * 9 + b"DATA\r\n")
    assert codes(sent) == [250, 451, *[503] * 11]
    assert peer.session.errors == 0
    assert peer.receive(b"RSET\r\nRCPT TO:<c@d>\r\n")
    assert peer.session.errors == 1


def test_data_refused() -> None:
    peer = AutomaticServer(
        ServerSettings(NAME),
        refuse=lambda event: (
            reply(451, b"4.3.0", "no server") if isinstance(event, DataAsked) else None
        ),
    )
    assert codes(peer.receive(ENVELOPE + b"DATA\r\n")) == [250, 250, 250, 451]
    assert codes(peer.receive(b"MAIL FROM:<a@b>\r\n")) == [250]


@pytest.mark.parametrize("code", [250, 451, 550])
def test_verdict(code: int) -> None:
    answer = reply(code, b"%d.0.0" % (code // 100), "so")
    peer = AutomaticServer(
        ServerSettings(NAME),
        refuse=lambda event: answer if isinstance(event, VerdictAsked) else None,
    )
    peer.receive(ENVELOPE + b"DATA\r\n")
    assert peer.receive(b".\r\nNOOP\r\n") == answer.encode() + b"250 2.0.0 ok\r\n"
    assert peer.session.state is State.READY


def test_message_facts() -> None:
    peer = server()
    peer.receive(ENVELOPE + b"DATA\r\n")
    peer.receive(b"Received: x\r\n\r\n\xe4\r\n.\r\n")
    assert VerdictAsked(18, 1, False) in peer.events


@pytest.mark.parametrize(
    ("commands", "said"),
    [
        (b"MAIL FROM:<a@b>\r\n", [503]),
        (b"RCPT TO:<a@b>\r\n", [503]),
        (b"DATA\r\n", [503]),
        (b"STARTTLS\r\n", [503]),
        (b"AUTH PLAIN\r\n", [503]),
        (b"XCLIENT ADDR=1.2.3.4\r\n", [550]),
        (b"EHLO c\r\nRCPT TO:<a@b>\r\n", [250, 503]),
        (b"EHLO c\r\nDATA\r\n", [250, 503]),
        (b"EHLO c\r\nMAIL FROM:<a@b>\r\nDATA\r\n", [250, 250, 554]),
        (b"EHLO c\r\nMAIL FROM:<a@b>\r\nMAIL FROM:<a@b>\r\n", [250, 250, 503]),
        (ENVELOPE + b"MAIL FROM:<a@b>\r\n", [250, 250, 250, 503]),
        (ENVELOPE + b"STARTTLS\r\n", [250, 250, 250, 503]),
        (ENVELOPE + b"AUTH PLAIN\r\n", [250, 250, 250, 503]),
        (b"EHLO c\r\nSTARTTLS\r\n", [250, 502]),
        (b"EHLO c\r\nAUTH PLAIN\r\n", [250, 502]),
        (b"HELO c\r\nMAIL FROM:<a@b> SIZE=1\r\n", [250, 555]),
        (b"HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b> NOTIFY=NEVER\r\n", [250, 250, 555]),
        (b"LHLO c\r\n", [500]),
        (b"EHLO\r\n", [501]),
        (b"BDAT 3 LAST\r\n", [502]),
        (b"FOO\r\n", [500]),
        (b"NOOP\r\nHELP\r\nVRFY a\r\nRSET\r\n", [250, 214, 252, 250]),
    ],
)
def test_out_of_turn(commands: bytes, said: list[int]) -> None:
    peer = server()
    assert codes(peer.receive(commands)) == said
    assert not peer.closed


@pytest.mark.parametrize("command", [b"RSET\r\n", b"EHLO d\r\n", b"HELO d\r\n", b"QUIT\r\n"])
def test_transaction_taken_back(command: bytes) -> None:
    peer = server()
    peer.receive(ENVELOPE)
    peer.receive(command)
    assert kinds(peer.events).count("TransactionReset") == 1
    assert peer.session.recipients == []


def test_reset_without_transaction_is_silent() -> None:
    peer = server()
    peer.receive(b"EHLO c\r\nRSET\r\n")
    assert TransactionReset() not in peer.events


def test_helo_offers_nothing() -> None:
    peer = server()
    assert peer.receive(b"HELO c\r\n") == b"250 mx.example.org\r\n"
    assert HelloSaid(b"HELO", b"c") in peer.events


def test_offer_follows_the_servers() -> None:
    peer = server(own=Own(max_bytes=900))
    peer.session.kept = Extensions(size=500, eight_bit=True)
    sent = peer.receive(b"EHLO c\r\n")
    assert b"SIZE 500" in sent
    assert b"8BITMIME" in sent
    assert b"SMTPUTF8" not in sent
    assert codes(peer.receive(b"MAIL FROM:<a@b> SMTPUTF8\r\n")) == [555]
    assert codes(peer.receive(b"MAIL FROM:<a@b> SIZE=501\r\n")) == [552]
    assert codes(peer.receive(b"MAIL FROM:<a@b> SIZE=500 BODY=8BITMIME\r\n")) == [250]


def test_too_many_recipients_is_temporary_and_no_error() -> None:
    peer = server(max_recipients=2, max_errors=2)
    peer.receive(b"EHLO c\r\nMAIL FROM:<a@b>\r\n")
    assert codes(peer.receive(b"RCPT TO:<c@d>\r\n" * 5)) == [250, 250, 452, 452, 452]
    assert not peer.closed


def test_too_many_errors() -> None:
    peer = server(max_errors=3)
    assert codes(peer.receive(b"FOO\r\n" * 9)) == [500, 500, 500, 421]
    assert isinstance(peer.events[-2], Refused)
    assert peer.events[-2].errors == 3
    assert peer.events[-1] == Closed("too many errors")


def test_too_many_unknown_recipients() -> None:
    peer = AutomaticServer(
        ServerSettings(NAME, max_refused=2),
        refuse=lambda event: (
            reply(550, b"5.1.1", "no") if isinstance(event, RecipientAsked) else None
        ),
    )
    assert codes(peer.receive(ENVELOPE + b"RCPT TO:<x@d>\r\n" * 5)) == [250, 250, 550, 550, 421]
    assert peer.closed == 1


def test_too_many_idle_commands() -> None:
    peer = server(max_idle=3)
    assert codes(peer.receive(b"NOOP\r\n" * 9)) == [250, 250, 250, 421]
    assert peer.closed == 1
    peer = server(max_idle=3)
    assert codes(peer.receive(b"EHLO c\r\n" * 9)) == [250, 250, 250, 421]
    peer = server(max_idle=3)
    for _ in range(3):
        peer.receive(ENVELOPE + b"DATA\r\n")
        peer.receive(b".\r\n")
    assert not peer.closed


def test_early_talker_is_seen_and_can_be_refused() -> None:
    session = ServerSession(ServerSettings(NAME))
    assert session.receive(b"EHLO bot\r\n") == [EarlyTalk("greeting")]
    assert session.receive(b"MAIL FROM:<a@b>\r\n") == []
    assert session.output() == b""
    assert session.refuse(reply(554, b"5.5.0", "wait for the greeting")) == [Closed("refused")]
    assert session.output() == b"554 5.5.0 wait for the greeting\r\n"


def test_early_talker_may_be_forgiven() -> None:
    session = ServerSession(ServerSettings(NAME))
    session.receive(b"EHLO bot\r\n")
    assert kinds(session.greet()) == ["HelloSaid"]
    assert codes(session.output()) == [220, 250]


def test_greeting_may_refuse() -> None:
    session = ServerSession(ServerSettings(NAME))
    assert session.greet(reply(421, b"4.3.2", "busy")) == [Closed("refused")]
    assert session.output() == b"421 4.3.2 busy\r\n"
    with pytest.raises(Misuse):
        session.greet()


def test_pipelining_without_offer_is_seen() -> None:
    peer = server()
    peer.receive(b"HELO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
    assert peer.events.count(EarlyTalk("command")) == 1
    peer = server()
    peer.receive(b"EHLO c\r\n")
    peer.receive(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\n")
    assert EarlyTalk("command") not in peer.events


def test_nothing_may_stand_behind_data() -> None:
    peer = server()
    sent = peer.receive(ENVELOPE + b"DATA\r\nMAIL FROM:<evil@x>\r\n.\r\nQUIT\r\n")
    assert codes(sent) == [250, 250, 250, 503]
    assert peer.events[-2:] == [TransactionReset(), Closed(peer.events[-1].reason)]  # type: ignore[union-attr]
    assert not peer.messages


@pytest.mark.parametrize("answer", [reply(250, b"", "go"), reply(451, b"", "later")])
def test_nothing_may_come_while_data_is_asked(answer: Reply) -> None:
    """Else it would be commands if DATA is refused."""
    session = ServerSession(ServerSettings(NAME))
    session.greet()
    session.receive(ENVELOPE)
    session.accept()
    session.accept()
    session.receive(b"DATA\r\n")
    session.output()
    assert session.receive(b"MAIL FROM:<evil@x>\r\n") == []
    events = session.answer(answer)
    assert kinds(events) == ["Refused", "TransactionReset", "Closed"]
    assert codes(session.output()) == [503]


def test_smuggled_commands_are_never_obeyed() -> None:
    peer = server()
    peer.receive(ENVELOPE + b"DATA\r\n")
    sent = peer.receive(b"hi\n.\nMAIL FROM:<evil@x>\r\nRCPT TO:<v@x>\r\n.\r\nNOOP\r\n")
    assert sent == b"550 5.6.0 bare LF in the message\r\n"
    assert peer.events[-1] == Closed("bare LF in the message")
    assert kinds(peer.events).count("SenderAsked") == 1
    assert kinds(peer.events).count("MessageRefused") == 1
    assert TransactionReset() not in peer.events
    assert not peer.messages


def test_too_large_is_refused_at_its_end_and_the_session_goes_on() -> None:
    peer = server(data=DataLimits(max_bytes=10))
    peer.receive(ENVELOPE + b"DATA\r\n")
    assert peer.receive(b"12345678\r\n9") == b""
    assert isinstance(peer.events[-1], MessageRefused)
    assert peer.receive(b"\r\n.\r\n") == b"552 5.3.4 message too large\r\n"
    assert codes(peer.receive(b"MAIL FROM:<a@b>\r\n")) == [250]
    assert not peer.messages


def test_endless_message_is_cut() -> None:
    peer = server(data=DataLimits(max_bytes=10, max_excess=50))
    peer.receive(ENVELOPE + b"DATA\r\n")
    sent = b"".join(peer.receive(b"x" * 20 + b"\r\n") for _ in range(9))
    assert codes(sent) == [552]
    assert peer.closed == 1


def test_pieces_come_as_they_are() -> None:
    peer = server()
    peer.receive(ENVELOPE + b"DATA\r\n")
    piece = b"x" * 100 + b"\r\n"
    peer.receive(piece)
    last = peer.events[-1]
    assert isinstance(last, MessagePiece)
    assert last.data is piece


def test_lmtp() -> None:
    session = ServerSession(ServerSettings(NAME, lmtp=True))
    session.greet()
    assert session.receive(b"EHLO c\r\n")
    assert codes(session.output()) == [220, 500]
    session.receive(b"LHLO c\r\nMAIL FROM:<a@b>\r\n")
    session.accept()
    session.receive(b"DATA\r\n")
    assert codes(session.output()) == [250, 250, 503]
    for _ in range(3):
        session.receive(b"RCPT TO:<c@d>\r\n")
        session.accept()
    session.receive(b"DATA\r\n")
    session.accept()
    session.output()
    session.receive(b".\r\n")
    answers = [reply(250, b"", "a"), reply(452, b"", "b"), reply(550, b"", "c")]
    with pytest.raises(Misuse):
        session.answer_each(answers[:2])
    session.answer_each(answers)
    assert session.output() == b"250 a\r\n452 b\r\n550 c\r\n"
    assert session.state is State.READY


@pytest.mark.parametrize(("data", "count"), [(b"x\r\n.\r\n", 2), (b"x\n\r\n.\r\n", 2)])
def test_lmtp_one_reply_for_each(data: bytes, count: int) -> None:
    peer = AutomaticServer(ServerSettings(NAME, lmtp=True))
    peer.receive(b"LHLO c\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nDATA\r\n")
    assert len(codes(peer.receive(data))) == count


@pytest.mark.parametrize(
    "waiting",
    [b"", b"EHLO c\r\n", ENVELOPE, ENVELOPE + b"DATA\r\n", b"NO"],
    ids=["new", "ready", "envelope", "data", "half a line"],
)
def test_ends(waiting: bytes) -> None:
    for method in ("shutdown", "expired", "eof"):
        peer = server()
        peer.receive(waiting)
        events = getattr(peer.session, method)()
        assert isinstance(events[-1], Closed)
        assert (TransactionReset() in events) is (b"MAIL" in waiting)
        assert codes(peer.session.output()) == ([] if method == "eof" else [421])
        assert getattr(peer.session, method)() == []
        assert peer.session.output() == b""


def test_drain_lets_a_transaction_end() -> None:
    peer = server()
    peer.receive(ENVELOPE + b"DATA\r\n")
    assert peer.session.drain() == []
    assert codes(peer.receive(b".\r\nMAIL FROM:<a@b>\r\n")) == [250, 421]
    assert peer.closed == 1
    idle = server()
    assert idle.session.drain() == [Closed("shutdown")]
    assert codes(idle.session.output()) == [421]


def test_required_tls_and_login() -> None:
    peer = server(require_tls=True, require_auth=True)
    assert codes(peer.receive(b"EHLO c\r\nMAIL FROM:<a@b>\r\n")) == [250, 530]
    peer.session.secure = True
    assert codes(peer.receive(b"MAIL FROM:<a@b>\r\n")) == [530]
    peer.session.account = b"ann"
    assert codes(peer.receive(b"MAIL FROM:<a@b>\r\n")) == [250]


def test_misuse_says_so() -> None:
    session = ServerSession(ServerSettings(NAME))
    calls = (session.accept, session.tls_started, lambda: session.answer(reply(250, b"", "x")))
    for call in calls:
        with pytest.raises(Misuse):
            call()
    session.greet()
    session.receive(b"EHLO c\r\nMAIL FROM:<a@b>\r\n")
    with pytest.raises(Misuse):
        session.answer(Reply(354, (b"go",)))
    with pytest.raises(Misuse):
        session.answer_each([reply(250, b"", "x")])
    assert session.state is State.SENDER_ASKED
