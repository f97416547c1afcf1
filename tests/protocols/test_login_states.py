"""The two tables are total: each state and input moves, or is the driver's mistake."""

from itertools import product

import pytest

from l7lb_protocols.login.errors import DialogueMisuse
from l7lb_protocols.login.states import (
    CLIENT_MOVES,
    SERVER_MOVES,
    ClientInput,
    ClientState,
    ServerInput,
    ServerState,
    move,
)


@pytest.mark.parametrize(("state", "what"), list(product(ClientState, ClientInput)))
def test_client_table(state: ClientState, what: ClientInput) -> None:
    if what in CLIENT_MOVES[state]:
        assert move(CLIENT_MOVES, state, what) is CLIENT_MOVES[state][what]
    else:
        with pytest.raises(DialogueMisuse, match=state.value):
            move(CLIENT_MOVES, state, what)


@pytest.mark.parametrize(("state", "what"), list(product(ServerState, ServerInput)))
def test_server_table(state: ServerState, what: ServerInput) -> None:
    if what in SERVER_MOVES[state]:
        assert move(SERVER_MOVES, state, what) is SERVER_MOVES[state][what]
    else:
        with pytest.raises(DialogueMisuse, match=state.value):
            move(SERVER_MOVES, state, what)


def test_everything_can_end_and_be_reached() -> None:
    ends = {ClientState.RELAY, ClientState.CLOSED}
    for state in ClientState:
        assert (ClientInput.CLOSED in CLIENT_MOVES[state]) == (state not in ends)
    assert {to for moves in CLIENT_MOVES.values() for to in moves.values()} | {
        ClientState.START
    } == set(ClientState)
    for end in ServerState:
        over = end in {ServerState.DONE, ServerState.FAILED}
        assert (ServerInput.FAILED in SERVER_MOVES[end]) == (not over)
    assert {to for moves in SERVER_MOVES.values() for to in moves.values()} | {
        ServerState.GREETING
    } == set(ServerState)


def test_only_one_way_into_the_relay() -> None:
    ways = [
        (state, what)
        for state, moves in CLIENT_MOVES.items()
        for what, to in moves.items()
        if to is ClientState.RELAY
    ]
    assert ways == [(ClientState.VERDICT, ClientInput.ACCEPTED)]
