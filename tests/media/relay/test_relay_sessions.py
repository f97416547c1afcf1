"""Sessions of a relay: verbs, latching, silence, timeouts, totals; on real sockets, no process."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from l7lb.media.relay.packets import Mover
from l7lb.media.relay.sessions import Sessions
from l7lb.media.relay.spec import RelaySpec
from l7lb.media.relay.verbs import (
    Close,
    Counters,
    Event,
    News,
    Open,
    Opened,
    Peers,
    Refusal,
    RelayRefusal,
    Touch,
)
from l7lb.ports import ManualClock
from l7lb_protocols.rtcp import Goodbye, ReceiverReport, ReportBlock, build
from support.datagrams import own_host, port_of, read, udp, until

HERE = "127.0.0.1"
NEAR, FAR = own_host(1), own_host(2)
"""Ours towards the client, and towards the server."""
OPEN = Open(HERE, HERE, NEAR, FAR)


class Rig:
    """A table of sessions with a client and a server beside it."""

    def __init__(self, spec: RelaySpec) -> None:
        self.epoll = select.epoll()
        self.mover = Mover(self.epoll)
        self.clock = ManualClock(time.monotonic())
        self.news: list[News] = []
        self.sessions = Sessions(spec, self.mover, self.clock, self.news.append)
        self.client, self.client_rtcp = udp(), udp()
        self.server, self.server_rtcp = udp(), udp()

    @property
    def client_ports(self) -> tuple[int, int]:
        return port_of(self.client), port_of(self.client_rtcp)

    @property
    def server_ports(self) -> tuple[int, int]:
        return port_of(self.server), port_of(self.server_rtcp)

    def playing(self) -> Opened:
        """A session whose peers are known."""
        opened = self.sessions.open(OPEN)
        ask = Peers(opened.session, opened.stream, self.client_ports, self.server_ports)
        self.sessions.peers(ask)
        return opened

    def turn(self) -> None:
        self.mover.turn(1.0)
        for side in self.mover.noted:
            self.sessions.noted(side)
        self.mover.noted.clear()

    def until(self, holds: Callable[[], bool]) -> None:
        until(self.turn, holds)

    def until_news(self, event: Event) -> News:
        self.until(lambda: any(news.event is event for news in self.news))
        return next(news for news in self.news if news.event is event)

    def taken(self, name: str) -> dict[str, Any]:
        """Of the first stream."""
        found: Any = self.sessions.counters(Counters(name))
        streams: dict[str, Any] = found["streams"]["0"]
        return streams

    def close(self) -> None:
        self.sessions.close_all()
        for each in (self.client, self.client_rtcp, self.server, self.server_rtcp, self.epoll):
            each.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig(RelaySpec(21000, 21999))
    yield made
    made.close()


def refusal(call: Callable[[], object]) -> RelayRefusal:
    with pytest.raises(RelayRefusal) as caught:
        call()
    return caught.value


def test_a_stream_has_two_pairs_of_ports_each_even_and_odd(rig: Rig) -> None:
    opened = rig.sessions.open(OPEN)
    for ports in (opened.client_ports, opened.server_ports):
        assert ports[0] % 2 == 0
        assert ports[1] == ports[0] + 1
        assert 21000 <= ports[0] <= 21999


def test_media_and_reports_pass_both_ways(rig: Rig) -> None:
    opened = rig.playing()
    rig.server.sendto(b"picture", (FAR, opened.server_ports[0]))
    rig.server_rtcp.sendto(b"report", (FAR, opened.server_ports[1]))
    rig.client_rtcp.sendto(b"heard", (NEAR, opened.client_ports[1]))
    rig.client.sendto(b"recorded", (NEAR, opened.client_ports[0]))
    rig.until(lambda: rig.sessions.counters(Counters())["client_packets"] == 2)
    rig.until(lambda: rig.sessions.counters(Counters())["server_packets"] == 2)
    data, source = rig.client.recvfrom(100)
    assert (data, source) == (b"picture", (NEAR, opened.client_ports[0]))
    assert read(rig.client_rtcp) == [b"report"]
    assert read(rig.server_rtcp) == [b"heard"]
    data, source = rig.server.recvfrom(100)
    assert (data, source) == (b"recorded", (FAR, opened.server_ports[0]))


def test_several_streams_of_one_session(rig: Rig) -> None:
    first = rig.sessions.open(OPEN)
    second = rig.sessions.open(replace(OPEN, session=first.session))
    assert (second.session, first.stream, second.stream) == (first.session, 0, 1)
    assert first.client_ports != second.client_ports
    found = rig.sessions.close(Close(first.session, 0))
    assert found["session"] == first.session
    with pytest.raises(RelayRefusal, match="no stream 0"):
        rig.sessions.close(Close(first.session, 0))
    third = rig.sessions.open(replace(OPEN, session=first.session))
    assert third.stream == 2
    rig.sessions.close(Close(first.session, 1))
    rig.sessions.close(Close(first.session, 2))
    assert rig.sessions.counters(Counters())["sessions"] == 0
    assert rig.sessions.counters(Counters())["pairs"] == 0


def test_a_session_is_known_by_its_alias_too(rig: Rig) -> None:
    opened = rig.sessions.open(OPEN)
    rig.sessions.peers(Peers(opened.session, 0, alias="m1/abc"))
    rig.sessions.touch(Touch("m1/abc"))
    other = rig.sessions.open(OPEN)
    rig.sessions.peers(Peers(other.session, 0, alias="m1/abc"))
    assert rig.sessions.counters(Counters("m1/abc"))["session"] == other.session
    rig.sessions.close(Close(opened.session))
    assert rig.sessions.close(Close("m1/abc"))["session"] == other.session
    assert refusal(lambda: rig.sessions.touch(Touch("m1/abc"))).code is Refusal.NO_SESSION


def test_a_session_that_is_not_there(rig: Rig) -> None:
    for call in (
        lambda: rig.sessions.open(replace(OPEN, session="none")),
        lambda: rig.sessions.peers(Peers("none", 0)),
        lambda: rig.sessions.touch(Touch("none")),
        lambda: rig.sessions.close(Close("none")),
        lambda: rig.sessions.counters(Counters("none")),
    ):
        assert refusal(call).code is Refusal.NO_SESSION
    opened = rig.sessions.open(OPEN)
    ask = Peers(opened.session, 7)
    assert refusal(lambda: rig.sessions.peers(ask)).code is Refusal.NO_SESSION


def test_latching_is_news_once_for_each_side(rig: Rig) -> None:
    opened = rig.playing()
    rig.client_rtcp.sendto(b"one", (NEAR, opened.client_ports[1]))
    news = rig.until_news(Event.LATCHED)
    ports = rig.client_ports
    assert news == News(Event.LATCHED, opened.session, "", 0, "client-rtcp", ports[1], ports[1])
    rig.client_rtcp.sendto(b"two", (NEAR, opened.client_ports[1]))
    rig.until(lambda: rig.taken(opened.session)["client"]["rtcp"]["packets"] == 2)
    assert len(rig.news) == 1


def test_a_client_behind_a_nat_is_latched_where_it_really_is(rig: Rig) -> None:
    opened = rig.playing()
    with udp() as outside:
        outside.sendto(b"punch", (NEAR, opened.client_ports[0]))
        news = rig.until_news(Event.LATCHED)
        assert (news.side, news.port) == ("client-rtp", port_of(outside))
        assert news.told == port_of(rig.client)
        rig.server.sendto(b"picture", (FAR, opened.server_ports[0]))
        rig.until(lambda: rig.taken(opened.session)["server"]["rtp"]["packets"] == 1)
        assert read(outside) == [b"picture"]


def test_a_port_that_is_not_told_changes_nothing(rig: Rig) -> None:
    opened = rig.playing()
    rig.sessions.peers(Peers(opened.session, 0))
    rig.server.sendto(b"picture", (FAR, opened.server_ports[0]))
    rig.until(lambda: rig.taken(opened.session)["server"]["rtp"]["packets"] == 1)
    assert read(rig.client) == [b"picture"]


def test_losses_are_read_from_the_clients_reports(rig: Rig) -> None:
    opened = rig.playing()
    rig.sessions.peers(Peers(opened.session, 0, ssrc=2))
    blocks = (ReportBlock(1, 0, 9, 0, 0), ReportBlock(2, 64, 5, 0, 3))
    report = build([ReceiverReport(7, blocks)])
    rig.client_rtcp.sendto(report, (NEAR, opened.client_ports[1]))
    rig.until(lambda: "lost" in rig.taken(opened.session)["client"]["reports"])
    found = rig.taken(opened.session)["client"]["reports"]
    assert (found["lost"], found["lost_share"], found["jitter"]) == (5, 0.25, 3)


def test_a_goodbye_is_news(rig: Rig) -> None:
    opened = rig.playing()
    goodbye = build([ReceiverReport(7), Goodbye((7,))])
    rig.server_rtcp.sendto(goodbye, (FAR, opened.server_ports[1]))
    assert rig.until_news(Event.GOODBYE).side == "server"


def test_a_client_that_nobody_hears_is_told_of_once(rig: Rig) -> None:
    opened = rig.playing()
    rig.sessions.touch(Touch(opened.session, silent_s=3.0))
    rig.clock.advance(2.9)
    rig.sessions.sweep()
    assert rig.news == []
    rig.clock.advance(0.1)
    rig.sessions.sweep()
    rig.sessions.sweep()
    assert rig.news == [News(Event.SILENT, opened.session)]


def test_a_client_that_is_heard_after_play_is_not_silent(rig: Rig) -> None:
    opened = rig.playing()
    rig.clock = rig.sessions._clock = ManualClock(time.monotonic())
    rig.sessions.touch(Touch(opened.session, silent_s=3.0))
    rig.client_rtcp.sendto(b"here", (NEAR, opened.client_ports[1]))
    rig.until_news(Event.LATCHED)
    rig.clock.advance(3.0)
    rig.sessions.sweep()
    assert [news.event for news in rig.news] == [Event.LATCHED]


def test_a_session_ends_when_neither_packets_nor_requests_come(rig: Rig) -> None:
    opened = rig.sessions.open(replace(OPEN, timeout_s=10.0))
    rig.clock.advance(9.0)
    rig.sessions.touch(Touch(opened.session))
    rig.clock.advance(9.0)
    rig.sessions.sweep()
    assert rig.news == []
    rig.clock.advance(1.0)
    rig.sessions.sweep()
    (news,) = rig.news
    assert (news.event, news.session) == (Event.TIMED_OUT, opened.session)
    assert news.counters["session"] == opened.session
    assert refusal(lambda: rig.sessions.touch(Touch(opened.session))).code is Refusal.NO_SESSION


def test_the_clients_packets_keep_a_session_and_the_servers_do_not(rig: Rig) -> None:
    opened = rig.playing()
    rig.sessions.touch(Touch(opened.session, timeout_s=10.0))
    rig.clock.advance(9.5)
    with udp() as early:
        early.sendto(b"here", (NEAR, opened.client_ports[1]))
        rig.until_news(Event.LATCHED)
    heard_s = time.monotonic()
    rig.clock = rig.sessions._clock = ManualClock(heard_s)
    rig.clock.advance(9.0)
    rig.sessions.sweep()
    assert all(news.event is Event.LATCHED for news in rig.news)
    rig.server.sendto(b"picture", (FAR, opened.server_ports[0]))
    rig.until(lambda: rig.taken(opened.session)["server"]["rtp"]["packets"] == 1)
    rig.clock.advance(1.0)
    rig.sessions.sweep()
    assert rig.news[-1].event is Event.TIMED_OUT


def test_no_ports_left_is_said_and_leaves_nothing_behind() -> None:
    rig = Rig(RelaySpec(22000, 22005, cooling_s=5.0))
    same = replace(OPEN, server_local=NEAR)
    first = rig.sessions.open(same)
    assert refusal(lambda: rig.sessions.open(same)).code is Refusal.NO_PORTS
    assert rig.sessions.counters(Counters())["pairs"] == 2
    rig.sessions.close(Close(first.session))
    assert refusal(lambda: rig.sessions.open(same)).code is Refusal.NO_PORTS
    rig.clock.advance(5.0)
    rig.sessions.open(same)
    rig.close()


def test_ports_of_others_are_passed_over(rig: Rig) -> None:
    with udp(NEAR, 21001), udp(NEAR, 21002):
        assert rig.sessions.open(OPEN).client_ports == (21004, 21005)


def test_a_range_in_other_hands_is_no_ports() -> None:
    rig = Rig(RelaySpec(22000, 22003))
    with udp(NEAR, 22000), udp(NEAR, 22003):
        assert refusal(lambda: rig.sessions.open(OPEN)).code is Refusal.NO_PORTS
    assert rig.sessions.counters(Counters())["pairs"] == 0
    rig.close()


def test_bounds_of_sessions_and_streams() -> None:
    rig = Rig(RelaySpec(22000, 22999, sessions=1, streams=2))
    opened = rig.sessions.open(OPEN)
    assert refusal(lambda: rig.sessions.open(OPEN)).code is Refusal.TOO_MANY
    more = replace(OPEN, session=opened.session)
    rig.sessions.open(more)
    assert refusal(lambda: rig.sessions.open(more)).code is Refusal.TOO_MANY
    rig.close()


def test_addresses_that_cannot_be(rig: Rig) -> None:
    mixed = replace(OPEN, client="::1")
    assert refusal(lambda: rig.sessions.open(mixed)).code is Refusal.BAD_REQUEST
    mixed = replace(OPEN, server_local="::1")
    assert refusal(lambda: rig.sessions.open(mixed)).code is Refusal.BAD_REQUEST
    foreign = replace(OPEN, client_local="192.0.2.1")
    assert refusal(lambda: rig.sessions.open(foreign)).code is Refusal.NO_ADDRESS
    assert rig.sessions.counters(Counters())["pairs"] == 0


def test_no_more_descriptors_is_no_ports(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("l7lb.media.relay.stream.bound_pair", none_left)
    assert refusal(lambda: rig.sessions.open(OPEN)).code is Refusal.NO_PORTS


def test_a_client_of_ipv6_and_a_server_of_ipv4(rig: Rig) -> None:
    opened = rig.sessions.open(replace(OPEN, client="::1", client_local="::1"))
    with udp("::1") as client:
        ports = (port_of(client), 0)
        rig.sessions.peers(Peers(opened.session, 0, ports, rig.server_ports))
        rig.server.sendto(b"picture", (FAR, opened.server_ports[0]))
        client.sendto(b"heard", ("::1", opened.client_ports[0]))
        rig.until(lambda: rig.sessions.counters(Counters())["client_packets"] == 1)
        rig.until(lambda: rig.sessions.counters(Counters())["server_packets"] == 1)
        assert read(client) == [b"picture"]
        assert read(rig.server) == [b"heard"]


def test_totals_outlive_sessions_by_server(rig: Rig) -> None:
    opened = rig.playing()
    rig.server.sendto(b"picture", (FAR, opened.server_ports[0]))
    rig.until(lambda: rig.sessions.counters(Counters())["server_packets"] == 1)
    rig.sessions.close(Close(opened.session))
    rig.sessions.open(replace(OPEN, server="127.0.0.9"))
    found = rig.sessions.counters(Counters(server=HERE))
    assert (found["sessions"], found["ended"]) == (0, 1)
    assert (found["server_packets"], found["server_octets"]) == (1, 7)
    assert rig.sessions.counters(Counters(server="127.0.0.9"))["sessions"] == 1
    assert rig.sessions.counters(Counters(server="127.0.0.8"))["server_packets"] == 0


def test_totals_of_servers_are_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("l7lb.media.relay.sessions.SERVERS", 2)
    for number in (1, 2, 1, 3):
        server = f"127.0.1.{number}"
        rig.sessions.close(Close(rig.sessions.open(replace(OPEN, server=server)).session))
    ended = [rig.sessions.counters(Counters(server=f"127.0.1.{n}"))["ended"] for n in (1, 2, 3)]
    assert ended == [2, 0, 1]


def test_what_is_over_leaves_no_socket(rig: Rig) -> None:
    opened = rig.playing()
    rig.sessions.close(Close(opened.session))
    for host, ports in ((NEAR, opened.client_ports), (FAR, opened.server_ports)):
        for port in ports:
            udp(host, port).close()


def test_many_sessions_leave_no_descriptor(rig: Rig) -> None:
    before = open_files()
    for _ in range(3):
        names = [rig.playing().session for _ in range(60)]
        assert open_files() == before + 60 * 4
        for name in names:
            rig.sessions.close(Close(name))
        rig.clock.advance(10.0)
    assert open_files() == before


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
