"""Dialogues with servers: set-up, pipelining, and an end for every recipient."""

from __future__ import annotations

import pytest

from l7lb_protocols.smtp.address import Address
from l7lb_protocols.smtp.client_events import (
    ClientEvent,
    DataWanted,
    RecipientAnswered,
    SenderAnswered,
    ServerClosed,
    ServerReady,
    TransactionEnded,
)
from l7lb_protocols.smtp.client_session import ClientSession, ClientSettings
from l7lb_protocols.smtp.client_states import Phase
from l7lb_protocols.smtp.errors import Misuse
from l7lb_protocols.smtp.extensions import Content
from l7lb_protocols.smtp.parameters import (
    MailParameters,
    Recipient,
    RecipientParameters,
    Sender,
)
from l7lb_protocols.smtp.replies import reply
from l7lb_protocols.smtp.verdict import Outcome, Status

SENDER = Sender(Address(b"a", b"b"))
ANN = Recipient(Address(b"ann", b"d"))
BEN = Recipient(Address(b"ben", b"d"))
PIPELINED = b"220 s\r\n250-s\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
ONE_BY_ONE = b"220 s\r\n250 s\r\n"
GOOD, LATER, NEVER = Status.DELIVERED, Status.TEMPORARY, Status.PERMANENT


def connected(hello: bytes = PIPELINED, *, lmtp: bool = False) -> ClientSession:
    session = ClientSession(ClientSettings(b"d.example", lmtp=lmtp))
    events = session.receive(hello)
    assert isinstance(events[-1], ServerReady)
    assert session.output() == (b"LHLO" if lmtp else b"EHLO") + b" d.example\r\n"
    return session


def enveloped(session: ClientSession) -> bytes:
    session.begin(SENDER)
    session.add(ANN)
    session.add(BEN)
    session.data()
    return session.output()


def kinds(events: list[ClientEvent]) -> list[str]:
    return [type(event).__name__ for event in events]


def ends(events: list[ClientEvent]) -> list[tuple[Status, int]]:
    (ended,) = (event for event in events if isinstance(event, TransactionEnded))
    return [(one.status, one.reply.code) for one in ended.outcomes]


def test_one_flight_when_pipelining_is_offered() -> None:
    session = connected()
    assert enveloped(session) == (
        b"MAIL FROM:<a@b>\r\nRCPT TO:<ann@d>\r\nRCPT TO:<ben@d>\r\nDATA\r\n"
    )
    events = session.receive(b"250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n")
    assert events == [
        SenderAnswered(reply(250, b"", "ok")),
        RecipientAnswered(0, reply(250, b"", "ok")),
        RecipientAnswered(1, reply(550, b"5.1.1", "no")),
        DataWanted((0,)),
    ]
    session.write(b"hi\r\n.")
    session.write(b"x\r\n")
    session.finish()
    assert session.output() == b"hi\r\n..x\r\n.\r\n"
    events = session.receive(b"250 2.0.0 queued\r\n")
    assert ends(events) == [(GOOD, 250), (NEVER, 550)]
    assert kinds(events) == ["TransactionEnded", "ServerReady"]


def test_one_command_at_a_time_when_it_is_not() -> None:
    session = connected(ONE_BY_ONE)
    sent = [enveloped(session)]
    for answer in (b"250 a\r\n", b"250 b\r\n", b"250 c\r\n", b"354 d\r\n"):
        session.receive(answer)
        sent.append(session.output())
    assert sent == [
        b"MAIL FROM:<a@b>\r\n",
        b"RCPT TO:<ann@d>\r\n",
        b"RCPT TO:<ben@d>\r\n",
        b"DATA\r\n",
        b"",
    ]
    assert session.phase is Phase.DATA


@pytest.mark.parametrize("hello", [PIPELINED, ONE_BY_ONE])
@pytest.mark.parametrize(
    ("answers", "outcomes"),
    [
        (b"451 x\r\n", [(LATER, 451)] * 2),
        (b"550 x\r\n", [(NEVER, 550)] * 2),
        (b"250 ok\r\n450 x\r\n550 y\r\n", [(LATER, 450), (NEVER, 550)]),
    ],
)
def test_no_recipient_holds(
    hello: bytes, answers: bytes, outcomes: list[tuple[Status, int]]
) -> None:
    """With pipelining DATA is on its way already, and refused."""
    session = connected(hello)
    enveloped(session)
    pipelined = hello is PIPELINED
    if pipelined:
        answers += b"503 no\r\n" * (4 - answers.count(b"\n"))
        events = session.receive(answers)
    else:
        events = []
        for line in answers.splitlines(keepends=True):
            events += session.receive(line)
    assert ends(events) == outcomes
    assert sum(isinstance(event, RecipientAnswered) for event in events) == 2
    sent = session.output()
    assert sent.endswith(b"RSET\r\n")
    assert b"DATA" not in sent
    assert kinds(session.receive(b"250 ok\r\n")) == ["ServerReady"]


def test_pipelined_data_taken_for_nobody() -> None:
    """RFC 2920 §3.1: an empty message, lest it be delivered to anybody."""
    session = connected()
    enveloped(session)
    session.receive(b"250 ok\r\n550 a\r\n550 b\r\n354 go\r\n")
    assert session.output() == b".\r\n"
    events = session.receive(b"554 no valid recipients\r\n")
    assert ends(events) == [(NEVER, 550), (NEVER, 550)]
    assert isinstance(events[-1], ServerReady)


def test_data_refused() -> None:
    session = connected()
    enveloped(session)
    events = session.receive(b"250 ok\r\n250 ok\r\n550 no\r\n451 later\r\n")
    assert ends(events) == [(LATER, 451), (NEVER, 550)]
    assert session.output() == b"RSET\r\n"


def test_lmtp_has_one_status_for_each() -> None:
    session = connected(lmtp=True)
    session.begin(SENDER)
    for recipient in (ANN, BEN, ANN, BEN):
        session.add(recipient)
    session.data()
    session.receive(b"250 ok\r\n250 ok\r\n550 no\r\n250 ok\r\n250 ok\r\n354 go\r\n")
    session.write(b"x\r\n")
    session.finish()
    assert session.receive(b"250 a\r\n452 b\r\n") == []
    events = session.receive(b"550 c\r\n")
    assert ends(events) == [(GOOD, 250), (NEVER, 550), (LATER, 452), (NEVER, 550)]
    assert isinstance(events[-1], ServerReady)


def test_lmtp_354_for_nobody_is_nonsense() -> None:
    session = connected(lmtp=True)
    enveloped(session)
    events = session.receive(b"250 ok\r\n550 a\r\n550 b\r\n354 go\r\n")
    assert ends(events) == [(NEVER, 550), (NEVER, 550)]
    assert isinstance(events[-1], ServerClosed)


def test_connection_is_used_again() -> None:
    session = connected()
    for _ in range(3):
        enveloped(session)
        session.receive(b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n")
        session.finish()
        events = session.receive(b"250 e\r\n")
        assert ends(events) == [(GOOD, 250)] * 2
    session.output()
    session.quit()
    assert session.output() == b"QUIT\r\n"
    assert session.receive(b"221 bye\r\n") == [ServerClosed(reply(221, b"", "bye"), lawful=True)]


def test_nothing_is_asked_once_all_is_over() -> None:
    session = ClientSession(ClientSettings(b"d"))
    assert kinds(session.receive(ONE_BY_ONE + b"250 ahead\r\n")) == ["ServerClosed"]
    session = connected()
    enveloped(session)
    events = session.receive(b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n250 ahead\r\n")
    assert "DataWanted" not in kinds(events)
    assert ends(events) == [(LATER, 451)] * 2


NONSENSE = [
    b"ok\r\n",
    b"250 a\n",
    b"250-" + b"x" * 3000,
    b"250-x\r\n" * 200,
    b"250-a\r\n550 b\r\n",
    b"354 go\r\n",
    b"\0\0\0\0\r\n",
    b"* PREAUTH\r\n",
    b"+OK ready\r\n",
    b"199 x\r\n",
]


@pytest.mark.parametrize("rubbish", NONSENSE)
def test_nonsense_is_temporary(rubbish: bytes) -> None:
    session = connected()
    enveloped(session)
    session.receive(b"250 ok\r\n")
    events = session.receive(rubbish)
    assert ends(events) == [(LATER, 451), (LATER, 451)]
    assert kinds(events)[-1] == "ServerClosed"
    assert session.receive(b"250 late\r\n") == []
    assert session.eof() == []


def test_nonsense_after_the_end_is_uncertain() -> None:
    session = connected()
    enveloped(session)
    session.receive(b"250 a\r\n550 b\r\n250 c\r\n354 d\r\n")
    session.finish()
    events = session.receive(b"what?\r\n")
    assert ends(events) == [(NEVER, 550), (LATER, 451)]
    assert isinstance(events[0], TransactionEnded)
    assert [one.uncertain for one in events[0].outcomes] == [False, True]


@pytest.mark.parametrize("rubbish", [*NONSENSE, b"250 unasked\r\n"])
def test_nonsense_instead_of_a_greeting_or_while_idle(rubbish: bytes) -> None:
    fresh = ClientSession(ClientSettings(b"d"))
    assert kinds(fresh.receive(rubbish))[-1:] == (
        [] if rubbish.startswith(b"250 u") else ["ServerClosed"]
    )
    idle = connected()
    assert kinds(idle.receive(rubbish)) == ["ServerClosed"]


def test_more_replies_than_commands() -> None:
    session = connected()
    session.begin(SENDER)
    session.add(ANN)
    events = session.receive(b"250 a\r\n250 b\r\n250 c\r\n")
    assert ends(events) == [(LATER, 451)]


@pytest.mark.parametrize("method", ["eof", "expired", "abort"])
def test_lost_before_the_end_is_temporary(method: str) -> None:
    session = connected()
    enveloped(session)
    session.receive(b"250 a\r\n250 b\r\n550 c\r\n354 d\r\n")
    session.write(b"half")
    session.output()
    events = getattr(session, method)()
    assert ends(events) == [(LATER, 451), (NEVER, 550)]
    assert not any(one.uncertain for one in events[0].outcomes)
    assert b".\r\n" not in session.output()
    assert getattr(session, method)() == []


@pytest.mark.parametrize("method", ["eof", "expired", "abort"])
def test_lost_after_the_end_is_uncertain(method: str) -> None:
    session = connected(lmtp=True)
    enveloped(session)
    session.receive(b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n")
    session.finish()
    session.receive(b"250 delivered\r\n")
    events = getattr(session, method)()
    assert ends(events) == [(GOOD, 250), (LATER, 451)]
    assert [one.uncertain for one in events[0].outcomes] == [False, True]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"421 4.3.2 bye\r\n", (LATER, 421)),
        (b"451 full\r\n", (LATER, 451)),
        (b"552 5.3.4 too large\r\n", (NEVER, 552)),
        (b"250 ok\r\n", (LATER, 451)),
        (b"354 go\r\n", (LATER, 451)),
    ],
)
def test_server_breaks_a_message_off(answer: bytes, outcome: tuple[Status, int]) -> None:
    session = connected()
    enveloped(session)
    session.receive(b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n")
    session.write(b"hello\r\n")
    events = session.receive(answer)
    assert ends(events) == [outcome] * 2
    assert kinds(events)[-1] == "ServerClosed"


@pytest.mark.parametrize("at", range(4))
def test_421_anywhere(at: int) -> None:
    session = connected()
    enveloped(session)
    events = session.receive(b"250 ok\r\n" * at + b"421 4.3.2 bye\r\n")
    assert ends(events) == [(LATER, 421)] * 2
    assert events[-1] == ServerClosed(reply(421, b"4.3.2", "bye"), lawful=False)


def test_server_leaves_an_idle_connection() -> None:
    assert connected().eof() == [ServerClosed(reply(221, b"2.0.0", "server left"), lawful=True)]
    bye = reply(421, b"4.4.2", "idle")
    assert connected().receive(bye.encode()) == [ServerClosed(bye, lawful=True)]


def test_what_the_server_cannot_take_is_refused_in_its_name() -> None:
    session = connected(b"220 s\r\n250-s\r\n250 SIZE 10\r\n")
    wide = Recipient(Address(b"\xc3\xa4", b"d"))
    session.begin(SENDER)
    events = session.add(wide) + session.add(ANN)
    assert events == []
    events = session.receive(b"250 ok\r\n")
    assert isinstance(events[1], RecipientAnswered)
    assert (events[1].index, events[1].reply.code) == (0, 550)
    session.receive(b"250 ok\r\n")
    session.data()
    session.receive(b"354 go\r\n")
    session.finish()
    assert ends(session.receive(b"250 ok\r\n")) == [(NEVER, 550), (GOOD, 250)]
    session.output()
    events = session.begin(SENDER, Content(11)) + session.add(ANN) + session.data()
    assert ends(events) == [(NEVER, 552)]
    assert session.output() == b"RSET\r\n"


def test_what_we_answer_ourselves_does_not_overtake() -> None:
    session = connected()
    session.begin(SENDER)
    wide = Recipient(Address(b"\xc3\xa4", b"d"))
    assert session.add(ANN) + session.add(wide) + session.add(BEN) + session.data() == []
    assert session.output() == b"MAIL FROM:<a@b>\r\nRCPT TO:<ann@d>\r\n"
    events = session.receive(b"250 ok\r\n250 ok\r\n")
    assert [event.index for event in events if isinstance(event, RecipientAnswered)] == [0, 1]
    assert session.output() == b"RCPT TO:<ben@d>\r\nDATA\r\n"


def test_parameters_follow_the_server() -> None:
    session = connected(b"220 s\r\n250-s\r\n250-DSN\r\n250-PIPELINING\r\n250 SIZE\r\n")
    session.begin(Sender(Address(b"a", b"b"), MailParameters(size=3, envid=b"x y")))
    session.add(Recipient(Address(b"c", b"d"), RecipientParameters((b"NEVER",))))
    assert session.output() == (
        b"MAIL FROM:<a@b> SIZE=3 ENVID=x+20y\r\nRCPT TO:<c@d> NOTIFY=NEVER\r\n"
    )


def test_taken_back() -> None:
    session = connected(ONE_BY_ONE)
    session.begin(SENDER)
    session.add(ANN)
    assert ends(session.reset()) == [(LATER, 451)]
    assert session.output() == b"MAIL FROM:<a@b>\r\n"
    assert session.receive(b"250 ok\r\n") == []
    assert session.output() == b"RSET\r\n"
    assert kinds(session.receive(b"250 ok\r\n")) == ["ServerReady"]


def test_rset_refused_ends_the_connection() -> None:
    session = connected()
    session.begin(SENDER)
    session.reset()
    assert kinds(session.receive(b"250 ok\r\n500 what\r\n")) == ["ServerClosed"]


def test_a_message_that_could_smuggle_does_not_leave() -> None:
    session = connected()
    enveloped(session)
    session.receive(b"250 a\r\n250 b\r\n250 c\r\n354 d\r\n")
    with pytest.raises(Misuse):
        session.write(b"hi\n.\nMAIL FROM:<evil@x>\r\n")
    assert session.output() == b""
    assert ends(session.abort()) == [(LATER, 451)] * 2
    assert Outcome(LATER, reply(451, b"4.3.0", "given up")).uncertain is False
