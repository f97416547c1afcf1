"""Datagrams of the relay's verbs: both ways the same, strict about what comes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb.media.relay import wire
from l7lb.media.relay.verbs import (
    Event,
    News,
    Open,
    Opened,
    Refusal,
    RelayRefusal,
    Request,
)
from support.relay_rules import REQUESTS, check_bytes


@pytest.mark.parametrize("request_", REQUESTS, ids=str)
def test_a_request_arrives_as_it_was(request_: Request) -> None:
    assert wire.decode_request(wire.encode_request(7, request_)) == (7, request_)


def test_addresses_take_their_one_form() -> None:
    data = {"id": 1, "verb": "open", "client": "::ffff:192.0.2.1", "server": "2001:DB8:0::1"}
    data |= {"client_local": "192.0.2.9", "server_local": "2001:db8::9"}
    found = wire.decode_request(json.dumps(data).encode())[1]
    assert found == Open("192.0.2.1", "2001:db8::1", "192.0.2.9", "2001:db8::9")


def test_answers_arrive_as_they_were() -> None:
    opened = Opened("token", 2, (20000, 20001), (20002, 20003))
    number, value = wire.decode_answer(wire.encode_reply(3, opened))
    assert number == 3
    assert isinstance(value, dict)
    assert wire.opened(value) == opened
    assert wire.decode_answer(wire.encode_reply(4, {"a": [1]})) == (4, {"a": [1]})
    number, refusal = wire.decode_answer(
        wire.encode_reply(5, RelayRefusal(Refusal.NO_PORTS, "none left"))
    )
    assert number == 5
    assert isinstance(refusal, RelayRefusal)
    assert (refusal.code, str(refusal)) == (Refusal.NO_PORTS, "none left")


def test_news_arrive_as_they_were() -> None:
    for news in (
        News(Event.LATCHED, "token", "alias", 1, "client-rtp", 4000, 5000),
        News(Event.TIMED_OUT, "token", counters={"streams": {}}),
    ):
        assert wire.decode_answer(wire.encode_news(news)) == news


def changed(**changes: object) -> bytes:
    data = {"id": 1, "verb": "open", "client": "192.0.2.1", "server": "10.0.0.1"}
    data |= {"client_local": "192.0.2.9", "server_local": "10.0.0.9"}
    data |= changes
    return json.dumps({key: value for key, value in data.items() if value is not ...}).encode()


BAD = {
    "empty": b"",
    "no JSON": b"open",
    "deep": b"[" * 4000,
    "no object": b"[1]",
    "no number": changed(id=...),
    "number below zero": changed(id=-1),
    "number that is no integer": changed(id=1.5),
    "true as a number": changed(id=True),
    "no verb": changed(verb=...),
    "unknown verb": changed(verb="destroy"),
    "verb of another type": changed(verb=["open"]),
    "unknown key": changed(destination="192.0.2.7"),
    "missing key": changed(client=...),
    "no address": changed(client="player.example.org"),
    "address with a zone": changed(client="fe80::1%eth0"),
    "any address": changed(client_local="0.0.0.0"),
    "multicast": changed(client="224.1.1.1"),
    "address of another type": changed(client=7),
    "time below a second": changed(timeout_s=0.5),
    "time without end": changed(timeout_s=1e9),
    "no time": changed(timeout_s="60"),
    "not a number": changed(timeout_s=float("nan")),
    "name too long": changed(session="x" * 257),
    "name that cannot be printed": changed(session="a\nb"),
    "too long": changed(session="x" * 5000),
    "stream": b'{"id":1,"verb":"close","session":"a","stream":-2}',
    "one port": b'{"id":1,"verb":"peers","session":"a","stream":0,"client_ports":[5000]}',
    "port": b'{"id":1,"verb":"peers","session":"a","stream":0,"client_ports":[5000,65536]}',
    "ssrc": b'{"id":1,"verb":"peers","session":"a","stream":0,"ssrc":4294967296}',
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_refused(name: str) -> None:
    with pytest.raises(wire.WireError):
        wire.decode_request(BAD[name])


def test_a_refusal_knows_the_number_of_its_request() -> None:
    with pytest.raises(wire.WireError) as caught:
        wire.decode_request(changed(id=9, client="x"))
    assert caught.value.number == 9


@pytest.mark.parametrize(
    "data",
    [
        b'{"id":1}',
        b'{"id":1,"ok":3}',
        b'{"id":1,"error":"who knows"}',
        b'{"news":"born","session":"a"}',
        b'{"news":"silent","session":"a","colour":"red"}',
        b'{"news":"silent","session":7}',
        b'{"news":"silent"}',
        b'{"news":"silent","session":"a","counters":[]}',
        b'{"news":"latched","session":"a","port":65536}',
        b'{"id":1,"ok":{}}' + b" " * wire.REPLY_BYTES,
    ],
)
def test_a_bad_answer_is_refused(data: bytes) -> None:
    with pytest.raises(wire.WireError):
        wire.decode_answer(data)


@pytest.mark.parametrize("value", [{}, {"session": "a", "stream": 0, "client_ports": [1, 2]}])
def test_an_opened_stream_has_all_its_ports(value: dict[str, object]) -> None:
    with pytest.raises(wire.WireError):
        wire.opened(value)


@given(st.binary(max_size=100) | st.from_regex(rb'\{"id":1,"verb":"(open|peers)",.{0,40}\}'))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    check_bytes(data)


ODD = [None, True, -1, 0, 1, 5000, 1 << 70, 10**400, 0.5, float("inf"), "", "a", "10.0.0.1", "::1"]
ODD += [[], [1, 2], [5000, "x"], {}, {"a": 1}, *wire.VERBS, *Event]
KEYS = st.sampled_from([*wire.CHECKS, "id", "verb", "news", "ok", "error", "counters"])


@given(st.dictionaries(KEYS, st.sampled_from(ODD), max_size=6))
def test_any_object_is_read_or_refused(found: dict[str, object]) -> None:
    check_bytes(json.dumps({"id": 1} | found).encode())
