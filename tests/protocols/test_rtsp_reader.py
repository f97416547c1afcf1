"""Messages and frames from bytes, whole, byte by byte and with trailing bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.frames import run_end
from l7lb_protocols.rtsp.message import Request, Response, request, response
from l7lb_protocols.rtsp.reader import Frames, Limits, Reader, parse
from support.rtsp_rules import bytewise, check, check_stream, seen
from support.rtsp_seeds import STREAMS, TRANSPORTS, wire

OPTIONS = b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n"
READ = {
    OPTIONS: [("request", OPTIONS)],
    b"\r\n\r\n" + OPTIONS: [("request", OPTIONS)],
    b"$\0\0\3abc" + OPTIONS: [("frames", b"$\0\0\3abc"), ("request", OPTIONS)],
    b"$\0\0\3ab": [("frames", b"$\0\0\3ab")],
    b"$\0\0": [],
    b"$\0\0\0": [("frames", b"$\0\0\0")],
    b"$\0\0\1x$\1\0\2yz": [("frames", b"$\0\0\1x$\1\0\2yz")],
    b"RTSP/1.0 200\r\n\r\n": [("response", b"RTSP/1.0 200\r\n\r\n")],
    b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab$": [
        ("response", b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab")
    ],
}
REFUSED = wire(
    b"OPTIONS * RTSP/1.0\nCSeq: 1\n\n|",
    b"OPTIONS * HTTP/1.1||",
    b"GET / HTTP/1.1||",
    b"OPTIONS  * RTSP/1.0||",
    b"OPTIONS * RTSP/1.0 ||",
    b"OPTIONS * RTSP/1.0|CSeq 1||",
    b"OPTIONS * RTSP/1.0|CSeq: 1| folded||",
    b"OPTIONS * RTSP/1.0|A: \0||",
    b"OPTIONS * RTSP/1.0|CSeq: 1|CSeq: 2||",
    b"OPTIONS * RTSP/1.0|Content-Length: 1|content-length: 1||",
    b"OPTIONS * RTSP/1.0|Content-Length: -1||",
    b"OPTIONS * RTSP/1.0|Content-Length: 1, 1||",
    b"OPTIONS * RTSP/1.0|Session: a|SESSION: b||",
    b"RTSP/1.0 20 OK||",
    b"RTSP/1.0 2000 OK||",
    b"||||||||||||||||||||",
    b"\rOPTIONS * RTSP/1.0||",
    b"\x16\x03\x01\x02",
    b"A" * 20000,
)


@pytest.mark.parametrize("data", READ)
def test_read(data: bytes) -> None:
    assert seen([data]) == READ[data]
    assert seen(bytewise(data)) == READ[data]


@pytest.mark.parametrize("data", READ)
def test_read_with_more_behind(data: bytes) -> None:
    whole = READ[data]
    if b"".join(part for _, part in whole) == data.lstrip(b"\r\n"):
        assert seen([data + OPTIONS])[: len(whole)] == whole or data.endswith(b"ab")


@pytest.mark.parametrize("data", REFUSED)
def test_refused(data: bytes) -> None:
    assert seen([data])[-1] == ("refused", b"400")
    assert seen(bytewise(data))[-1] == ("refused", b"400")


def test_a_body_that_is_too_long_is_refused_before_it_comes() -> None:
    data = b"ANNOUNCE rtsp://h/a RTSP/1.0\r\nContent-Length: 9\r\n\r\n"
    assert seen([data], Limits(body_bytes=8)) == [("refused", b"413")]
    assert seen([data + b"123456789"], Limits(body_bytes=9))[-1][0] == "request"


def test_head_and_fields_are_limited() -> None:
    fields = b"".join(b"A%d: b\r\n" % number for number in range(10))
    data = b"OPTIONS * RTSP/1.0\r\n" + fields + b"\r\n"
    assert seen([data], Limits(fields=10))[-1][0] == "request"
    assert seen([data], Limits(fields=9))[-1] == ("refused", b"400")
    assert seen([data], Limits(head_bytes=len(data)))[-1][0] == "request"
    assert seen([data], Limits(head_bytes=len(data) - 1))[-1] == ("refused", b"400")
    assert seen([data[:-2]], Limits(head_bytes=50))[-1] == ("refused", b"400")


def test_a_run_is_one_piece() -> None:
    reader = Reader(Limits())
    run = b"".join(b"$\0\0\2ab" for _ in range(1000))
    reader.feed(run + b"$\0\1\0abc")
    event = reader.next()
    assert isinstance(event, Frames)
    assert event.data == run + b"$\0\1\0abc"
    assert reader.next() is None
    assert not reader.is_between
    reader.feed(b"x" * 253 + OPTIONS)
    rest = reader.next()
    assert isinstance(rest, Frames)
    assert rest.data == b"x" * 253
    assert isinstance(reader.next(), Request)
    assert reader.is_between


def test_run_end() -> None:
    assert run_end(b"$\0\0\2abR", 0) == 6
    assert run_end(b"$\0\0\2a", 0) == 6
    assert run_end(b"$\0\0", 0) == 0
    assert run_end(b"RTSP", 0) == 0


def test_rest_is_for_another() -> None:
    reader = Reader(Limits())
    reader.feed(OPTIONS + b"abc")
    reader.next()
    assert reader.held == 3
    assert reader.take_rest() == b"abc"
    assert reader.held == 0


def test_fields_and_edits() -> None:
    message = parse(
        b"SETUP rtsp://h/a RTSP/1.0\r\nCSeq:  7 \r\nA: 1\r\nSession: x ;timeout=3\r\na: 2\r\n\r\n"
    )
    assert isinstance(message, Request)
    assert (message.method, message.target, message.version) == (
        b"SETUP",
        b"rtsp://h/a",
        b"RTSP/1.0",
    )
    assert message.get(b"a") == b"1, 2"
    assert message.get(b"b") is None
    assert message.cseq == 7
    assert message.encode({b"a": b"3", b"session": b"y", b"none": b"z"}) == (
        b"SETUP rtsp://h/a RTSP/1.0\r\nCSeq:  7 \r\nA: 3\r\nSession: y\r\n\r\n"
    )
    assert message.encode({b"a": None}) == (
        b"SETUP rtsp://h/a RTSP/1.0\r\nCSeq:  7 \r\nSession: x ;timeout=3\r\n\r\n"
    )


def test_another_body_has_its_length() -> None:
    reader = Reader(Limits())
    reader.feed(b"RTSP/1.0 200 OK\r\nContent-Length: 3\r\nCSeq: 1\r\n\r\nv=0")
    message = reader.next()
    assert isinstance(message, Response)
    assert message.encode(body=b"v=0\r\n") == (
        b"RTSP/1.0 200 OK\r\nContent-Length: 5\r\nCSeq: 1\r\n\r\nv=0\r\n"
    )


@pytest.mark.parametrize("value", [b"", b"x", b"-1", b"4294967296", b"1 2"])
def test_no_cseq(value: bytes) -> None:
    message = parse(b"OPTIONS * RTSP/1.0\r\nCSeq: " + value + b"\r\n\r\n")
    with pytest.raises(RtspRefusal) as caught:
        _ = message.cseq
    assert caught.value.status == 400
    assert "CSeq" in str(caught.value)


def test_our_own_messages_can_be_read() -> None:
    answer = parse(response(461, 3, [(b"Allow", b"PLAY")]))
    assert isinstance(answer, Response)
    assert (answer.status, answer.cseq, answer.get(b"allow")) == (461, 3, b"PLAY")
    assert parse(response(400, None)).get(b"cseq") is None
    asked = parse(request(b"REDIRECT", b"rtsp://h/a", 5, [(b"Location", b"rtsp://i/a")]))
    assert isinstance(asked, Request)
    assert (asked.method, asked.cseq, asked.get(b"location")) == (b"REDIRECT", 5, b"rtsp://i/a")


@pytest.mark.parametrize("data", STREAMS + TRANSPORTS)
def test_seeds(data: bytes) -> None:
    check(data)


@given(st.lists(st.sampled_from(STREAMS) | st.binary(max_size=20), max_size=6).map(b"".join))
def test_streams(data: bytes) -> None:
    check_stream(data)


@given(st.sampled_from(STREAMS), st.integers(0, 400), st.binary(max_size=3))
def test_damaged_streams(data: bytes, at: int, put: bytes) -> None:
    check(data[:at] + put + data[at + len(put) :])
