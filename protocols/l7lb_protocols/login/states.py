"""The states of both sides before login, as two literal tables. They hold for IMAP and POP3.

What is in no table cannot happen: `move` raises DialogueMisuse. Must not know any wire format.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from l7lb_protocols.login.errors import DialogueMisuse


class ClientState(StrEnum):
    """Of the dialogue with a client."""

    START = "start"
    """Nothing said yet; what the client sends early waits."""
    COMMAND = "command"
    """Reads commands."""
    RESPONSE = "response"
    """Reads the answer to a challenge."""
    KEYS = "keys"
    """Waits for `supply`; what the client sends waits."""
    VERDICT = "verdict"
    """Waits for `accept` or `refuse`; what the client sends waits."""
    TLS = "tls"
    """Waits for `tls_started`; what the client sends is thrown away."""
    RELAY = "relay"
    CLOSED = "closed"


class ClientInput(StrEnum):
    """What moves it."""

    GREETED = "greeted"
    CHALLENGED = "challenged"
    KEYS_WANTED = "keys wanted"
    KEYS_GIVEN = "keys given"
    CREDENTIALS = "credentials"
    GAVE_UP = "gave up"
    REFUSED = "refused"
    ACCEPTED = "accepted"
    TLS_ASKED = "TLS asked"
    TLS_READY = "TLS ready"
    CLOSED = "closed"


CLIENT_MOVES: Mapping[ClientState, Mapping[ClientInput, ClientState]] = {
    ClientState.START: {
        ClientInput.GREETED: ClientState.COMMAND,
        ClientInput.CLOSED: ClientState.CLOSED,
    },
    ClientState.COMMAND: {
        ClientInput.CHALLENGED: ClientState.RESPONSE,
        ClientInput.KEYS_WANTED: ClientState.KEYS,
        ClientInput.CREDENTIALS: ClientState.VERDICT,
        ClientInput.GAVE_UP: ClientState.COMMAND,
        ClientInput.TLS_ASKED: ClientState.TLS,
        ClientInput.CLOSED: ClientState.CLOSED,
    },
    ClientState.RESPONSE: {
        ClientInput.CHALLENGED: ClientState.RESPONSE,
        ClientInput.KEYS_WANTED: ClientState.KEYS,
        ClientInput.CREDENTIALS: ClientState.VERDICT,
        ClientInput.GAVE_UP: ClientState.COMMAND,
        ClientInput.CLOSED: ClientState.CLOSED,
    },
    ClientState.KEYS: {
        ClientInput.KEYS_GIVEN: ClientState.RESPONSE,
        ClientInput.REFUSED: ClientState.COMMAND,
        ClientInput.CLOSED: ClientState.CLOSED,
    },
    ClientState.VERDICT: {
        ClientInput.ACCEPTED: ClientState.RELAY,
        ClientInput.REFUSED: ClientState.COMMAND,
        ClientInput.CLOSED: ClientState.CLOSED,
    },
    ClientState.TLS: {
        ClientInput.TLS_READY: ClientState.COMMAND,
        ClientInput.CLOSED: ClientState.CLOSED,
    },
    ClientState.RELAY: {},
    ClientState.CLOSED: {},
}


class ServerState(StrEnum):
    """Of the dialogue with a server: what is awaited from it."""

    GREETING = "greeting"
    CAPABILITIES = "capabilities"
    STARTTLS = "starttls"
    """The answer to STARTTLS or STLS."""
    TLS = "tls"
    """Waits for `tls_started`; what the server sends in clear is an error."""
    INTRODUCE = "introduce"
    """The answer to ID or XCLIENT."""
    LOGIN = "login"
    DONE = "done"
    FAILED = "failed"


class ServerInput(StrEnum):
    """What moves it."""

    CAPABILITIES_ASKED = "capabilities asked"
    TLS_ASKED = "TLS asked"
    TLS_GRANTED = "TLS granted"
    TLS_READY = "TLS ready"
    INTRODUCED = "introduced"
    LOGIN_SENT = "login sent"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


SERVER_MOVES: Mapping[ServerState, Mapping[ServerInput, ServerState]] = {
    ServerState.GREETING: {
        ServerInput.CAPABILITIES_ASKED: ServerState.CAPABILITIES,
        ServerInput.TLS_ASKED: ServerState.STARTTLS,
        ServerInput.INTRODUCED: ServerState.INTRODUCE,
        ServerInput.LOGIN_SENT: ServerState.LOGIN,
        ServerInput.SUCCEEDED: ServerState.DONE,
        ServerInput.FAILED: ServerState.FAILED,
    },
    ServerState.CAPABILITIES: {
        ServerInput.TLS_ASKED: ServerState.STARTTLS,
        ServerInput.INTRODUCED: ServerState.INTRODUCE,
        ServerInput.LOGIN_SENT: ServerState.LOGIN,
        ServerInput.SUCCEEDED: ServerState.DONE,
        ServerInput.FAILED: ServerState.FAILED,
    },
    ServerState.STARTTLS: {
        ServerInput.TLS_GRANTED: ServerState.TLS,
        ServerInput.FAILED: ServerState.FAILED,
    },
    ServerState.TLS: {
        ServerInput.TLS_READY: ServerState.CAPABILITIES,
        ServerInput.FAILED: ServerState.FAILED,
    },
    ServerState.INTRODUCE: {
        ServerInput.LOGIN_SENT: ServerState.LOGIN,
        ServerInput.FAILED: ServerState.FAILED,
    },
    ServerState.LOGIN: {
        ServerInput.LOGIN_SENT: ServerState.LOGIN,
        ServerInput.SUCCEEDED: ServerState.DONE,
        ServerInput.FAILED: ServerState.FAILED,
    },
    ServerState.DONE: {},
    ServerState.FAILED: {},
}

State = TypeVar("State", ClientState, ServerState)
Input = TypeVar("Input", ClientInput, ServerInput)


def move(table: Mapping[State, Mapping[Input, State]], state: State, what: Input) -> State:
    """The next state. Raises DialogueMisuse where the table has none."""
    following = table[state].get(what)
    if following is None:
        raise DialogueMisuse(f"{what.value!r} in state {state.value!r}")
    return following
