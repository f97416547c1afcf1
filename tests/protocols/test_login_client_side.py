"""What the IMAP and POP3 dialogues with a client have in common: states, bounds, STARTTLS."""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.login.client_side import ClientSide, Peer
from l7lb_protocols.login.errors import DialogueMisuse
from l7lb_protocols.login.events import (
    BadInput,
    Close,
    Credentials,
    KeysWanted,
    LoggedIn,
    Relay,
    Send,
    StartTls,
    Verdict,
    WrongProof,
)
from l7lb_protocols.login.states import ClientState
from support.login_talk import (
    IMAP,
    KEYS,
    NONCE,
    POP3,
    SETTINGS,
    TLS,
    client,
    kinds,
    only,
    sent,
)

BOTH = pytest.mark.parametrize("protocol", [IMAP, POP3])
TAG = {IMAP: b"a ", POP3: b""}
LOGIN = {IMAP: b"a LOGIN joe s3cret\r\n", POP3: b"USER joe\r\nPASS s3cret\r\n"}
AUTH = {IMAP: b"a AUTHENTICATE ", POP3: b"AUTH "}
NOOP = {IMAP: b"n NOOP\r\n", POP3: b"NOOP\r\n"}
NOOP_DONE = {IMAP: b"n OK NOOP completed.\r\n", POP3: b"+OK Nothing done.\r\n"}
QUIT = {IMAP: b"q LOGOUT\r\n", POP3: b"QUIT\r\n"}
STARTTLS = {IMAP: b"s STARTTLS\r\n", POP3: b"STLS\r\n"}
BEGIN_TLS = {IMAP: b"s OK Begin TLS.\r\n", POP3: b"+OK Begin TLS.\r\n"}
BAD = {IMAP: b"a BAD ", POP3: b"-ERR "}
PLAIN = base64.b64encode(b"\0joe\0s3cret")
CLEAR = Peer()


def in_state(protocol: str, state: ClientState) -> ClientSide:
    """A dialogue brought into the state by what a client and a driver do."""
    made = client(protocol, CLEAR if state is ClientState.TLS else TLS, greet=False)
    if state is ClientState.START:
        return made
    made.greet()
    said = {
        ClientState.RESPONSE: AUTH[protocol] + b"PLAIN\r\n",
        ClientState.KEYS: AUTH[protocol] + b"SCRAM-SHA-256 " + FIRST + b"\r\n",
        ClientState.VERDICT: LOGIN[protocol],
        ClientState.TLS: STARTTLS[protocol],
        ClientState.RELAY: LOGIN[protocol],
        ClientState.CLOSED: QUIT[protocol],
    }.get(state, b"")
    made.receive(said)
    if state is ClientState.RELAY:
        made.accept(LoggedIn(b"in"))
    assert made.state is state
    return made


FIRST = base64.b64encode(b"n,,n=joe,r=abc")
CALLS: dict[str, Callable[[ClientSide], object]] = {
    "greet": ClientSide.greet,
    "receive": lambda made: made.receive(b"x"),
    "tls_started": ClientSide.tls_started,
    "supply": lambda made: made.supply(KEYS, NONCE),
    "accept": lambda made: made.accept(LoggedIn(b"in")),
    "refuse": lambda made: made.refuse(Verdict.FAILED),
    "close": lambda made: made.close(b"Going down."),
}
LAWFUL = {
    "greet": {ClientState.START},
    "receive": set(ClientState) - {ClientState.RELAY},
    "tls_started": {ClientState.TLS},
    "supply": {ClientState.KEYS},
    "accept": {ClientState.VERDICT},
    "refuse": {ClientState.KEYS, ClientState.VERDICT},
    "close": set(ClientState),
}


@BOTH
@pytest.mark.parametrize("state", ClientState)
@pytest.mark.parametrize("call", CALLS)
def test_every_call_in_every_state(protocol: str, state: ClientState, call: str) -> None:
    made = in_state(protocol, state)
    if state in LAWFUL[call]:
        CALLS[call](made)
    else:
        with pytest.raises(DialogueMisuse):
            CALLS[call](made)
        assert made.state is state


@BOTH
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_pipelined_before_and_after_the_login(protocol: str, size: int) -> None:
    made, events = client(protocol), []
    data = NOOP[protocol] + LOGIN[protocol] + NOOP[protocol] * 2
    for at in range(0, len(data), size):
        events += made.receive(data[at : at + size])
    found = only(events, Credentials)
    assert (found.account, found.secret, found.proven) == (b"joe", b"s3cret", False)
    assert sent(events).count(NOOP_DONE[protocol]) == 1
    assert sent(made.refuse(Verdict.FAILED)).endswith(NOOP_DONE[protocol] * 2)


@BOTH
def test_what_comes_after_the_login_is_the_relays(protocol: str) -> None:
    made = client(protocol)
    made.receive(LOGIN[protocol] + b"b SELECT {3+}\r\n\0\xff")
    made.receive(b"\n rest\r")
    events = made.accept(LoggedIn(b"[X] in", rest=b"* 1 EXISTS\r\n"))
    assert kinds(events) == [Send, Relay]
    assert sent(events).endswith(b"OK [X] in\r\n* 1 EXISTS\r\n")
    assert only(events, Relay).rest == b"b SELECT {3+}\r\n\0\xff\n rest\r"


@BOTH
@pytest.mark.parametrize("verdict", Verdict)
def test_each_verdict_has_words(protocol: str, verdict: Verdict) -> None:
    made = client(protocol)
    made.receive(LOGIN[protocol])
    answer = sent(made.refuse(verdict))
    assert answer.startswith({IMAP: b"a NO [", POP3: b"-ERR ["}[protocol])
    assert answer.count(b"\r\n") == 1
    assert only(made.receive(LOGIN[protocol]), Credentials).account == b"joe"


@BOTH
def test_failures_are_bounded(protocol: str) -> None:
    made = client(protocol, settings=replace(SETTINGS, max_failures=2))
    made.receive(LOGIN[protocol] * 3)
    assert only(made.refuse(Verdict.FAILED), Credentials)
    events = made.refuse(Verdict.FAILED)
    assert kinds(events) == [Send, Close]
    assert made.receive(LOGIN[protocol]) == []


@BOTH
def test_commands_are_bounded(protocol: str) -> None:
    made = client(protocol, settings=replace(SETTINGS, max_commands=3))
    events = made.receive(NOOP[protocol] * 9)
    assert sent(events).count(NOOP_DONE[protocol]) == 3
    assert kinds(events) == [Send, Close]


@BOTH
@pytest.mark.parametrize(
    "line", [b"\r\n", b"a FOO\r\n", b"a \xff\r\n", b"\x01\x02\r\n", b"a LOGIN\r\n", b"a USER\r\n"]
)
def test_refused_commands_are_bounded(protocol: str, line: bytes) -> None:
    made = client(protocol, settings=replace(SETTINGS, max_bad=3))
    events = made.receive(line * 2 + NOOP[protocol] + line * 9)
    assert kinds(events).count(BadInput) == 3
    assert kinds(events)[-1] is Close
    assert NOOP_DONE[protocol] in sent(events)
    assert sent(events).count(b"\r\n") == 5


@BOTH
@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01",
        b"a NOOP\n",
        b"a NO\rOP\r\n",
        b"a NO\0OP\r\n",
        b"x" * 10000,
    ],
)
def test_what_is_no_mail_client_is_closed_at_once(protocol: str, data: bytes) -> None:
    for size in (1, 10**6):
        made, events = client(protocol), []
        for at in range(0, len(data), size):
            events += made.receive(data[at : at + size])
        assert kinds(events)[0] is BadInput
        assert kinds(events)[-1] is Close
        assert made.receive(NOOP[protocol]) == []


@BOTH
def test_much_that_waits_is_seen(protocol: str) -> None:
    made = in_state(protocol, ClientState.VERDICT)
    assert not made.is_full
    made.receive(b"x" * (SETTINGS.max_pending + 1))
    assert made.is_full


@BOTH
def test_early_talker_gets_the_greeting_first(protocol: str) -> None:
    made = client(protocol, greet=False)
    assert made.receive(NOOP[protocol]) == []
    answer = sent(made.greet())
    assert answer.startswith({IMAP: b"* OK [CAPABILITY IMAP4rev1 ", POP3: b"+OK ready"}[protocol])
    assert answer.endswith(NOOP_DONE[protocol])


@BOTH
def test_end_by_the_driver(protocol: str) -> None:
    events = client(protocol).close(b"Going down.")
    assert kinds(events) == [Send, Close]
    assert b"Going down." in sent(events)


# ------------------------------------------------------------------------- SASL


@BOTH
@pytest.mark.parametrize("mechanism", [b"PLAIN", b"plain"])
@pytest.mark.parametrize("is_initial", [True, False])
def test_plain(protocol: str, mechanism: bytes, is_initial: bool) -> None:
    made = client(protocol)
    if is_initial:
        events = made.receive(AUTH[protocol] + mechanism + b" " + PLAIN + b"\r\n")
    else:
        assert sent(made.receive(AUTH[protocol] + mechanism + b"\r\n")) == b"+ \r\n"
        events = made.receive(PLAIN + b"\r\n")
    assert events == [Credentials(b"PLAIN", b"joe", b"", b"s3cret")]


@BOTH
def test_login_mechanism(protocol: str) -> None:
    made = client(protocol)
    events = made.receive(AUTH[protocol] + b"LOGIN\r\nam9l\r\nczNjcmV0\r\n")
    assert sent(events) == b"+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n"
    assert only(events, Credentials) == Credentials(b"LOGIN", b"joe", b"", b"s3cret")


@BOTH
def test_external(protocol: str) -> None:
    made = client(protocol, replace(TLS, certificate=b"joe"))
    events = made.receive(AUTH[protocol] + b"EXTERNAL =\r\n")
    assert events == [Credentials(b"EXTERNAL", b"joe", proven=True)]
    assert b"not on offer" in sent(client(protocol).receive(AUTH[protocol] + b"EXTERNAL =\r\n"))


def scram_final(challenge: bytes, password: bytes) -> bytes:
    """What a right client says to server-first."""
    server_first = base64.b64decode(challenge[2:-2])
    nonce = server_first.split(b",")[0]
    without = b"c=biws," + nonce
    salted = hashlib.pbkdf2_hmac("sha256", password, b"salt", 4096)
    key = hmac.digest(salted, b"Client Key", "sha256")
    signed = b"n=joe,r=abc," + server_first + b"," + without
    signature = hmac.digest(hashlib.sha256(key).digest(), signed, "sha256")
    proof = bytes(a ^ b for a, b in zip(key, signature, strict=True))
    return base64.b64encode(without + b",p=" + base64.b64encode(proof)) + b"\r\n"


@BOTH
def test_scram(protocol: str) -> None:
    made = client(protocol, CLEAR)
    events = made.receive(AUTH[protocol] + b"SCRAM-SHA-256 " + FIRST + b"\r\n")
    assert events == [KeysWanted(b"joe", b"")]
    final = scram_final(sent(made.supply(KEYS, NONCE)), b"pencil")
    assert sent(made.receive(final)).startswith(b"+ dj")
    assert made.receive(b"\r\n") == [Credentials(b"SCRAM-SHA-256", b"joe", proven=True)]


@BOTH
def test_scram_with_a_wrong_password(protocol: str) -> None:
    made = in_state(protocol, ClientState.KEYS)
    final = scram_final(sent(made.supply(KEYS, NONCE)), b"pencils")
    assert made.receive(final) == [WrongProof(b"joe")]
    assert made.state is ClientState.VERDICT
    assert b"AUTH" in sent(made.refuse(Verdict.FAILED))


@BOTH
@pytest.mark.parametrize(
    "line", [b"*", b"=", b"AGpvZQBz M2NyZXQ=", PLAIN[:-1], b"AGpvZQD/", b"A" * 2732, b"", b"QQ=="]
)
def test_bad_response(protocol: str, line: bytes) -> None:
    made = in_state(protocol, ClientState.RESPONSE)
    events = made.receive(line + b"\r\n" + NOOP[protocol])
    assert kinds(events)[0] is BadInput
    assert sent(events).startswith(BAD[protocol])
    assert sent(events).endswith(NOOP_DONE[protocol])
    assert made.state is ClientState.COMMAND


@BOTH
def test_over_long_response_ends_it(protocol: str) -> None:
    made = in_state(protocol, ClientState.RESPONSE)
    assert kinds(made.receive(b"A" * 5000))[-1] is Close


@BOTH
def test_no_secret_without_tls(protocol: str) -> None:
    made = client(protocol, CLEAR)
    for data in (LOGIN[protocol], AUTH[protocol] + b"PLAIN " + PLAIN + b"\r\n"):
        events = made.receive(data)
        assert Credentials not in kinds(events)
    clear = client(protocol, CLEAR, replace(SETTINGS, secrets_in_clear=True))
    assert only(clear.receive(LOGIN[protocol]), Credentials).account == b"joe"


# ------------------------------------------------------------------------- STARTTLS

INJECTED: dict[str, Callable[[str], tuple[bytes, bytes]]] = {
    # What comes in clear with the command, and later but before the handshake.
    "a command": lambda protocol: (NOOP[protocol], b""),
    "a login": lambda protocol: (LOGIN[protocol], b""),
    "half a command": lambda protocol: (TAG[protocol] + b"NO", b""),
    "a literal that would swallow what follows": lambda protocol: (b"a LOGIN {9+}\r\n", b""),
    "an exchange that is open": lambda protocol: (AUTH[protocol] + b"PLAIN\r\n", b""),
    "a packet of its own": lambda protocol: (b"", LOGIN[protocol]),
}


@BOTH
@pytest.mark.parametrize("case", INJECTED)
def test_injected_before_tls(protocol: str, case: str) -> None:
    """CVE-2011-0411 and its kin: nothing that came in clear is obeyed under TLS."""
    same, later = INJECTED[case](protocol)
    made = client(protocol, CLEAR)
    events = made.receive(STARTTLS[protocol] + same)
    assert sent(events) == BEGIN_TLS[protocol]
    assert kinds(events) == [Send, *[BadInput] * bool(same), StartTls]
    assert made.receive(later) == []
    assert made.tls_started() == []
    assert made.receive(NOOP[protocol]) == [Send(NOOP_DONE[protocol])]


@BOTH
def test_starttls_twice_or_not_on_offer(protocol: str) -> None:
    for made in (client(protocol), client(protocol, CLEAR, replace(SETTINGS, starttls=False))):
        events = made.receive(STARTTLS[protocol])
        assert StartTls not in kinds(events)
        assert BadInput in kinds(events)


@BOTH
def test_user_given_in_clear_is_forgotten(protocol: str) -> None:
    made = client(protocol, CLEAR, replace(SETTINGS, secrets_in_clear=True))
    made.receive({IMAP: b"", POP3: b"USER eve\r\n"}[protocol] + STARTTLS[protocol])
    made.tls_started()
    assert Credentials not in kinds(made.receive(b"PASS s3cret\r\n"))


PIECES = [*LOGIN.values(), *AUTH.values(), *STARTTLS.values(), *NOOP.values(), PLAIN, FIRST]
PIECES += [
    b"\r\n",
    b"PLAIN",
    b" SCRAM-SHA-256 ",
    b"*",
    b"{3}",
    b"{3+}",
    b"\0",
    b"\xff",
    b"XCLIENT ",
]


@BOTH
@given(st.lists(st.sampled_from(PIECES), max_size=20), st.integers(1, 40))
def test_whatever_a_client_sends(protocol: str, parts: list[bytes], size: int) -> None:
    """Only events come out, and the driver can always go on."""
    made = client(protocol, CLEAR, replace(SETTINGS, secrets_in_clear=True))
    data = b"".join(parts)
    for at in range(0, len(data), size):
        events = made.receive(data[at : at + size])
        for _ in range(30):
            kind = {StartTls, KeysWanted, Credentials, WrongProof} & set(kinds(events))
            if not kind:
                break
            if StartTls in kind:
                events = made.tls_started()
            elif KeysWanted in kind:
                events = made.supply(KEYS, NONCE)
            else:
                events = made.refuse(Verdict.UNAVAILABLE)
    assert made.state in {ClientState.COMMAND, ClientState.RESPONSE, ClientState.CLOSED}
