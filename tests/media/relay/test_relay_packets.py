"""Both twins of the data path keep to the same words, on real sockets."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from l7lb.media.relay import packets
from support.datagrams import LOOPBACK, is_silent, port_of, read, udp, until
from support.twins import plain_twin

UDP_SEGMENT = 103


@pytest.fixture(params=[packets, plain_twin(packets)], ids=["imported", "plain"])
def twin(request: pytest.FixtureRequest) -> ModuleType:
    module: ModuleType = request.param
    return module


@dataclass
class Rig:
    """A pair of sides between a client and a server, all on loopback."""

    twin: ModuleType
    host: str
    reports: bool = False
    client: socket.socket = field(init=False)
    server: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        self.client, self.server = udp(self.host), udp(self.host)
        self.epoll = select.epoll()
        self.mover: Any = self.twin.Mover(self.epoll)
        self.to_client, self.client_port = self._side()
        self.to_server, self.server_port = self._side()
        self.to_client.other, self.to_server.other = self.to_server, self.to_client

    def _side(self) -> tuple[Any, int]:
        sock = udp(self.host)
        port = port_of(sock)
        side = self.twin.Side(sock.detach(), self.host, self.reports)
        self.mover.watch(side)
        return side, port

    def from_client(self, *datagrams: bytes) -> None:
        for data in datagrams:
            self.client.sendto(data, (self.host, self.client_port))

    def from_server(self, *datagrams: bytes) -> None:
        for data in datagrams:
            self.server.sendto(data, (self.host, self.server_port))

    def until_seen(self, count: int) -> None:
        """So many datagrams have been taken or refused."""
        sides = (self.to_client, self.to_server)
        until(
            lambda: self.mover.turn(1.0),
            lambda: sum(side.packets + side.strangers for side in sides) >= count,
        )

    def close(self) -> None:
        for side in (self.to_client, self.to_server):
            self.mover.forget(side)
            side.other = None
            side.close()
        for each in (self.client, self.server, self.epoll):
            each.close()


@pytest.fixture(params=[4, 6], ids=["IPv4", "IPv6"])
def rig(twin: ModuleType, request: pytest.FixtureRequest) -> Iterator[Rig]:
    made = Rig(twin, LOOPBACK[request.param])
    yield made
    made.close()


@pytest.fixture
def reports(twin: ModuleType) -> Iterator[Rig]:
    made = Rig(twin, "127.0.0.1", reports=True)
    yield made
    made.close()


def test_packets_go_both_ways_once_both_are_known(rig: Rig) -> None:
    rig.to_client.aim(port_of(rig.client))
    rig.to_server.aim(port_of(rig.server))
    rig.from_client(b"punch")
    rig.from_server(b"one", b"two", b"")
    rig.until_seen(4)
    assert read(rig.server) == [b"punch"]
    assert read(rig.client, 3) == [b"one", b"two", b""]
    assert (rig.to_server.packets, rig.to_server.octets, rig.to_server.lost) == (3, 6, 0)
    assert (rig.to_client.packets, rig.to_client.octets, rig.to_client.lost) == (1, 5, 0)


def test_answers_leave_from_the_port_that_was_promised(rig: Rig) -> None:
    rig.to_client.aim(port_of(rig.client))
    rig.from_server(b"one")
    rig.until_seen(1)
    assert rig.client.recvfrom(10)[1][1] == rig.client_port


def test_without_a_place_to_go_a_packet_is_lost_and_counted(rig: Rig) -> None:
    rig.from_server(b"one", b"two")
    rig.until_seen(2)
    assert (rig.to_server.packets, rig.to_server.lost) == (2, 2)
    rig.to_server.other = None
    rig.from_server(b"three")
    rig.until_seen(3)
    assert rig.to_server.lost == 3


def test_the_first_packet_decides_the_port_against_what_was_told(rig: Rig) -> None:
    rig.to_client.aim(9)
    assert not rig.to_client.latched
    rig.from_client(b"from behind a NAT")
    rig.until_seen(1)
    assert rig.to_client.latched
    assert rig.to_client.port == port_of(rig.client)
    rig.to_client.aim(9)
    rig.from_server(b"one")
    rig.until_seen(2)
    assert read(rig.client) == [b"one"]


def test_another_port_of_the_latched_host_is_a_strangers(rig: Rig) -> None:
    rig.to_server.aim(port_of(rig.server))
    rig.from_client(b"first")
    rig.until_seen(1)
    with udp(rig.host) as stranger:
        stranger.sendto(b"second", (rig.host, rig.client_port))
        rig.until_seen(2)
    assert read(rig.server) == [b"first"]
    assert is_silent(rig.server)
    assert (rig.to_client.packets, rig.to_client.strangers) == (1, 1)
    assert rig.to_client.port == port_of(rig.client)


def test_another_host_latches_nothing(twin: ModuleType) -> None:
    rig = Rig(twin, "127.0.0.1")
    rig.to_server.aim(port_of(rig.server))
    with udp("127.0.0.2") as stranger:
        stranger.sendto(b"mine", ("127.0.0.1", rig.client_port))
        rig.until_seen(1)
    assert (rig.to_client.latched, rig.to_client.strangers, rig.to_client.port) == (False, 1, 0)
    assert is_silent(rig.server)
    rig.close()


def test_a_batch_of_every_size_arrives_whole_and_in_order(rig: Rig) -> None:
    rig.to_client.aim(port_of(rig.client))
    sizes = [1200, 1200, 1200, 300, 1200, 1, 0, 5, 5, 5, 9, 1400, 1400, 4000, 1, 1]
    datagrams = [bytes([number]) * size for number, size in enumerate(sizes)]
    rig.from_server(*datagrams)
    rig.until_seen(len(sizes))
    assert read(rig.client, len(sizes)) == datagrams
    assert rig.to_server.octets == sum(sizes)


def test_more_than_a_batch_takes_more_turns(rig: Rig, twin: ModuleType) -> None:
    rig.to_client.aim(port_of(rig.client))
    count = twin.BATCH + 10
    rig.from_server(*(b"%d" % number for number in range(count)))
    rig.mover.turn(30.0)
    assert 0 < rig.mover.moved <= twin.BATCH
    assert rig.mover.largest == rig.mover.moved
    rig.until_seen(count)
    assert read(rig.client, count) == [b"%d" % number for number in range(count)]


def test_what_came_as_one_piece_leaves_as_the_datagrams_that_it_was(rig: Rig) -> None:
    """A sender with UDP_SEGMENT; the relay's own socket may get it joined (UDP_GRO)."""
    rig.to_client.aim(port_of(rig.client))
    rig.server.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 1000)
    piece = b"".join(bytes([number]) * 1000 for number in range(12)) + b"end"
    rig.from_server(piece)
    rig.until_seen(13)
    found = read(rig.client, 13)
    assert [len(data) for data in found] == [1000] * 12 + [3]
    assert b"".join(found) == piece
    assert (rig.to_server.packets, rig.to_server.octets) == (13, 12_003)


def test_a_joined_piece_of_a_stranger_counts_as_its_datagrams(rig: Rig) -> None:
    rig.from_server(b"it is me")
    rig.until_seen(1)
    with udp(rig.host) as stranger:
        stranger.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 100)
        stranger.sendto(bytes(450), (rig.host, rig.server_port))
        rig.until_seen(6)
    assert rig.to_server.strangers == 5


def test_the_largest_datagram_passes(rig: Rig) -> None:
    rig.to_client.aim(port_of(rig.client))
    data = os.urandom(65_507 if rig.host == "127.0.0.1" else 65_487)
    rig.from_server(data)
    rig.until_seen(1)
    assert read(rig.client) == [data]


def test_a_client_whose_port_is_closed_costs_nothing_but_its_packets(rig: Rig) -> None:
    rig.to_client.aim(port_of(rig.client))
    rig.client.close()
    rig.from_server(b"one")
    rig.until_seen(1)
    rig.from_server(b"two", b"three")
    rig.until_seen(3)
    assert rig.to_server.packets == 3


def test_what_was_latched_is_noted_once(rig: Rig) -> None:
    rig.from_client(b"one")
    rig.until_seen(1)
    assert rig.mover.noted == [rig.to_client]
    rig.mover.noted.clear()
    rig.from_client(b"two")
    rig.until_seen(2)
    assert rig.mover.noted == []


def test_the_last_report_of_a_batch_is_kept(reports: Rig) -> None:
    reports.to_client.aim(port_of(reports.client))
    reports.from_server(b"sender report")
    reports.until_seen(1)
    assert reports.mover.noted == [reports.to_server]
    assert reports.to_server.report == b"sender report"
    assert read(reports.client) == [b"sender report"]
    reports.mover.noted.clear()
    reports.from_server(b"next")
    reports.until_seen(2)
    assert reports.mover.noted == [reports.to_server]
    assert reports.to_server.report == b"next"


def test_rtp_is_not_kept(rig: Rig) -> None:
    rig.from_server(b"one")
    rig.until_seen(1)
    assert rig.to_server.report == b""


def test_the_time_of_the_last_packet(rig: Rig) -> None:
    assert rig.to_client.last_s == 0.0
    rig.from_client(b"one")
    rig.until_seen(1)
    first = rig.to_client.last_s
    assert first > 0.0
    rig.from_client(b"two")
    rig.until_seen(2)
    assert rig.to_client.last_s >= first
    assert rig.to_server.last_s == 0.0


def test_other_descriptors_are_told_of(rig: Rig) -> None:
    one, other = socket.socketpair()
    with one, other:
        rig.epoll.register(one, select.EPOLLIN)
        assert rig.mover.turn(0.0) == []
        other.send(b"x")
        assert rig.mover.turn(30.0) == [one.fileno()]
        assert (rig.mover.moved, rig.mover.largest) == (0, 0)
        rig.epoll.unregister(one)


def test_work_goes_on_until_others_have_something_to_do(rig: Rig) -> None:
    rig.to_client.aim(port_of(rig.client))
    one, other = socket.socketpair()
    with one, other:
        rig.epoll.register(one, select.EPOLLIN)
        rig.from_server(b"first")
        assert rig.mover.work(30.0) == []
        assert rig.mover.noted == [rig.to_server]
        rig.mover.noted.clear()
        rig.from_server(b"second")
        other.send(b"x")
        assert rig.mover.work(30.0) == [one.fileno()]
        assert rig.mover.noted == []
        rig.epoll.unregister(one)
    rig.until_seen(2)
    assert read(rig.client, 2) == [b"first", b"second"]


def test_work_ends_when_its_time_is_over(rig: Rig) -> None:
    rig.to_client.aim(port_of(rig.client))
    rig.from_server(b"latches")
    rig.until_seen(1)
    rig.mover.noted.clear()
    rig.from_server(*(b"%d" % number for number in range(100)))
    assert rig.mover.work(0.5) == []
    rig.until_seen(101)
    assert read(rig.client, 101)[1:] == [b"%d" % number for number in range(100)]


def test_a_closed_set_is_an_error(twin: ModuleType) -> None:
    epoll = select.epoll()
    mover = twin.Mover(epoll)
    epoll.close()
    with pytest.raises((OSError, ValueError)):
        mover.work(0.0)


def test_a_forgotten_side_is_not_looked_at(rig: Rig) -> None:
    rig.mover.forget(rig.to_server)
    rig.mover.forget(rig.to_server)
    rig.from_server(b"one")
    assert rig.mover.turn(0.0) == []
    assert rig.to_server.packets == 0


def test_a_side_closes_its_socket_once(twin: ModuleType) -> None:
    sock = udp()
    side = twin.Side(sock.detach(), "127.0.0.1", False)
    fd = side.fd
    side.close()
    side.close()
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(fd)


@pytest.mark.parametrize("host", ["", "example.org", "127.0.0.1:5", "1.2.3"])
def test_a_peer_is_an_address(twin: ModuleType, host: str) -> None:
    with udp() as sock, pytest.raises(OSError, match="illegal IP address"):
        twin.Side(sock.fileno(), host, False)


def test_addresses_take_their_one_form(twin: ModuleType) -> None:
    sock = udp("::1")
    side = twin.Side(sock.detach(), "0:0::0:1", False)
    assert side.host == "::1"
    side.close()


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["client", "server", "near", "far"]),
        st.sampled_from(["client", "server"]),
        st.integers(0, 1500),
    ),
    max_size=30,
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS, told=st.booleans())
def test_no_packet_reaches_a_stranger_and_none_of_theirs_gets_through(
    twin: ModuleType, steps: list[tuple[str, str, int]], told: bool
) -> None:
    """`near` shares the peers' address, `far` does not; either tries both ports at any time."""
    rig = Rig(twin, "127.0.0.1")
    senders = {"client": rig.client, "server": rig.server}
    senders |= {"near": udp("127.0.0.1"), "far": udp("127.0.0.2")}
    ports = {"client": rig.client_port, "server": rig.server_port}
    sides = {"client": rig.to_client, "server": rig.to_server}
    if told:
        rig.to_client.aim(port_of(rig.client))
        rig.to_server.aim(port_of(rig.server))
    owner: dict[str, str] = {}
    for number, (who, where, size) in enumerate(steps):
        senders[who].sendto(who[:1].encode() * size, ("127.0.0.1", ports[where]))
        rig.until_seen(number + 1)
        if who != "far":
            owner.setdefault(where, who)
    for where, side in sides.items():
        mine = [size for who, at, size in steps if at == where and owner.get(where) == who]
        others = sum(at == where and owner.get(where) != who for who, at, _ in steps)
        assert (side.packets, side.octets, side.strangers) == (len(mine), sum(mine), others)
    for name, sock in senders.items():
        allowed = {owner.get("server") if owner.get("client") == name else None}
        allowed |= {owner.get("client") if owner.get("server") == name else None}
        if told and name in sides:
            allowed.add(owner.get("server" if name == "client" else "client"))
        while not is_silent_peek(sock):
            data = sock.recv(2000)
            assert not data or any(data == (n or "?")[:1].encode() * len(data) for n in allowed)
    for each in (senders["near"], senders["far"]):
        each.close()
    rig.close()


def is_silent_peek(sock: socket.socket) -> bool:
    """Loopback delivers before `until_seen` has seen what comes later."""
    return not select.select([sock], [], [], 0)[0]
