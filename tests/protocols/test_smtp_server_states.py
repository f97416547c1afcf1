"""Every input in every state, and any order of them: it moves, or raises the documented error."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.smtp.auth import Challenge, Done, Failed
from l7lb_protocols.smtp.commands import VERBS
from l7lb_protocols.smtp.errors import Misuse
from l7lb_protocols.smtp.extensions import Own
from l7lb_protocols.smtp.replies import reply
from l7lb_protocols.smtp.server_events import Closed, ServerEvent
from l7lb_protocols.smtp.server_session import ServerSession, ServerSettings
from l7lb_protocols.smtp.server_states import (
    COMMANDS,
    OUT_OF_TURN,
    QUESTIONS,
    READS,
    READS_COMMANDS,
    TABLE,
    Input,
    State,
)
from support.smtp_rules import check_server, replies_of
from support.smtp_seeds import DIALOGUES, FRAGMENTS

OWN = Own(starttls=True, auth=frozenset((b"PLAIN",)))
Step = Callable[[ServerSession], list[ServerEvent]]


def say(line: bytes) -> Step:
    return lambda session: session.receive(line)


CLIENT: dict[str, Step] = {
    name: say(line)
    for name, line in {
        "EHLO": b"EHLO c\r\n",
        "HELO": b"HELO c\r\n",
        "LHLO": b"LHLO c\r\n",
        "STARTTLS": b"STARTTLS\r\n",
        "XCLIENT": b"XCLIENT ADDR=192.0.2.1\r\n",
        "AUTH": b"AUTH PLAIN\r\n",
        "MAIL": b"MAIL FROM:<a@b>\r\n",
        "RCPT": b"RCPT TO:<c@d>\r\n",
        "DATA": b"DATA\r\n",
        "RSET": b"RSET\r\n",
        "NOOP": b"NOOP\r\n",
        "VRFY": b"VRFY x\r\n",
        "HELP": b"HELP\r\n",
        "QUIT": b"QUIT\r\n",
        "star": b"*\r\n",
        "base64": b"AGEAYg==\r\n",
        "text": b"hello\r\n",
        "end": b"\r\n.\r\n",
        "bare LF": b"x\n",
        "NUL": b"\0",
        "long": b"x" * 3000,
        "half": b"NO",
    }.items()
}
OURS: dict[str, Step] = {
    "greet": lambda session: session.greet(),
    "accept": lambda session: session.accept(),
    "refuse it": lambda session: session.answer(reply(550, b"5.1.1", "no")),
    "each": lambda session: session.answer_each([reply(250, b"", "x")]),
    "challenge": lambda session: session.auth_step(Challenge(b"?")),
    "done": lambda session: session.auth_step(Done(b"ann")),
    "failed": lambda session: session.auth_step(Failed()),
    "tls": lambda session: session.tls_started(),
    "drain": lambda session: session.drain(),
    "eof": lambda session: session.eof(),
    "expired": lambda session: session.expired(),
    "shutdown": lambda session: session.shutdown(),
    "refuse all": lambda session: session.refuse(reply(421, b"4.7.0", "go")),
}
STEPS = CLIENT | OURS
READY = ["greet", "EHLO"]
SENDER = [*READY, "MAIL", "accept"]
RECIPIENTS = [*SENDER, "RCPT", "accept"]
WAYS: dict[State, list[str]] = {
    State.NEW: [],
    State.HELLO: ["greet"],
    State.READY: READY,
    State.TLS: [*READY, "STARTTLS"],
    State.AUTH_ASKED: [*READY, "AUTH"],
    State.AUTH_LINE: [*READY, "AUTH", "challenge"],
    State.SENDER_ASKED: [*READY, "MAIL"],
    State.SENDER: SENDER,
    State.FIRST_ASKED: [*SENDER, "RCPT"],
    State.RECIPIENTS: RECIPIENTS,
    State.MORE_ASKED: [*RECIPIENTS, "RCPT"],
    State.DATA_ASKED: [*RECIPIENTS, "DATA"],
    State.DATA: [*RECIPIENTS, "DATA", "accept"],
    State.VERDICT_ASKED: [*RECIPIENTS, "DATA", "accept", "end"],
    State.CLOSED: ["greet", "QUIT"],
}


def session_in(state: State) -> ServerSession:
    session = ServerSession(ServerSettings(b"mx", own=OWN, plain_auth=True))
    session.trusted = True
    for step in WAYS[state]:
        STEPS[step](session)
    assert session.state is state
    return session


@pytest.mark.parametrize("state", State)
def test_every_state_is_reached_and_left(state: State) -> None:
    session_in(state)
    assert (state, Input.CLOSE) in TABLE
    assert state in TABLE.values() or state is State.NEW


def test_tables_fit_each_other() -> None:
    assert set(COMMANDS) == VERBS
    assert set(OUT_OF_TURN) == READS_COMMANDS
    for state, given_input in itertools.product(State, COMMANDS.values()):
        if (state, given_input) in TABLE and given_input is not Input.CLOSE:
            assert state in READS_COMMANDS
    for state in QUESTIONS:
        assert (state, Input.ACCEPT) in TABLE
        assert (state, Input.REFUSE) in TABLE
        assert state not in READS


@pytest.mark.parametrize("step", CLIENT)
@pytest.mark.parametrize("state", State)
def test_a_client_may_say_anything_anywhere(state: State, step: str) -> None:
    session = session_in(state)
    session.output()
    events = CLIENT[step](session)
    _, bad = replies_of([session.output()], max_lines=20)
    assert not bad
    assert sum(isinstance(event, Closed) for event in events) == (
        session.state is State.CLOSED and state is not State.CLOSED
    )
    if state not in READS:
        assert session.state is state


ALLOWED = {
    "greet": {State.NEW},
    "accept": QUESTIONS,
    "refuse it": QUESTIONS,
    "each": set(),
    "challenge": {State.AUTH_ASKED},
    "done": {State.AUTH_ASKED},
    "failed": {State.AUTH_ASKED},
    "tls": {State.TLS},
}


@pytest.mark.parametrize("step", OURS)
@pytest.mark.parametrize("state", State)
def test_our_own_side_is_held_to_its_turn(state: State, step: str) -> None:
    session = session_in(state)
    if step in ALLOWED and state not in ALLOWED[step]:
        with pytest.raises(Misuse):
            OURS[step](session)
        assert session.state is state
        assert session.receive(b"") == []
    else:
        OURS[step](session)
        ends = {"eof", "expired", "shutdown", "refuse all"}
        assert session.state is State.CLOSED or step not in ends


@given(st.lists(st.sampled_from(sorted(STEPS)), max_size=30))
def test_any_order(steps: list[str]) -> None:
    session = ServerSession(ServerSettings(b"mx", own=OWN, plain_auth=True))
    closed = 0
    for step in steps:
        try:
            events = STEPS[step](session)
        except Misuse:
            assert step in ALLOWED
            continue
        closed += sum(isinstance(event, Closed) for event in events)
        asked = [event for event in events if type(event).__name__.endswith("Asked")]
        assert asked in ([], events[-1:])
    assert closed == (session.state is State.CLOSED)


@pytest.mark.parametrize("data", DIALOGUES)
@pytest.mark.parametrize("lmtp", [False, True])
def test_seeds(data: bytes, lmtp: bool) -> None:
    check_server(data, lmtp)


@given(
    st.sampled_from(DIALOGUES),
    st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=9), max_size=9).map(b"".join),
    st.booleans(),
)
def test_whatever_a_client_sends(start: bytes, data: bytes, lmtp: bool) -> None:
    check_server(start + data, lmtp)
