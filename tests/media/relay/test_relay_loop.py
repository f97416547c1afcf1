"""The relay's one thread: packets and verbs together, its end."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from l7lb.media.relay import wire
from l7lb.media.relay.loop import Relay
from l7lb.media.relay.process import listening_socket
from l7lb.media.relay.spec import RelaySpec
from l7lb.media.relay.verbs import (
    Close,
    Counters,
    Event,
    Hear,
    Open,
    Opened,
    Peers,
    Refusal,
    RelayRefusal,
    Touch,
)
from support.datagrams import WAIT_S, own_host, port_of, read, udp
from support.relay_rig import SPEC, Talk, running_relay

HERE = "127.0.0.1"
OPEN = Open(HERE, HERE, own_host(3), own_host(4))


@pytest.mark.parametrize("rest_s", [0.0, 0.004])
def test_a_session_from_open_to_close(tmp_path: Path, rest_s: float) -> None:
    spec = RelaySpec(SPEC.first_port, SPEC.last_port, rest_s=rest_s)
    with running_relay(tmp_path / "relay", spec), udp() as client, udp() as server:
        talk = Talk(tmp_path / "relay")
        assert talk.ask(Hear()) == {}
        opened = opened_by(talk)
        ports = (port_of(client), 0), (port_of(server), 0)
        assert talk.ask(Peers(opened.session, 0, *ports, alias="m1/1")) == {}
        for number in range(100):
            server.sendto(b"%d" % number, (OPEN.server_local, opened.server_ports[0]))
        assert read(client, 100) == [b"%d" % number for number in range(100)]
        news = talk.next_news()
        assert (news.event, news.side, news.alias) == (Event.LATCHED, "server-rtp", "m1/1")
        assert talk.ask(Touch("m1/1", 30.0)) == {}
        figures = talk.ask(Close("m1/1"))
        assert isinstance(figures, dict)
        assert figures["streams"]["0"]["server"]["rtp"]["packets"] == 100  # type: ignore[index]
        reply = talk.ask(Touch("m1/1"))
        assert isinstance(reply, RelayRefusal)
        assert reply.code is Refusal.NO_SESSION
        talk.close()


def opened_by(talk: Talk) -> Opened:
    value = talk.ask(OPEN)
    assert isinstance(value, dict)
    return wire.opened(value)


def test_a_session_outlives_the_connection_that_opened_it(tmp_path: Path) -> None:
    with running_relay(tmp_path / "relay"):
        talk = Talk(tmp_path / "relay")
        opened = opened_by(talk)
        talk.close()
        talk = Talk(tmp_path / "relay")
        assert talk.ask(Touch(opened.session)) == {}
        talk.close()


def test_timeouts_are_found_without_any_packet(tmp_path: Path) -> None:
    with running_relay(tmp_path / "relay"):
        talk = Talk(tmp_path / "relay")
        talk.ask(Hear())
        opened = opened_by(talk)
        talk.ask(Touch(opened.session, timeout_s=1.0))
        news = talk.next_news()
        assert (news.event, news.session) == (Event.TIMED_OUT, opened.session)
        assert talk.ask(Counters()) == {
            "sessions": 0,
            "ended": 1,
            "pairs": 0,
            "client_packets": 0,
            "client_octets": 0,
            "server_packets": 0,
            "server_octets": 0,
        }
        talk.close()


def test_it_ends_with_whoever_holds_the_other_end(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    relay = Relay(listening_socket(tmp_path / "relay"), SPEC)
    relay.end_with(reader)
    thread = threading.Thread(target=relay.run)
    thread.start()
    os.write(writer, b"words are no end\n")
    talk = Talk(tmp_path / "relay")
    opened_by(talk)
    assert thread.is_alive()
    os.close(writer)
    thread.join(WAIT_S)
    assert not thread.is_alive()
    assert talk.is_cut_off()
    talk.close()
    os.close(reader)


def test_verbs_are_answered_in_a_flood_of_packets(tmp_path: Path) -> None:
    flood_ends = threading.Event()
    with running_relay(tmp_path / "relay"), udp() as server:
        talk = Talk(tmp_path / "relay")
        opened = opened_by(talk)
        target = (OPEN.server_local, opened.server_ports[0])

        def flood() -> None:
            while not flood_ends.is_set():
                server.sendto(bytes(1200), target)

        thread = threading.Thread(target=flood)
        thread.start()
        try:
            for _ in range(50):
                assert talk.ask(Touch(opened.session)) == {}
        finally:
            flood_ends.set()
            thread.join(WAIT_S)
        talk.close()
