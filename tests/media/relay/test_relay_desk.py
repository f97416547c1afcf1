"""The relay's desk: who may ask, what is answered, who is cut off. Real sockets, one thread."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from l7lb.media.relay import desk as desk_module
from l7lb.media.relay import wire
from l7lb.media.relay.desk import REQUESTS, Desk, is_ours, peer_uid
from l7lb.media.relay.process import listening_socket
from l7lb.media.relay.verbs import (
    Counters,
    Event,
    Hear,
    News,
    Refusal,
    RelayRefusal,
    Request,
    Touch,
)
from support.datagrams import until
from support.relay_rig import Talk


class Rig:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[Request] = []
        self.epoll = select.epoll()
        self.desk = Desk(listening_socket(path), self.epoll, self.answer)

    def answer(self, request: Request) -> wire.Reply:
        self.asked.append(request)
        if isinstance(request, Touch):
            raise RelayRefusal(Refusal.NO_SESSION, "no such session")
        return {"sessions": len(self.asked)}

    def turn(self) -> None:
        for fd, _ in self.epoll.poll(1.0):
            self.desk.ready(fd)

    def until(self, holds: Callable[[], bool]) -> None:
        until(self.turn, holds)

    def talk(self) -> Talk:
        return Talk(self.path)

    def send(self, talk: Talk, data: bytes) -> tuple[int, wire.Reply]:
        """One raw datagram and its answer."""
        talk.socket.send(data)
        self.until(lambda: bool(select.select([talk.socket], [], [], 0)[0]))
        found = wire.decode_answer(talk.socket.recv(wire.REPLY_BYTES))
        assert not isinstance(found, News)
        return found


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path / "relay")
    yield made
    made.desk.close()
    made.epoll.close()


def test_a_request_is_answered_with_its_number(rig: Rig) -> None:
    talk = rig.talk()
    assert rig.send(talk, wire.encode_request(41, Counters())) == (41, {"sessions": 1})
    assert rig.asked == [Counters()]
    talk.close()


def test_a_refusal_is_an_answer(rig: Rig) -> None:
    talk = rig.talk()
    number, reply = rig.send(talk, wire.encode_request(3, Touch("a")))
    assert number == 3
    assert isinstance(reply, RelayRefusal)
    assert reply.code is Refusal.NO_SESSION
    talk.close()


@pytest.mark.parametrize("data", [b"{", b'{"id":5,"verb":"no"}', b"x" * (wire.REQUEST_BYTES + 9)])
def test_a_bad_request_is_refused_and_the_connection_lives(rig: Rig, data: bytes) -> None:
    talk = rig.talk()
    reply = rig.send(talk, data)[1]
    assert isinstance(reply, RelayRefusal)
    assert reply.code is Refusal.BAD_REQUEST
    assert rig.send(talk, wire.encode_request(6, Counters()))[0] == 6
    talk.close()


def test_news_go_to_those_who_hear(rig: Rig) -> None:
    one, other, deaf = rig.talk(), rig.talk(), rig.talk()
    for talk in (one, other):
        rig.send(talk, wire.encode_request(1, Hear()))
    rig.send(deaf, wire.encode_request(1, Counters()))
    rig.desk.tell(News(Event.SILENT, "a"))
    assert one.next_news() == other.next_news() == News(Event.SILENT, "a")
    assert not select.select([deaf.socket], [], [], 0)[0]
    for talk in (one, other, deaf):
        talk.close()


def test_who_reads_no_news_is_cut_off_and_others_are_not(rig: Rig) -> None:
    idle, quick = rig.talk(), rig.talk()
    for talk in (idle, quick):
        rig.send(talk, wire.encode_request(1, Hear()))
    for _ in range(5000):
        rig.desk.tell(News(Event.SILENT, "x" * 200))
        quick.next_news()
    while not idle.is_cut_off():
        pass
    rig.desk.tell(News(Event.SILENT, "still here"))
    assert quick.next_news().session == "still here"
    idle.close()
    quick.close()


def test_one_turn_serves_a_bounded_number_of_requests(rig: Rig) -> None:
    talk, count = rig.talk(), 2 * REQUESTS
    for number in range(count):
        talk.socket.send(wire.encode_request(number, Counters()))
    rig.turn()  # the connection
    rig.turn()
    assert len(rig.asked) == REQUESTS
    rig.until(lambda: len(rig.asked) == count)
    talk.close()


def test_a_connection_that_ends_is_forgotten(rig: Rig) -> None:
    talk = rig.talk()
    rig.send(talk, wire.encode_request(1, Hear()))
    talk.close()
    rig.turn()
    rig.desk.tell(News(Event.SILENT, "a"))
    assert rig.epoll.poll(0) == []


def test_strangers_are_sent_away(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "peer_uid", lambda _: os.geteuid() + 1)
    talk = rig.talk()
    rig.turn()
    assert talk.is_cut_off()
    talk.close()


def test_connections_are_bounded(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk_module, "CONNECTIONS", 1)
    one, other = rig.talk(), rig.talk()
    assert rig.send(one, wire.encode_request(1, Counters()))[0] == 1
    rig.until(lambda: bool(select.select([other.socket], [], [], 0)[0]))
    assert other.is_cut_off()
    one.close()
    other.close()


def test_the_kernel_says_who_it_is() -> None:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        assert peer_uid(one) == os.geteuid()
        assert is_ours(one)
