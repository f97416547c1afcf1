"""What holds for any bytes that the relay's verbs are asked in, for tests and the fuzz target."""

from __future__ import annotations

from l7lb.media.relay import wire
from l7lb.media.relay.verbs import Close, Counters, Hear, News, Open, Peers, Request, Touch

REQUESTS: tuple[Request, ...] = (
    Open("192.0.2.1", "10.0.0.1", "192.0.2.9", "10.0.0.9"),
    Open("2001:db8::1", "10.0.0.1", "2001:db8::9", "10.0.0.9", "token", 30.0),
    Peers("token", 1, (5000, 5001), (6000, 6001), 0xCAFE, "m1/12345678.TAG"),
    Peers("token", 0),
    Touch("token", 60.0, 3.0),
    Touch("token"),
    Close("token"),
    Close("token", 3),
    Counters(),
    Counters(server="10.0.0.1"),
    Counters("token"),
    Hear(),
)


def seeds() -> list[bytes]:
    return [wire.encode_request(number, each) for number, each in enumerate(REQUESTS)]


def check_bytes(data: bytes) -> None:
    """A request that can be said again alike, or WireError; the same for what a relay says."""
    try:
        number, request = wire.decode_request(data)
        assert wire.decode_request(wire.encode_request(number, request)) == (number, request)
    except wire.WireError:
        pass
    try:
        found = wire.decode_answer(data)
    except wire.WireError:
        return
    if isinstance(found, News):
        assert wire.decode_answer(wire.encode_news(found)) == found
