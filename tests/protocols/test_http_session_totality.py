"""Every event in every state, and any lawful order of events: each exchange ends exactly once."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l7lb_protocols.wire import CLIENT, FAILED, PENDING, READY, SERVER
from support.playbook import PHASES, Playbook, decision

GET = "client GET / HTTP/1.1|Host: a||"
UPGRADE = "client GET / HTTP/1.1|Host: a|Connection: upgrade|Upgrade: x||"
SWITCHED = "server HTTP/1.1 101 S|Connection: upgrade|Upgrade: x||"
LENGTH = "client POST / HTTP/1.1|Host: a|Content-Length: 5||"
CHUNKED = "client POST / HTTP/1.1|Host: a|Transfer-Encoding: chunked||"
EARLY = "server HTTP/1.1 200 OK|Content-Length: 5||o"

STATES = {
    "idle": [],
    "in a head": ["client GET /"],
    "between": [GET, "server HTTP/1.1 204 N||"],
    "connecting": ["pending", GET],
    "connecting with a body": ["pending", LENGTH],
    "waiting": [GET],
    "waiting with part of the answer": [GET, "server HTTP/1.1 20"],
    "waiting after an interim answer": [GET, "server HTTP/1.1 103 E||"],
    "sending a body": [LENGTH],
    "sending chunks": [CHUNKED],
    "answer of known length": [GET, EARLY],
    "answer in chunks": [GET, "server HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|o"],
    "answer until the end": [GET, "server HTTP/1.1 200 OK||o"],
    "both ways": [LENGTH, EARLY],
    "both ways in chunks": [CHUNKED, "server HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|o"],
    "tunnel": [UPGRADE, SWITCHED],
    "tunnel, half closed": [UPGRADE, SWITCHED, "relayed client"],
    "half closed": [GET, "client-eof"],
    "pipelined": ["client GET /1 HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||"],
}
EVENTS = [
    GET,
    "client rubbish|",
    "client-eof",
    "client-lost",
    "ready",
    "refused 502",
    "server HTTP/1.1 200 OK|Content-Length: 2||ok",
    "server rubbish|",
    "server-eof",
    "server-lost",
    "relayed client",
    "relayed server",
    *(f"expired {phase}" for phase in PHASES if phase not in ("connect", "queue", "tls")),
]
CLIENT_PIECES = [
    GET,
    "client GET / HTTP/1.0||",
    "client GET / HTTP/1.0|Connection: keep-alive||",
    "client GET /1 HTTP/1.1|Host: a||GET /2 HTTP/1.1|Host: a||",
    "client HEAD / HTTP/1.1|Host: a|Connection: close||",
    "client CONNECT a:1 HTTP/1.1|Host: a:1||",
    UPGRADE,
    LENGTH,
    LENGTH + "hello",
    CHUNKED,
    CHUNKED + "5|hello|0||",
    "client GET / HT",
    "client TP/1.1|Host: a||",
    "client 3|abc|",
    "client 0||",
    "client rubbish|",
]
SERVER_PIECES = [
    "server HTTP/1.1 200 OK|Content-Length: 2||ok",
    "server HTTP/1.1 200 OK|Content-Length: 2||okmore",
    "server HTTP/1.0 200 OK|Content-Length: 2||o",
    "server HTTP/1.1 200 OK||o",
    "server HTTP/1.1 200 OK|Transfer-Encoding: chunked||2|ok|",
    "server 2|ok|",
    "server 0||",
    "server HTTP/1.1 100 Continue||",
    "server HTTP/1.1 204 N||",
    "server HTTP/1.1 503 S|Content-Length: 0||",
    SWITCHED,
    "server HTTP/1.1 2",
    "server 00 OK|Content-Length: 0||",
    "server rubbish|",
]


def lawful(book: Playbook, event: str) -> bool:
    """Whether a driver could tell this now."""
    wire = book.wire
    side = SERVER if event.startswith("server") else CLIENT
    if not wire.open:
        return False
    if event == "client-eof":
        return wire.relays.get(CLIENT, 0) >= 0 and CLIENT not in wire.ended and not wire.holds
    if event.startswith("relayed"):
        return wire.relays.get(CLIENT if event.endswith("client") else SERVER, 0) != 0
    if event == "ready" or event.startswith("refused"):
        return wire.waits
    if event.startswith("expired"):
        return event in (f"expired {PHASES[wire.phase_now]}", "expired none", "expired send")
    if side == SERVER:
        relays = wire.relays.get(SERVER, 0)
        return wire.has_server and (event == "server-lost" or relays == 0)
    if event.startswith("client "):
        is_read = wire.relays.get(CLIENT, 0) == 0 and not wire.holds
        return is_read and CLIENT not in wire.ended
    return True


def finish(book: Playbook) -> None:
    """The client goes; then every exchange was logged once and every server given back once."""
    if book.wire.open:
        book.tell("client-lost")
    assert book.wire.decided == book.wire.logged
    assert book.wire.connected == book.wire.released


@pytest.mark.parametrize("state", STATES)
def test_every_event_in_every_state(state: str) -> None:
    happened = 0
    for event in EVENTS:
        script = STATES[state]
        book = Playbook(connects=[PENDING] if "pending" in script else [])
        for each in script:
            if each != "pending":
                book.tell(each)
        if lawful(book, event):
            book.tell(event)
            happened += 1
        finish(book)
    assert happened >= 4


codes = st.lists(st.sampled_from([READY, PENDING, FAILED]), max_size=6)
decisions = st.sampled_from(
    [
        {},
        {"reply": (404, [], b"")},
        {"mirror": True},
        {"allow_connect": True},
        {"edit_response": lambda fields: fields},
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.data(), decisions, codes, codes, st.sampled_from([0, 4]), st.sampled_from([20, 65536]))
def test_any_order_of_events(
    data: st.DataObject,
    said: dict[str, object],
    connects: list[int],
    retries: list[int],
    max_body: int,
    max_pipeline: int,
) -> None:
    book = Playbook(
        decision=decision(**said),
        connects=connects,
        retries=retries,
        max_body=max_body,
        max_pipeline=max_pipeline,
    )
    events = list(dict.fromkeys(itertools.chain(EVENTS, CLIENT_PIECES, SERVER_PIECES)))
    for _ in range(data.draw(st.integers(1, 14))):
        choices = [event for event in events if lawful(book, event)]
        if not choices:
            break
        event = data.draw(st.sampled_from(choices))
        if event == "client-eof" or (event == "relayed client" and book.wire.relays[CLIENT] < 0):
            book.wire.ended.add(CLIENT)
        book.tell(event)
    finish(book)
