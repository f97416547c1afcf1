"""Every call and every reply in every phase; any order of them ends each recipient once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.smtp.address import Address
from l7lb_protocols.smtp.client_events import (
    ClientEvent,
    RecipientAnswered,
    ServerClosed,
    TransactionEnded,
)
from l7lb_protocols.smtp.client_session import ClientSession, ClientSettings, Tls
from l7lb_protocols.smtp.client_states import CALLS, LAWFUL, Call, Phase, Wait
from l7lb_protocols.smtp.errors import Misuse
from l7lb_protocols.smtp.parameters import Recipient, Sender
from support.smtp_rules import check_client
from support.smtp_seeds import ANSWERS, FRAGMENTS

Step = Callable[[ClientSession], list[ClientEvent]]
RECIPIENT = Recipient(Address(b"c", b"d"))

OURS: dict[Call, Step] = {
    Call.BEGIN: lambda session: session.begin(Sender(Address(b"a", b"b"))),
    Call.ADD: lambda session: session.add(RECIPIENT),
    Call.DATA: lambda session: session.data(),
    Call.WRITE: lambda session: session.write(b"x\r\n"),
    Call.FINISH: lambda session: session.finish(),
    Call.RESET: lambda session: session.reset(),
    Call.SECURED: lambda session: session.tls_started(),
    Call.QUIT: lambda session: session.quit(),
    Call.ABORT: lambda session: session.abort(),
}


def say(line: bytes) -> Step:
    return lambda session: session.receive(line)


THEIRS: dict[str, Step] = {
    line.decode(): say(line + b"\r\n")
    for line in (b"220 s", b"250 ok", b"354 go", b"421 bye", b"451 later", b"550 no", b"rubbish")
} | {"eof": lambda session: session.eof(), "expired": lambda session: session.expired()}

READY = b"220 s\r\n250-s\r\n250 PIPELINING\r\n"
ENVELOPE: list[Step] = [say(READY), OURS[Call.BEGIN], OURS[Call.ADD]]
ASKED: list[Step] = [*ENVELOPE, OURS[Call.DATA]]
SENDING: list[Step] = [*ASKED, say(b"250 a\r\n250 b\r\n354 c\r\n")]
WAYS: dict[Phase, list[Step]] = {
    Phase.SETUP: [],
    Phase.TLS: [say(b"220 s\r\n250-s\r\n250 STARTTLS\r\n220 go\r\n")],
    Phase.READY: [say(READY)],
    Phase.ENVELOPE: ENVELOPE,
    Phase.ASKED: ASKED,
    Phase.DATA: SENDING,
    Phase.FINAL: [*SENDING, OURS[Call.FINISH]],
    Phase.RESET: [*ENVELOPE, OURS[Call.RESET]],
    Phase.LEAVING: [say(READY), OURS[Call.QUIT]],
    Phase.CLOSED: [say(b"421 x\r\n")],
}


def session_in(phase: Phase) -> ClientSession:
    session = ClientSession(ClientSettings(b"d", tls=Tls.MAY))
    for step in WAYS[phase]:
        step(session)
    assert session.phase is phase
    return session


def test_tables_are_total() -> None:
    assert set(CALLS) == set(Phase)
    assert set(LAWFUL) == set(Wait)
    assert set(OURS) == set(Call)
    assert all(Call.ABORT in calls for calls in CALLS.values())


@pytest.mark.parametrize("call", Call)
@pytest.mark.parametrize("phase", Phase)
def test_our_own_side_is_held_to_its_turn(phase: Phase, call: Call) -> None:
    session = session_in(phase)
    if call in CALLS[phase]:
        OURS[call](session)
        return
    with pytest.raises(Misuse):
        OURS[call](session)
    assert session.phase is phase


@pytest.mark.parametrize("step", THEIRS)
@pytest.mark.parametrize("phase", Phase)
def test_a_server_may_say_anything_anywhere(phase: Phase, step: str) -> None:
    session = session_in(phase)
    open_before = phase in (Phase.ENVELOPE, Phase.ASKED, Phase.DATA, Phase.FINAL)
    events = THEIRS[step](session)
    closed = sum(isinstance(event, ServerClosed) for event in events)
    assert closed == (session.phase is Phase.CLOSED and phase is not Phase.CLOSED)
    if closed and open_before:
        assert sum(isinstance(event, TransactionEnded) for event in events) == 1


@given(st.lists(st.sampled_from([*OURS, *THEIRS, "ready"]), max_size=40))
def test_any_order(steps: list[Call | str]) -> None:
    session = ClientSession(ClientSettings(b"d", tls=Tls.MAY))
    begun = ended = added = answered = outcomes = 0
    for step in ["ready", *steps, "eof"]:
        if isinstance(step, Call):
            if step not in CALLS[session.phase]:
                continue
            begun += step is Call.BEGIN
            added += step is Call.ADD
            events = OURS[step](session)
        else:
            events = (say(READY) if step == "ready" else THEIRS[step])(session)
        for event in events:
            answered += isinstance(event, RecipientAnswered)
            if isinstance(event, TransactionEnded):
                ended += 1
                outcomes += len(event.outcomes)
    assert ended == begun
    assert outcomes == added
    assert answered <= added
    assert session.phase is Phase.CLOSED


@pytest.mark.parametrize("lmtp", [False, True])
@pytest.mark.parametrize("data", ANSWERS)
def test_seeds(data: bytes, lmtp: bool) -> None:
    check_client(data, lmtp)


@given(
    st.sampled_from(ANSWERS),
    st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=9), max_size=9).map(b"".join),
    st.integers(0, 90),
    st.booleans(),
)
def test_whatever_a_server_sends(start: bytes, data: bytes, size: int, lmtp: bool) -> None:
    check_client(start[:size] + data, lmtp)
