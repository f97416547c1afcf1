"""The parts of a control session by themselves: line, transports, naming, held, latching."""

from __future__ import annotations

import asyncio

import pytest

from l7lb.errors import MediaRefused
from l7lb.media.control.held import GRACE_S, Book, Held, Stream, TcpOnly, alias_of
from l7lb.media.control.latching import Latching, Watch
from l7lb.media.control.line import Asked, Line
from l7lb.media.control.naming import Naming
from l7lb.media.control.transports import Terms, from_relay, hidden, pair_of, towards_server, usable
from l7lb.media.ports import FlowPath, RelayStream
from l7lb.model_media import Mode
from l7lb.persistence.learned import LocalPinTable
from l7lb.persistence.published import PublishedPins, value_of
from l7lb.pool.slot import Home, Outcome, Slot
from l7lb_protocols.facts import PlainFacts
from l7lb_protocols.rtsp.errors import RtspRefusal
from l7lb_protocols.rtsp.message import Request, Response
from l7lb_protocols.rtsp.reader import parse as parse_head
from l7lb_protocols.rtsp.transport import parse

RELAY = RelayStream("r", 1, (40000, 40001), (40002, 40003))


def asked(cseq: int) -> Asked:
    request = parse_head(b"PLAY rtsp://h/ RTSP/1.0\r\nCSeq: %d\r\n\r\n" % cseq)
    assert isinstance(request, Request)
    found = Asked(request)
    found.cseq = cseq
    return found


# --------------------------------------------------------------------------- line


def test_line_gives_answers_back_in_order() -> None:
    line = Line()
    one, two, three = asked(1), asked(2), asked(2)
    for each in (one, two, three):
        line.add(each)
        each.is_forwarded = True
    assert line.find(2) is two
    two.settle(200, b"two")
    assert line.find(2) is three
    assert line.due() is None
    assert line.at_server() == line.open() == [one, three]
    one.settle(404, b"one")
    assert [line.due(), line.due(), line.due()] == [one, two, None]
    assert len(line) == 1


def test_what_was_not_forwarded_is_not_found() -> None:
    line = Line()
    line.add(asked(7))
    assert line.find(7) is None
    assert line.at_server() == []
    assert line


# --------------------------------------------------------------------------- transports


@pytest.mark.parametrize(
    ("field", "mode", "kept"),
    [
        (b"RTP/AVP;client_port=5-6,RTP/AVP/TCP", Mode.RELAY, 2),
        (b"RTP/AVP;client_port=5-6,RTP/AVP/TCP", None, 1),
        (b"RTP/AVP,RTP/AVP/TCP", Mode.RELAY, 1),
        (b"RTP/AVP,RTP/AVP/TCP", Mode.NAT, 2),
        (b"RTP/AVP;multicast", None, 1),
    ],
)
def test_usable(field: bytes, mode: Mode | None, kept: int) -> None:
    assert len(usable(parse(field), Terms("192.0.2.1", mode, interleaved=True))) == kept


def test_nothing_usable_says_why() -> None:
    terms = Terms("192.0.2.1", None, interleaved=False, reason="because")
    with pytest.raises(RtspRefusal, match="because") as caught:
        usable(parse(b"RTP/AVP;client_port=5-6,RTP/AVP/TCP"), terms)
    assert caught.value.status == 461


def test_ports_of_the_relay() -> None:
    kept = parse(b"RTP/AVP;unicast;client_port=5-6;destination=192.0.2.1,RTP/AVP/TCP")
    assert pair_of(kept) == (5, 6)
    assert pair_of(parse(b"RTP/AVP/TCP")) is None
    sent = towards_server(kept, RELAY)
    assert [each.encode() for each in sent] == [
        b"RTP/AVP;unicast;client_port=40002-40003",
        b"RTP/AVP/TCP",
    ]
    assert towards_server(kept, None) is kept
    [said] = parse(b"RTP/AVP;client_port=40002-40003;server_port=7-8;source=10.0.0.1;ssrc=1")
    assert from_relay(said, RELAY, (5, 6), "192.0.2.9").encode() == (
        b"RTP/AVP;client_port=5-6;server_port=40000-40001;source=192.0.2.9;ssrc=1"
    )


def test_a_servers_own_source_is_hidden() -> None:
    own = frozenset({"10.0.0.1"})
    [said] = parse(b"RTP/AVP;source=10.0.0.1")
    assert hidden(said, own, "192.0.2.9").encode() == b"RTP/AVP;source=192.0.2.9"
    [other] = parse(b"RTP/AVP;source=10.0.0.2")
    assert hidden(other, own, "192.0.2.9") is other
    [none] = parse(b"RTP/AVP")
    assert hidden(none, own, "192.0.2.9") is none


# --------------------------------------------------------------------------- naming


def said(*fields: bytes, body: bytes = b"") -> Response:
    head = parse_head(b"\r\n".join([b"RTSP/1.0 200 OK", *fields, b"", b""]))
    assert isinstance(head, Response)
    head.body = body
    return head


def test_only_the_servers_own_address_is_replaced() -> None:
    naming = Naming(frozenset({"10.0.0.1", "media.example", "2001:db8::1"}))
    answer = said(
        b"Content-Base: rtsp://10.0.0.1:8554/film/",
        b"RTP-Info: url=rtsp://[2001:db8::1]/film/1;seq=1,url=rtsp://10.0.0.11/film/2;seq=2",
        b"Location: rtsp://elsewhere.example/",
        b"Content-Location: RTSP://MEDIA.example",
        b"X-Other: rtsp://10.0.0.1/",
    )
    assert naming.edits(answer, b"rtsp://vip:554") == {
        b"content-base": b"rtsp://vip:554/film/",
        b"rtp-info": b"url=rtsp://vip:554/film/1;seq=1,url=rtsp://10.0.0.11/film/2;seq=2",
        b"content-location": b"rtsp://vip:554",
    }


def test_descriptions_too() -> None:
    naming = Naming(frozenset({"10.0.0.1"}))
    body = b"v=0\r\na=control:rtsp://10.0.0.1/film/1\r\no=- 1 1 IN IP4 10.0.0.1\r\n"
    answer = said(b"Content-Type: application/sdp", body=body)
    assert naming.body(answer, b"rtsp://vip") == body.replace(b"rtsp://10.0.0.1", b"rtsp://vip")
    text = said(b"Content-Type: text/parameters", body=body)
    assert naming.body(text, b"rtsp://vip") == body


# --------------------------------------------------------------------------- held


class Counted(Home):
    """A pool's end of slots."""

    def __init__(self) -> None:
        super().__init__()
        self.back: list[Outcome] = []

    def slot(self) -> Slot:
        return Slot(self, None, b"", 0.0)

    def give_back(self, server: object, outcome: Outcome) -> None:
        self.back.append(outcome)


def test_a_kept_slot_comes_back_in_time() -> None:
    now = [100.0]
    pool, book = Counted(), Book(lambda: now[0])
    book.keep(b"one", pool.slot(), 60.0)
    book.keep(b"two", pool.slot(), 10.0)
    now[0] += 10.0 + GRACE_S
    book.sweep()
    assert (len(book), pool.back) == (1, [Outcome.OK])
    book.free(b"one")
    book.free(b"one")
    assert (len(book), len(pool.back)) == (0, 2)


def test_a_token_has_one_slot_and_the_end_gives_all_back() -> None:
    pool, book = Counted(), Book(lambda: 0.0)
    for _ in range(2):
        book.keep(b"one", pool.slot(), 60.0)
    assert (len(book), len(pool.back)) == (1, 1)
    book.close()
    assert len(pool.back) == 2


def test_what_a_session_holds() -> None:
    held = Held(b"id", b"\x01\xff")
    assert held.alias == alias_of(b"\x01\xff") == "rtsp-01ff"
    assert not held.is_interleaved
    held.streams += [Stream(b"/a", is_interleaved=False), Stream(b"/b", is_interleaved=True)]
    assert held.is_interleaved


def test_tcp_only_is_forgotten() -> None:
    now = [0.0]
    clients = TcpOnly(lambda: now[0])
    clients.add("192.0.2.1", 10.0)
    assert clients.holds("192.0.2.1")
    assert not clients.holds("192.0.2.2")
    now[0] = 10.0
    assert not clients.holds("192.0.2.1")


# --------------------------------------------------------------------------- latching


class Words:
    """`l7lb.media.ports.Kernel` that says these words, one a question; the last stays."""

    def __init__(self, **said: list[str]) -> None:
        self.said = said
        self.asked: list[int] = []

    async def latch(self, path: FlowPath, timeout_s: int) -> str:
        self.asked.append(path.client_port)
        words = self.said[f"p{path.client_port}"]
        word = words.pop(0) if len(words) > 1 else words[0]
        if word == "refused":
            raise MediaRefused("no")
        return word

    async def transparent_socket(self, source: str) -> None:  # type: ignore[override]
        raise AssertionError


@pytest.mark.parametrize(
    ("first", "second", "is_heard"),
    [
        (["as-named"], ["as-named"], True),
        (["elsewhere"], ["silent"], True),
        (["silent"], ["silent"], False),
        (["refused"], ["silent"], True),
    ],
)
async def test_latching(
    first: list[str], second: list[str], is_heard: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("l7lb.media.control.latching.EVERY_S", 0.01)
    kernel = Words(p1=first, p2=second)
    paths = [FlowPath("192.0.2.1", port, "10.0.0.1", 9) for port in (1, 2)]
    watch = Watch(paths, 0.05, 60)
    latching = Latching(kernel, watch)  # type: ignore[arg-type]
    assert await latching.listen() is is_heard
    assert latching.mapped == (paths[:1] if first == ["elsewhere"] else [])
    assert kernel.asked[:2] == [1, 2]
    if first != ["silent"]:
        assert kernel.asked.count(1) == 1


async def test_what_is_mapped_is_renewed(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = Words(p1=["elsewhere"], p2=["as-named"])
    paths = [FlowPath("192.0.2.1", port, "10.0.0.1", 9) for port in (1, 2)]
    monkeypatch.setattr("l7lb.media.control.latching.RENEWALS", 10_000)
    latching = Latching(kernel, Watch(paths, 0.01, 60))  # type: ignore[arg-type]
    assert await latching.listen()
    renewing = asyncio.create_task(latching.renew())
    async with asyncio.timeout(30):
        while kernel.asked.count(1) < 4:
            await asyncio.sleep(0.001)
    renewing.cancel()
    assert kernel.asked.count(2) == 1


# --------------------------------------------------------------------------- published paths


def test_published_paths() -> None:
    table = LocalPinTable(10, 60.0, lambda: 0.0)
    pins = PublishedPins(table)
    table.remember(value_of(b"/live/cam/"), "one")
    for path in (b"/live/cam", b"/live/cam/", b"/live/cam/track1"):
        assert pins.find(PlainFacts(path=path)) == pins.peek(PlainFacts(path=path)) == "one"
    for path in (b"/live", b"/live/camera", b"/live/cam/a/b", b"*", b"", b"/"):
        assert pins.find(PlainFacts(path=path)) is None
    assert value_of(b"/") == b"/"
